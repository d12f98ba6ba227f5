//! The forward pass. Prefill and decode are the same: a chunk of tokens goes through
//! all layers together, be it 256 or 1.

use super::config::Config;
use super::profile::{Op, OpTimes, Profile};
use super::weights::{Layer, Weights};
use crate::kernels::{PANEL_ROWS, rms_norm, silu_mul};
use crate::kv_cache::{KvCache, KvType, zeros};
use crate::ops::{
    Activations, Attention, Forms, Linear, Product, Rope, Scratch, store_keys_values,
};
use crate::team::{Parts, Team};
use crate::{Error, Result};
use std::ops::Range;

/// The most tokens in one chunk: more would not be faster, and their buffers are larger.
pub(crate) const MAX_CHUNK: usize = 128;
/// The most tokens whose logits are computed together.
pub(crate) const MAX_HEAD: usize = 16;

/// Rows of logits there is always room for: a token and a draft.
pub(crate) const LOGITS_ROWS: usize = 4;

/// A model ready to run: weights, cache, and every buffer it will ever need.
pub(crate) struct Forward {
    config: Config,
    weights: Weights,
    cache: KvCache,
    rope: Rope,
    team: Team,
    scratch: Scratch,
    attention: Attention,
    buffers: Buffers,
    profile: Profile,
}

/// Activations of one chunk; widths of products are in whole panels.
struct Buffers {
    /// Residual stream: `[n_tokens, n_embd]`
    x: Vec<f32>,
    /// Input of the products at hand.
    input: Activations,
    /// `[n_tokens, n_heads · head_dim]`
    q: Vec<f32>,
    /// `[n_tokens, n_kv_heads · head_dim]`
    k: Vec<f32>,
    /// `[n_tokens, n_kv_heads · head_dim]`
    v: Vec<f32>,
    /// `[n_tokens, n_ff]`
    gate: Vec<f32>,
    /// `[n_tokens, n_ff]`
    up: Vec<f32>,
    /// `[tokens asked for, n_vocab]`
    logits: Vec<f32>,
}

impl Forward {
    /// Allocates what a context of `capacity` positions needs.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn new(
        config: Config,
        weights: Weights,
        kv_type: KvType,
        capacity: usize,
        team: Team,
    ) -> Result<Forward> {
        let Config { n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, .. } = config;
        let cache = KvCache::new(kv_type, n_layers, n_kv_heads, head_dim, capacity)?;
        let max_width = n_embd.max(n_ff).max(config.q_width());
        let chunk = |width: usize| zeros(MAX_CHUNK.min(cache.capacity()) * width);
        let buffers = Buffers {
            x: chunk(n_embd)?,
            input: Activations::new(MAX_CHUNK.min(cache.capacity()), max_width)?,
            q: chunk(config.q_width())?,
            k: chunk(config.kv_width())?,
            v: chunk(config.kv_width())?,
            gate: chunk(n_ff)?,
            up: chunk(n_ff)?,
            logits: zeros(LOGITS_ROWS * config.n_vocab.next_multiple_of(PANEL_ROWS))?,
        };
        let factors = weights.rope_factors.as_deref();
        Ok(Forward {
            rope: Rope::new(
                cache.capacity(),
                config.rope_dim,
                config.rope_base,
                config.rope_scale,
                factors,
            ),
            attention: Attention::new(
                n_heads,
                n_kv_heads,
                head_dim,
                cache.capacity(),
                team.size(),
            )?,
            scratch: Scratch::new(team.size(), max_width),
            cache,
            team,
            buffers,
            profile: Profile::default(),
            weights,
            config,
        })
    }

    /// The model's shapes.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The model's weights.
    pub(crate) fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Threads that can work.
    pub(crate) fn n_threads(&self) -> usize {
        self.team.size()
    }

    /// Works on `n` threads only from now on.
    pub(crate) fn set_threads(&mut self, n: usize) {
        self.team.set_len(n);
    }

    /// Starts to take the times of the passes to come.
    pub(crate) fn start_profile(&mut self) {
        self.profile.start();
    }

    /// The times since then.
    pub(crate) fn stop_profile(&mut self) -> OpTimes {
        self.profile.stop()
    }

    /// Positions the cache has room for.
    pub(crate) fn capacity(&self) -> usize {
        self.cache.capacity()
    }

    /// Keys and values.
    pub(crate) fn cache(&self) -> &KvCache {
        &self.cache
    }

    /// Keys and values, to be put there from outside.
    pub(crate) fn cache_mut(&mut self) -> &mut KvCache {
        &mut self.cache
    }

    /// Runs `tokens` (at most [`MAX_CHUNK`]) at positions `start ..` through all layers;
    /// their keys and values are in the cache afterwards. [`Forward::logits`] follows.
    ///
    /// # Errors
    /// [`Error::ThreadLost`], [`Error::BadRequest`] for a token outside the vocabulary.
    pub(crate) fn run(&mut self, tokens: &[u32], start: usize) -> Result<()> {
        assert!(tokens.len() <= MAX_CHUNK && start + tokens.len() <= self.cache.capacity());
        self.embed(tokens)?;
        for layer in 0..self.config.n_layers {
            self.attend(layer, tokens.len(), start)?;
            self.feed_forward(layer, tokens.len())?;
        }
        Ok(())
    }

    /// x = embedding of each token.
    fn embed(&mut self, tokens: &[u32]) -> Result<()> {
        let rows = self.buffers.x.chunks_exact_mut(self.config.n_embd);
        for (&token, row) in tokens.iter().zip(rows) {
            if token as usize >= self.weights.embedding.n_rows() {
                return Err(Error::BadRequest {
                    what: format!("token {token} is not in the vocabulary"),
                });
            }
            self.weights.embedding.row(token as usize, row);
        }
        self.profile.lap(Op::Embed);
        Ok(())
    }

    /// x += o · attention(rope(q), rope(k), v), all from norm(x).
    fn attend(&mut self, layer: usize, n_tokens: usize, start: usize) -> Result<()> {
        let Forward { config, weights, cache, rope, team, scratch, attention, buffers, profile } =
            self;
        let Buffers { x, input, q, k, v, .. } = buffers;
        let (cache, layer) = (cache.layer_mut(layer), &weights.layers[layer]);
        let linear = Linear { team, scratch };
        let head_dim = config.head_dim;
        let (q_width, kv_width) = (config.q_width(), config.kv_width());
        let q = &mut q[..n_tokens * q_width];
        let k = &mut k[..n_tokens * kv_width];
        let v = &mut v[..n_tokens * kv_width];

        normed(team, config, x, &layer.attn_norm, n_tokens, layer.qkv_forms(), input)?;
        profile.lap(Op::Norm);
        linear.run(input, [product(&layer.q, q), product(&layer.k, k), product(&layer.v, v)])?;
        profile.lap(Op::Qkv);
        for (rows, width) in [(&mut *q, q_width), (&mut *k, kv_width)] {
            let n = if n_tokens > 1 { team.len() } else { 1 };
            let parts = Parts::new(rows, width, 1, n);
            team.run_if(n_tokens > 1, |tid| {
                let first = crate::team::share(n_tokens, 1, tid, n).start;
                for (i, row) in parts.take(tid).chunks_exact_mut(width).enumerate() {
                    rope.apply(row, head_dim, start + first + i);
                }
            })?;
        }
        profile.lap(Op::Rope);
        store_keys_values(team, cache, k, v, head_dim, kv_width, start)?;
        profile.lap(Op::Cache);
        attention.run(team, q, cache, start, Forms::of([layer.o.layout()]), input)?;
        profile.lap(Op::Attention);
        linear.run(input, [added(&layer.o, x)])?;
        profile.lap(Op::AttentionOutput);
        Ok(())
    }

    /// x += down · (silu(gate) ⊙ up), both from norm(x).
    fn feed_forward(&mut self, layer: usize, n_tokens: usize) -> Result<()> {
        let Forward { config, weights, team, scratch, buffers, profile, .. } = self;
        let Buffers { x, input, gate, up, .. } = buffers;
        let layer: &Layer = &weights.layers[layer];
        let linear = Linear { team, scratch };
        let n_ff = config.n_ff;

        normed(team, config, x, &layer.ffn_norm, n_tokens, layer.ffn_forms(), input)?;
        profile.lap(Op::Norm);
        linear.run(input, [product(&layer.gate, gate), product(&layer.up, up)])?;
        profile.lap(Op::GateUp);
        let forms = Forms::of([layer.down.layout()]);
        input.produce(team, n_tokens, n_ff, forms, |_, t, rows| {
            let at = t * n_ff..t * n_ff + rows.len();
            rows.copy_from_slice(&gate[at.clone()]);
            silu_mul(rows, &up[at]);
        })?;
        profile.lap(Op::SiluMul);
        linear.run(input, [added(&layer.down, x)])?;
        profile.lap(Op::Down);
        Ok(())
    }

    /// Logits `[n, n_vocab padded to whole panels]` of some (at most [`MAX_HEAD`]) of the
    /// tokens that were last run.
    pub(crate) fn logits(&mut self, tokens: Range<usize>) -> Result<Logits<'_>> {
        assert!(tokens.len() <= MAX_HEAD);
        let Forward { config, weights, team, scratch, buffers, profile, .. } = self;
        let head = weights.head();
        let stride = head.n_panels() * PANEL_ROWS;
        if buffers.logits.len() < tokens.len() * stride {
            buffers.logits = zeros(MAX_HEAD * stride)?; // once, by the first request that scores
        }
        let Buffers { x, input, logits, .. } = buffers;
        let x = &x[tokens.start * config.n_embd..];
        let forms = Forms::of([head.layout()]);
        normed(team, config, x, &weights.output_norm, tokens.len(), forms, input)?;
        profile.lap(Op::Norm);
        Linear { team, scratch }.run(input, [product(head, logits)])?;
        profile.lap(Op::Head);
        let rows = &logits[..tokens.len() * stride];
        Ok(Logits { rows, stride, n_vocab: config.n_vocab })
    }

    /// Row `i` of the logits that were last computed: `[n_vocab]`.
    pub(crate) fn logits_row(&self, i: usize) -> &[f32] {
        let stride = self.weights.head().n_panels() * PANEL_ROWS;
        &self.buffers.logits[i * stride..][..self.config.n_vocab]
    }

    /// Bytes of the buffers that the cache does not hold.
    pub(crate) fn scratch_bytes(&self) -> usize {
        let b = &self.buffers;
        let floats = [&b.x, &b.q, &b.k, &b.v, &b.gate, &b.up, &b.logits];
        let floats: usize = floats.iter().map(|f| f.len() * 4).sum();
        floats + b.input.n_bytes() + self.rope.n_bytes()
    }
}

/// The logits of a few tokens.
pub(crate) struct Logits<'a> {
    rows: &'a [f32],
    stride: usize,
    n_vocab: usize,
}

impl<'a> Logits<'a> {
    /// A row `[n_vocab]` for each token.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let n_vocab = self.n_vocab;
        self.rows.chunks_exact(self.stride).map(move |row| &row[..n_vocab])
    }

    /// The last token's row `[n_vocab]`.
    pub(crate) fn last(&self) -> &'a [f32] {
        &self.rows[self.rows.len() - self.stride..][..self.n_vocab]
    }
}

/// input = rms_norm(x) · weight for each token.
fn normed(
    team: &Team,
    config: &Config,
    x: &[f32],
    weight: &[f32],
    n_tokens: usize,
    forms: Forms,
    input: &mut Activations,
) -> Result<()> {
    let d = config.n_embd;
    input.produce(team, n_tokens, d, forms, |_, t, rows| {
        for (row, x) in rows.chunks_exact_mut(d).zip(x[t * d..].chunks_exact(d)) {
            rms_norm(x, weight, config.norm_eps, row);
        }
    })
}

fn product<'a>(weights: &'a crate::quant::Packed, out: &'a mut [f32]) -> Product<'a> {
    Product { weights, out, add: false }
}

fn added<'a>(weights: &'a crate::quant::Packed, out: &'a mut [f32]) -> Product<'a> {
    Product { weights, out, add: true }
}
