//! Causal grouped-query attention (Vaswani et al., 2017; Ainslie et al., 2023) over the
//! KV cache: softmax(q·Kᵀ · scale)·V, the scores capped where the model asks for it, and a
//! token's keys being the last ones of its layer's window.
//!
//! Keys are met in blocks of [`KEY_BLOCK`] positions, each with a softmax of its own, and
//! the blocks are joined in order (Milakov & Gimelshein, 2018; Dao et al., 2022). So no row
//! of all scores is ever held, and a token's result is the same to the last bit whether it
//! comes alone or among others, and whatever the number of threads.

use super::activations::{Activations, Forms};
use crate::Result;
use crate::kernels::{
    HALF_SCALE, Half, PANEL_ROWS, PANEL_TOKENS, Rows, add_scaled, exp_scalar, scale, score_keys,
    soft_cap, softmax_terms, weigh_values,
};
use crate::kv_cache::{LayerCache, zeros};
use crate::team::{PerThread, Team};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Positions of a block of keys: their keys and values stay in a core's cache while several
/// heads and tokens meet them.
const KEY_BLOCK: usize = 128;
const _: () = assert!(KEY_BLOCK.is_multiple_of(PANEL_ROWS));

/// Prefill: the most tokens that meet a block of keys together, once it is read as f32.
const MAX_UNIT: usize = 16;
const _: () = assert!(MAX_UNIT.is_multiple_of(PANEL_TOKENS));

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
    /// Decode: what each block of keys came to, `[blocks, n_heads]`, and the weighted values
    /// `[blocks, n_heads, head_dim]`.
    softmaxes: Vec<Softmax>,
    weighted: Vec<f32>,
}

/// A softmax over some keys: the largest score, and the sum of the terms relative to it.
#[derive(Clone, Copy)]
struct Softmax {
    max: f32,
    sum: f32,
}

/// Over no keys.
const EMPTY: Softmax = Softmax { max: f32::NEG_INFINITY, sum: 0.0 };

/// What one thread needs for one block of keys.
struct Scratch {
    /// One block of keys and of values `[KEY_BLOCK, head_dim]`, where they are not kept as f32.
    keys: Vec<f32>,
    values: Vec<f32>,
    /// `[rows, KEY_BLOCK]`: a row for each query.
    scores: Vec<f32>,
    /// `[rows, head_dim]`
    weighted: Vec<f32>,
    /// Prefill: of all blocks so far, `[n_heads, tokens]`.
    softmaxes: Vec<[Softmax; MAX_UNIT]>,
}

impl Attention {
    /// `capacity` is that of the cache.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub(crate) fn new(
        shape: AttentionShape,
        capacity: usize,
        n_threads: usize,
    ) -> Result<Attention> {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = shape;
        let rows = MAX_UNIT.max(n_heads / n_kv_heads);
        let scratch = PerThread::new(n_threads, || Scratch {
            keys: vec![0.0; KEY_BLOCK * head_dim],
            values: vec![0.0; KEY_BLOCK * head_dim],
            scores: vec![0.0; rows * KEY_BLOCK],
            weighted: vec![0.0; rows * head_dim],
            softmaxes: vec![[EMPTY; MAX_UNIT]; n_heads],
        });
        let parts = capacity.div_ceil(KEY_BLOCK) * n_heads;
        let weighted = zeros(parts * head_dim)?;
        let softmaxes = vec![EMPTY; parts];
        Ok(Attention { shape, scratch, softmaxes, weighted })
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
        if n_tokens == 1 {
            if view.cache.halves(0, 0..0).is_some() {
                scale(queries, HALF_SCALE);
            }
            let seen = view.keys(view.start);
            self.blocks_of_one(team, queries, view.cache, seen.clone())?;
            return out.produce(team, 1, width, forms, |_, _, row| {
                self.join_all(seen.clone(), row);
                finish(0, row);
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

    /// Decode: one token's queries against each block of keys. Threads take blocks as they
    /// get to them; the heads of a group meet each key together.
    fn blocks_of_one(
        &mut self,
        team: &Team,
        q: &[f32],
        cache: &LayerCache,
        seen: Range<usize>,
    ) -> Result<()> {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let blocks = blocks_of(&seen);
        let group = n_heads / n_kv_heads;
        let units = self
            .softmaxes
            .chunks_exact_mut(group)
            .zip(self.weighted.chunks_exact_mut(group * head_dim))
            .enumerate()
            .take(blocks.end * n_kv_heads)
            .skip(blocks.start * n_kv_heads);
        let queue = Mutex::new(units);
        team.run(|tid| {
            let Scratch { keys, values, scores, .. } = &mut *self.scratch.of(tid);
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((unit, (softmaxes, weighted))) = next else { break };
                let (block, kv_head) = (unit / n_kv_heads, unit % n_kv_heads);
                let q = &q[kv_head * group * head_dim..];
                let q = Rows { data: q, stride: head_dim, n: group };
                let positions = block_of(block, seen.end);
                let block = Block::halves(cache, kv_head, positions.clone())
                    .unwrap_or_else(|| Block::new(cache, kv_head, positions, keys, values));
                block.attend(q, &self.shape, |_| seen.clone(), scores, softmaxes, weighted);
            }
        })
    }

    /// Joins the blocks that [`Attention::blocks_of_one`] has left.
    fn join_all(&self, seen: Range<usize>, out: &mut [f32]) {
        let AttentionShape { n_heads, head_dim, .. } = self.shape;
        out.fill(0.0);
        for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
            let mut softmax = EMPTY;
            for block in blocks_of(&seen) {
                let part = block * n_heads + head;
                let weighted = &self.weighted[part * head_dim..][..head_dim];
                softmax.join(self.softmaxes[part], weighted, out);
            }
            scale(out, 1.0 / softmax.sum);
        }
    }

    /// Prefill: some tokens for all heads.
    fn unit(&self, q: &[f32], view: View, tid: usize, out: &mut [f32]) {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let Scratch { keys, values, scores, weighted, softmaxes } = &mut *self.scratch.of(tid);
        let width = n_heads * head_dim;
        let n_tokens = q.len() / width;
        let seen = view.keys(view.start).start..view.start + n_tokens;
        let group = n_heads / n_kv_heads;
        out.fill(0.0);
        softmaxes.fill([EMPTY; MAX_UNIT]);
        for block in blocks_of(&seen) {
            for kv_head in 0..n_kv_heads {
                let positions = block_of(block, seen.end);
                let block = Block::new(view.cache, kv_head, positions, keys, values);
                for head in kv_head * group..(kv_head + 1) * group {
                    let q = Rows { data: &q[head * head_dim..], stride: width, n: n_tokens };
                    let parts = &mut [EMPTY; MAX_UNIT][..n_tokens];
                    let sees = |t| view.keys(view.start + t);
                    block.attend(q, &self.shape, sees, scores, parts, weighted);
                    for (t, part) in parts.iter().enumerate() {
                        let out = &mut out[t * width + head * head_dim..][..head_dim];
                        let weighted = &weighted[t * head_dim..][..head_dim];
                        softmaxes[head][t].join(*part, weighted, out);
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

impl Softmax {
    /// Joins a block of keys to those before it: `out` are their weighted values, each sum
    /// being relative to its own maximum.
    fn join(&mut self, block: Softmax, weighted: &[f32], out: &mut [f32]) {
        if block.sum == 0.0 {
            return; // no key that the token may see
        }
        if block.max <= self.max {
            let now = exp_scalar(block.max - self.max);
            add_scaled(out, weighted, now);
            self.sum += block.sum * now;
        } else {
            let before = exp_scalar(self.max - block.max);
            scale(out, before);
            add_scaled(out, weighted, 1.0);
            *self = Softmax { max: block.max, sum: self.sum * before + block.sum };
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

/// Keys `[panels, head_dim, 8]` and values `[positions, head_dim]` of a head.
struct Block<'a> {
    positions: Range<usize>,
    elements: Elements<'a>,
}

enum Elements<'a> {
    F32(&'a [f32], &'a [f32]),
    F16(&'a [Half], &'a [Half]),
}

impl<'a> Block<'a> {
    /// As f32: for many queries, in `keys` and `values` where they are not kept so.
    fn new(
        cache: &'a LayerCache,
        kv_head: usize,
        positions: Range<usize>,
        keys: &'a mut [f32],
        values: &'a mut [f32],
    ) -> Block<'a> {
        let panels = positions.start / PANEL_ROWS..positions.end.div_ceil(PANEL_ROWS);
        let keys = cache.keys(kv_head, panels, keys);
        let values = cache.values(kv_head, positions.clone(), values);
        Block { positions, elements: Elements::F32(keys, values) }
    }

    /// As halves, where they are kept so: for the few queries of one token, which must be
    /// given times [`HALF_SCALE`].
    fn halves(cache: &'a LayerCache, kv_head: usize, positions: Range<usize>) -> Option<Block<'a>> {
        let (keys, values) = cache.halves(kv_head, positions.clone())?;
        let elements = Elements::F16(Half::from_bits(keys), Half::from_bits(values));
        Some(Block { positions, elements })
    }

    /// Queries against this block; query r sees the positions `seen(r)`. Leaves a softmax and
    /// weighted values for each.
    fn attend(
        &self,
        q: Rows,
        shape: &AttentionShape,
        seen: impl Fn(usize) -> Range<usize>,
        scores: &mut [f32],
        softmaxes: &mut [Softmax],
        weighted: &mut [f32],
    ) {
        let Range { start, end } = self.positions;
        let AttentionShape { head_dim, scores: Scores { cap, .. }, .. } = *shape;
        match self.elements {
            Elements::F32(keys, _) => score_keys(q, keys, head_dim, scores, KEY_BLOCK),
            Elements::F16(keys, _) => score_keys(q, keys, head_dim, scores, KEY_BLOCK),
        }
        let len = (end - start).next_multiple_of(PANEL_ROWS);
        for (r, softmax) in softmaxes.iter_mut().enumerate() {
            let row = &mut scores[r * KEY_BLOCK..][..len];
            let seen = seen(r);
            let (first, n) =
                (seen.start.saturating_sub(start), seen.end.min(end).saturating_sub(start));
            *softmax = if first >= n {
                row.fill(0.0);
                EMPTY
            } else {
                if let Some(cap) = cap {
                    soft_cap(&mut row[first..n], cap);
                }
                row[..first].fill(f32::NEG_INFINITY);
                row[n..].fill(f32::NEG_INFINITY);
                let (max, sum) = softmax_terms(row);
                Softmax { max, sum }
            };
            if let Elements::F16(..) = self.elements {
                scale(row, HALF_SCALE);
            }
        }
        let p = Rows { data: scores, stride: KEY_BLOCK, n: q.n };
        match self.elements {
            Elements::F32(_, values) => weigh_values(p, values, head_dim, weighted, head_dim),
            Elements::F16(_, values) => weigh_values(p, values, head_dim, weighted, head_dim),
        }
    }
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
