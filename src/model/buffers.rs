//! The activations of one chunk, allocated once.

use super::config::{Config, Residual};
use crate::Result;
use crate::kernels::PANEL_ROWS;
use crate::kv_cache::zeros;
use crate::ops::Activations;

/// The most tokens in one chunk: more would not be faster, and their buffers are larger.
pub(crate) const MAX_CHUNK: usize = 128;
/// The most tokens whose logits are computed together.
pub(crate) const MAX_HEAD: usize = 16;
/// Rows of logits there is always room for: a token and a draft.
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
    /// The choice of experts.
    pub(super) routing: Option<Routing>,
    /// `[tokens asked for, n_vocab]`
    pub(super) logits: Vec<f32>,
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
            q: chunk(config.q_width())?,
            k: chunk(config.kv_width())?,
            v: chunk(config.kv_width())?,
            gate: chunk(ff.max(only(config.query_gate, config.q_width())))?,
            up: chunk(ff)?,
            routing,
            logits: zeros(LOGITS_ROWS * config.n_vocab.next_multiple_of(PANEL_ROWS))?,
        })
    }

    /// Room for `needed` logits: if there is none, for `all`, once, when the first request
    /// comes that scores.
    pub(super) fn make_room_for_logits(&mut self, needed: usize, all: usize) -> Result<()> {
        if self.logits.len() < needed {
            self.logits = zeros(all)?;
        }
        Ok(())
    }

    /// Bytes in memory.
    pub(super) fn n_bytes(&self) -> usize {
        let b = self;
        let floats = [&b.x, &b.input_x, &b.y, &b.q, &b.k, &b.v, &b.gate, &b.up, &b.logits];
        let floats: usize = floats.iter().map(|f| f.len() * 4).sum();
        let routing = b.routing.as_ref().map_or(0, |r| 4 * r.shares.len() + r.input.n_bytes());
        floats + b.input.n_bytes() + routing
    }
}
