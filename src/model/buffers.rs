//! The activations of one chunk, allocated once.

use super::config::{Config, Mixer, Residual};
use crate::Result;
use crate::kernels::PANEL_ROWS;
use crate::kv_cache::zeros;
use crate::ops::Activations;

/// The most tokens in one chunk: more would not be faster, and their buffers are larger.
pub(crate) const MAX_CHUNK: usize = 128;
/// The most tokens whose logits are computed together.
pub(crate) const MAX_HEAD: usize = 16;
/// Rows of logits there is always room for: a token and a short draft.
pub(crate) const LOGITS_ROWS: usize = 4;

/// Activations of one chunk; widths of products are in whole panels. What a model does not
/// need is empty.
pub(crate) struct Buffers {
    /// Residual stream: `[n_tokens, n_embd]`
    pub(super) x: Vec<f32>,
    /// The same as it was before attention: `[n_tokens, n_embd]`
    pub(super) input_x: Vec<f32>,
    /// What is to be added to it: `[n_tokens, n_embd]`
    pub(super) y: Vec<f32>,
    /// The embedding of a position: `[n_embd]`
    pub(super) position: Vec<f32>,
    /// Input of the products at hand.
    pub(super) input: Activations,
    /// What one token's gate leaves, made while `input` is read.
    pub(super) gated: Activations,
    /// `[n_tokens, n_heads · head_dim]`
    pub(super) q: Vec<f32>,
    /// `[n_tokens, n_kv_heads · head_dim]`
    pub(super) k: Vec<f32>,
    /// `[n_tokens, n_kv_heads · head_dim]`
    pub(super) v: Vec<f32>,
    /// `[n_tokens, n_ff]`, or that of queries: `[n_tokens, n_heads · head_dim]`
    pub(super) gate: Vec<f32>,
    /// `[n_tokens, n_ff]`
    pub(super) up: Vec<f32>,
    /// What layers with a state need.
    pub(super) recurrent: RecurrentBuffers,
    /// The choice of experts.
    pub(super) routing: Option<Routing>,
    /// `[tokens asked for, n_vocab]`
    pub(super) logits: Vec<f32>,
}

/// Activations of layers with a state.
#[derive(Default)]
pub(super) struct RecurrentBuffers {
    /// What a convolution sees, the positions before the chunk first:
    /// `[taps - 1 + n_tokens, channels]`
    pub(super) window: Vec<f32>,
    /// Three gates of a short convolution `[n_tokens, 3 · n_embd]`, or queries, keys and values
    /// of a delta net `[n_tokens, qkv_width]`.
    pub(super) mixed: Vec<f32>,
    /// `[n_tokens, value_width]`
    pub(super) gate: Vec<f32>,
    /// `[n_tokens, n_v_heads]`, in whole panels.
    pub(super) beta: Vec<f32>,
    /// `[n_tokens, n_v_heads]`, in whole panels.
    pub(super) alpha: Vec<f32>,
    /// Results: `[n_v_heads, n_tokens, head_dim]`
    pub(super) heads: Vec<f32>,
}

/// What the choice of experts needs.
pub(super) struct Routing {
    /// The weight of each expert, 0 where it is not chosen: `[n_tokens, n_experts]`, in whole
    /// panels.
    pub(super) shares: Vec<f32>,
    /// The tokens of the expert at hand.
    pub(super) tokens: Vec<usize>,
    /// Their rows.
    pub(super) input: Activations,
}

impl Buffers {
    /// For chunks of up to [`MAX_CHUNK`] tokens, and no more than `capacity`.
    pub(super) fn new(config: &Config, capacity: usize) -> Result<Buffers> {
        let n_tokens = MAX_CHUNK.min(capacity);
        let chunk = |width: usize| zeros(n_tokens * width);
        let (d, ff) = (config.n_embd, config.n_ff);
        let only = |there: bool, width: usize| if there { width } else { 0 };
        let routing = match config.experts {
            None => None,
            Some(experts) => Some(Routing {
                shares: chunk(experts.n.next_multiple_of(PANEL_ROWS))?,
                tokens: Vec::with_capacity(n_tokens),
                input: Activations::new(n_tokens, d.max(ff))?,
            }),
        };
        Ok(Buffers {
            x: chunk(d)?,
            input_x: chunk(only(config.residual != Residual::Sequential, d))?,
            y: chunk(d)?,
            position: zeros(only(config.tensors.positions, d))?,
            input: Activations::new(n_tokens, config.max_width())?,
            gated: Activations::new(1, ff)?,
            q: chunk(config.q_width())?,
            k: chunk(config.kv_width())?,
            v: chunk(config.kv_width())?,
            gate: chunk(ff.max(only(config.query_gate, config.q_width())))?,
            up: chunk(ff)?,
            recurrent: RecurrentBuffers::new(config, n_tokens)?,
            routing,
            logits: zeros(LOGITS_ROWS * config.n_vocab.next_multiple_of(PANEL_ROWS))?,
        })
    }

    /// Room for so many rows of logits: more than [`LOGITS_ROWS`] are made when the first long
    /// draft comes, or the first request that scores.
    pub(super) fn make_room_for_logits(&mut self, rows: usize, stride: usize) -> Result<()> {
        if self.logits.len() < rows * stride {
            self.logits = zeros(rows.next_power_of_two() * stride)?;
        }
        Ok(())
    }

    /// Bytes in memory.
    pub(super) fn n_bytes(&self) -> usize {
        let b = self;
        let floats = [&b.x, &b.input_x, &b.y, &b.q, &b.k, &b.v, &b.gate, &b.up, &b.logits];
        let floats: usize = floats.iter().map(|f| f.len() * 4).sum();
        let routing = b.routing.as_ref().map_or(0, |r| 4 * r.shares.len() + r.input.n_bytes());
        floats + b.input.n_bytes() + b.gated.n_bytes() + routing + b.recurrent.n_bytes()
    }
}

impl RecurrentBuffers {
    /// For the largest of the layers.
    fn new(config: &Config, n_tokens: usize) -> Result<RecurrentBuffers> {
        let [mut taps, mut channels, mut mixed, mut values, mut heads] = [0; 5];
        for layer in &config.layers {
            match layer.mixer {
                Mixer::Attention => {}
                Mixer::ShortConv { taps: n } => {
                    (taps, channels, mixed) = (n, config.n_embd, 3 * config.n_embd);
                }
                Mixer::DeltaNet(shape) => {
                    (taps, channels, mixed) = (shape.taps, shape.qkv_width(), shape.qkv_width());
                    values = shape.value_width();
                    heads = shape.n_v_heads.next_multiple_of(PANEL_ROWS);
                }
            }
        }
        Ok(RecurrentBuffers {
            window: zeros((n_tokens + taps) * channels)?,
            mixed: zeros(n_tokens * mixed)?,
            gate: zeros(n_tokens * values)?,
            beta: zeros(n_tokens * heads)?,
            alpha: zeros(n_tokens * heads)?,
            heads: zeros(n_tokens * values)?,
        })
    }

    fn n_bytes(&self) -> usize {
        let all = [&self.window, &self.mixed, &self.gate, &self.beta, &self.alpha, &self.heads];
        all.iter().map(|f| f.len() * 4).sum()
    }
}
