//! Causal grouped-query attention (Vaswani et al., 2017; Ainslie et al., 2023) over the
//! KV cache: softmax(q·Kᵀ · scale)·V, the scores capped where the model asks for it, and a
//! token's keys being the last ones of its layer's window.
//!
//! Keys are met in blocks of [`KEY_BLOCK`] positions, each with a softmax of its own, and
//! the blocks are joined in order (Milakov & Gimelshein, 2018; Dao et al., 2022). So no row
//! of all scores is ever held, and a token's result is the same to the last bit whether it
//! comes alone or among others, and whatever the number of threads.

mod block;
#[cfg(test)]
mod tests;

use super::activations::{Activations, Forms};
use crate::Result;
use crate::kernels::{Exp, HALF_SCALE, PANEL_TOKENS, scale};
use crate::kv_cache::{KvType, LayerCache, copies, zeros};
use crate::team::{Parts, PerThread, Team, share};
use block::{Block, Chosen, KEY_BLOCK, QuantisedQueries, Queries, Softmax, Terms};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Prefill: the most tokens that meet a block of keys together, once it is read as f32.
const MAX_UNIT: usize = 16;
const _: () = assert!(MAX_UNIT.is_multiple_of(PANEL_TOKENS));

/// A chunk of so many tokens shares out blocks of keys, a longer one its tokens.
const FEW: usize = 4;
/// From so many blocks on, joining them is worth sharing out too.
const MANY_BLOCKS: usize = 8;

/// What becomes of q·k.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scores {
    /// A factor, 1 / √head_dim in most models.
    pub(crate) scale: f32,
    /// score = cap · tanh(score / cap).
    pub(crate) cap: Option<f32>,
}

/// Shape and scores of attention.
#[derive(Clone, Copy)]
pub(crate) struct AttentionShape {
    /// Query heads.
    pub(crate) n_heads: usize,
    /// Key and value heads.
    pub(crate) n_kv_heads: usize,
    /// Width of a head.
    pub(crate) head_dim: usize,
    /// What becomes of q·k.
    pub(crate) scores: Scores,
}

impl AttentionShape {
    /// Bytes of scratch that grow with the context: what each block of keys came to.
    pub(crate) fn scratch_bytes(&self, capacity: usize) -> u64 {
        let part = size_of::<f32>() * self.head_dim + size_of::<Softmax>();
        self.parts(capacity).saturating_mul(part as u64)
    }

    /// In 64 bits: what a large context would take does not fit wasm32's `usize`.
    fn parts(&self, capacity: usize) -> u64 {
        (capacity.div_ceil(KEY_BLOCK) as u64).saturating_mul((self.n_heads * FEW) as u64)
    }
}

/// What a chunk of tokens sees.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// Keys and values, those of the chunk among them.
    pub(crate) cache: &'a LayerCache,
    /// Position of the first token.
    pub(crate) start: usize,
    /// Positions that a token sees, its own among them; `usize::MAX` for all.
    pub(crate) window: usize,
}

impl View<'_> {
    /// The keys that the token at `position` sees.
    fn keys(self, position: usize) -> Range<usize> {
        (position + 1).saturating_sub(self.window)..position + 1
    }
}

/// Attention of one shape, and its scratch.
pub(crate) struct Attention {
    shape: AttentionShape,
    scratch: PerThread<Scratch>,
    /// Few tokens: their queries `[n_tokens, n_heads, head_dim]`, what each block of keys came
    /// to, `[n_kv_heads, blocks, n_tokens, group]`, and the weighted values, of `head_dim` each.
    queries: QuantisedQueries,
    softmaxes: Vec<Softmax>,
    weighted: Vec<f32>,
    /// All blocks joined: `[n_tokens, n_heads, head_dim]`.
    joined: Vec<f32>,
}

/// What one thread needs for one block of keys.
struct Scratch {
    /// One block of keys and of values `[KEY_BLOCK, head_dim]`, where they are kept as halves.
    keys: Vec<f32>,
    values: Vec<f32>,
    terms: Terms,
    /// Prefill: queries `[tokens, n_heads, head_dim]`, weighted values `[tokens, head_dim]`, and
    /// the softmaxes of all blocks so far, `[n_heads, tokens]`.
    queries: QuantisedQueries,
    weighted: Vec<f32>,
    softmaxes: Vec<[Softmax; MAX_UNIT]>,
}

impl Attention {
    /// `capacity` is that of the cache.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub(crate) fn new(
        shape: AttentionShape,
        kv_type: KvType,
        capacity: usize,
        n_threads: usize,
    ) -> Result<Attention> {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = shape;
        let rows = MAX_UNIT.max(n_heads / n_kv_heads);
        let halves = if kv_type == KvType::F16 { KEY_BLOCK * head_dim } else { 0 };
        let queries = |tokens: usize| {
            let vectors = if kv_type == KvType::Q8 { tokens * n_heads } else { 0 };
            QuantisedQueries::new(vectors, head_dim)
        };
        let scratch = PerThread::new(n_threads, || {
            Ok(Scratch {
                keys: zeros(halves)?,
                values: zeros(halves)?,
                terms: Terms::new(rows)?,
                queries: queries(MAX_UNIT)?,
                weighted: zeros(MAX_UNIT * head_dim)?,
                softmaxes: copies([Softmax::EMPTY; MAX_UNIT], n_heads)?,
            })
        })?;
        // That it fits, the loader has made sure of.
        let parts = shape.parts(capacity) as usize;
        let weighted = zeros(parts * head_dim)?;
        let softmaxes = copies(Softmax::EMPTY, parts)?;
        let joined = zeros(FEW * n_heads * head_dim)?;
        Ok(Attention { shape, scratch, queries: queries(FEW)?, softmaxes, weighted, joined })
    }

    /// Bytes in memory of what grows with the context.
    pub(crate) fn n_bytes(&self) -> usize {
        size_of_val(&self.weighted[..]) + size_of_val(&self.softmaxes[..])
    }

    /// Attends from queries `[n_tokens, n_heads, head_dim]` to all positions up to their own
    /// that they see, and leaves the result in `out`, after `finish(token, row)`.
    pub(crate) fn run(
        &mut self,
        team: &Team,
        queries: &mut [f32],
        view: View,
        forms: Forms,
        out: &mut Activations,
        finish: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Result<()> {
        let width = self.shape.n_heads * self.shape.head_dim;
        let n_tokens = queries.len() / width;
        // Scaling the queries is cheaper than scaling the scores.
        scale(queries, self.shape.scores.scale);
        if n_tokens <= FEW {
            self.blocks_of_few(team, queries, view)?;
            self.join_all(team, n_tokens, view)?;
            return out.produce(team, n_tokens, width, forms, |_, first, rows| {
                rows.copy_from_slice(&self.joined[first * width..][..rows.len()]);
                for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                    finish(first + i, row);
                }
            });
        }
        let queries = &*queries;
        // Enough units for all threads.
        let unit = if n_tokens >= 2 * MAX_UNIT * team.len() { MAX_UNIT } else { PANEL_TOKENS };
        out.produce_units(team, n_tokens, width, unit, forms, |tid, t, rows| {
            let unit = View { start: view.start + t, ..view };
            self.unit(&queries[t * width..][..rows.len()], unit, tid, rows);
            for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                finish(t + i, row);
            }
        })
    }

    /// Decode: few tokens' queries against each block of keys. Each thread has its share of all
    /// blocks, of which those of a head lie behind each other in memory; the heads of a group meet
    /// each key together.
    fn blocks_of_few(&mut self, team: &Team, q: &mut [f32], view: View) -> Result<()> {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let group = n_heads / n_kv_heads;
        let n_tokens = q.len() / (n_heads * head_dim);
        match view.cache.kv_type() {
            KvType::F32 => {}
            KvType::F16 => scale(q, HALF_SCALE),
            KvType::Q8 => self.queries.fill(q, head_dim),
        }
        let queries = Queries { rows: q, bytes: &self.queries, head_dim };
        let seen = view.keys(view.start).start..view.start + n_tokens;
        let blocks = blocks_of(&seen);
        let (n_units, rows, n) = (n_kv_heads * blocks.len(), n_tokens * group, team.len());
        let softmaxes = Parts::new(&mut self.softmaxes[..n_units * rows], rows, 1, n);
        let weighted = &mut self.weighted[..n_units * rows * head_dim];
        let weighted = Parts::new(weighted, rows * head_dim, 1, n);
        team.run(|tid| {
            let Scratch { terms, .. } = &mut *self.scratch.of(tid);
            let softmaxes = softmaxes.take(tid).chunks_exact_mut(rows);
            let weighted = weighted.take(tid).chunks_exact_mut(rows * head_dim);
            let units = share(n_units, 1, tid, n);
            for (unit, (softmaxes, weighted)) in units.zip(softmaxes.zip(weighted)) {
                let (kv_head, block) = (unit / blocks.len(), blocks.start + unit % blocks.len());
                let positions = block_of(block, seen.end);
                let elements = view.cache.block(kv_head, positions.clone());
                let block = Block { positions, elements };
                let tokens = softmaxes
                    .chunks_exact_mut(group)
                    .zip(weighted.chunks_exact_mut(group * head_dim));
                for (t, (softmaxes, weighted)) in tokens.enumerate() {
                    let keys = view.keys(view.start + t);
                    let first = t * n_heads + kv_head * group;
                    let chosen = Chosen { queries, first, step: 1, n: group };
                    let sees = |_| keys.clone();
                    block.attend(chosen, &self.shape, sees, terms, softmaxes, weighted);
                }
            }
        })
    }

    /// Joins the blocks that [`Attention::blocks_of_few`] has left.
    fn join_all(&mut self, team: &Team, n_tokens: usize, view: View) -> Result<()> {
        let Attention { softmaxes, weighted, joined, .. } = self;
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let group = n_heads / n_kv_heads;
        let blocks = blocks_of(&(view.keys(view.start).start..view.start + n_tokens));
        let n = if blocks.len() < MANY_BLOCKS { 1 } else { team.len() };
        let joined = &mut joined[..n_tokens * n_heads * head_dim];
        let parts = Parts::new(joined, head_dim, 1, n);
        team.run_if(n > 1, |tid| {
            let exp = Exp::new();
            let first = share(n_tokens * n_heads, 1, tid, n).start;
            for (i, out) in parts.take(tid).chunks_exact_mut(head_dim).enumerate() {
                let (token, head) = ((first + i) / n_heads, (first + i) % n_heads);
                let mut softmax = Softmax::EMPTY;
                out.fill(0.0);
                for block in blocks_of(&view.keys(view.start + token)) {
                    let unit = head / group * blocks.len() + block - blocks.start;
                    let part = (unit * n_tokens + token) * group + head % group;
                    let weighted = &weighted[part * head_dim..][..head_dim];
                    softmax.join(&exp, softmaxes[part], weighted, out);
                }
                scale(out, 1.0 / softmax.sum);
            }
        })
    }

    /// Prefill: some tokens for all heads.
    fn unit(&self, q: &[f32], view: View, tid: usize, out: &mut [f32]) {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let Scratch { keys, values, terms, queries, weighted, softmaxes } =
            &mut *self.scratch.of(tid);
        let width = n_heads * head_dim;
        let n_tokens = q.len() / width;
        let seen = view.keys(view.start).start..view.start + n_tokens;
        let group = n_heads / n_kv_heads;
        if view.cache.kv_type() == KvType::Q8 {
            queries.fill(q, head_dim);
        }
        let queries = Queries { rows: q, bytes: queries, head_dim };
        let exp = Exp::new();
        out.fill(0.0);
        softmaxes.fill([Softmax::EMPTY; MAX_UNIT]);
        for block in blocks_of(&seen) {
            for kv_head in 0..n_kv_heads {
                let positions = block_of(block, seen.end);
                let elements = view.cache.block(kv_head, positions.clone());
                let block = Block { positions, elements: elements.widened(keys, values) };
                for head in kv_head * group..(kv_head + 1) * group {
                    let chosen = Chosen { queries, first: head, step: n_heads, n: n_tokens };
                    let parts = &mut [Softmax::EMPTY; MAX_UNIT][..n_tokens];
                    let sees = |t| view.keys(view.start + t);
                    block.attend(chosen, &self.shape, sees, terms, parts, weighted);
                    for (t, part) in parts.iter().enumerate() {
                        let out = &mut out[t * width + head * head_dim..][..head_dim];
                        let weighted = &weighted[t * head_dim..][..head_dim];
                        softmaxes[head][t].join(&exp, *part, weighted, out);
                    }
                }
            }
        }
        for (t, out) in out.chunks_exact_mut(width).enumerate() {
            for (out, softmax) in out.chunks_exact_mut(head_dim).zip(&*softmaxes) {
                scale(out, 1.0 / softmax[t].sum);
            }
        }
    }
}

/// The blocks that these keys lie in.
fn blocks_of(seen: &Range<usize>) -> Range<usize> {
    seen.start / KEY_BLOCK..seen.end.div_ceil(KEY_BLOCK)
}

/// Positions of a block, of `n_keys`.
fn block_of(block: usize, n_keys: usize) -> Range<usize> {
    block * KEY_BLOCK..n_keys.min((block + 1) * KEY_BLOCK)
}

/// Stores the keys and values `[n_tokens, n_kv_heads, head_dim]` of positions `start ..`.
pub(crate) fn store_keys_values(
    team: &Team,
    cache: &mut LayerCache,
    keys: &[f32],
    values: &[f32],
    head_dim: usize,
    width: usize,
    start: usize,
) -> Result<()> {
    let n_tokens = keys.len() / width;
    let heads = Mutex::new(cache.heads_mut().enumerate());
    team.run_if(n_tokens > 1, |_| {
        loop {
            let next = heads.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((h, mut head)) = next else { break };
            for t in 0..n_tokens {
                let at = t * width + h * head_dim;
                head.store(start + t, &keys[at..][..head_dim], &values[at..][..head_dim]);
            }
        }
    })
}
