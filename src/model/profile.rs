//! Where a forward pass spends its time.

use serde::Serialize;
use web_time::Instant;

/// A step of the forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Embed,
    Norm,
    Qkv,
    Rope,
    Cache,
    Attention,
    AttentionOutput,
    GateUp,
    SiluMul,
    Down,
    Head,
}

/// Milliseconds of each step of the forward pass, all layers together. A step includes what
/// comes with it: norms and silu·mul also quantise what the next product reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct OpTimes {
    /// Rows of the embedding.
    pub embed: f64,
    /// Both norms of all layers, and the last one.
    pub norm: f64,
    /// Queries, keys and values.
    pub qkv: f64,
    /// Rotary embedding.
    pub rope: f64,
    /// Keys and values into the cache.
    pub cache: f64,
    /// Scores, softmax, weighted values.
    pub attention: f64,
    /// Attention's output product.
    pub attention_output: f64,
    /// The two products up.
    pub gate_up: f64,
    /// silu(gate) · up.
    pub silu_mul: f64,
    /// The product down.
    pub down: f64,
    /// Logits.
    pub head: f64,
}

/// A stop watch that is read after each step. Off, it does nothing.
#[derive(Default)]
pub(crate) struct Profile {
    running: Option<(Instant, OpTimes)>,
}

impl Profile {
    /// Begins anew.
    pub(crate) fn start(&mut self) {
        self.running = Some((Instant::now(), OpTimes::default()));
    }

    /// Ends it; what was measured since [`Profile::start`].
    pub(crate) fn stop(&mut self) -> OpTimes {
        self.running.take().map(|(_, times)| times).unwrap_or_default()
    }

    /// The time since the last lap went into `op`.
    pub(crate) fn lap(&mut self, op: Op) {
        let Some((last, times)) = &mut self.running else { return };
        let now = Instant::now();
        let ms = match op {
            Op::Embed => &mut times.embed,
            Op::Norm => &mut times.norm,
            Op::Qkv => &mut times.qkv,
            Op::Rope => &mut times.rope,
            Op::Cache => &mut times.cache,
            Op::Attention => &mut times.attention,
            Op::AttentionOutput => &mut times.attention_output,
            Op::GateUp => &mut times.gate_up,
            Op::SiluMul => &mut times.silu_mul,
            Op::Down => &mut times.down,
            Op::Head => &mut times.head,
        };
        *ms += (now - *last).as_secs_f64() * 1e3;
        *last = now;
    }
}
