//! One block of keys: some queries against it, each with a softmax of its own.

use super::AttentionShape;
use crate::Result;
use crate::kernels::{
    Best, ByteQueries, ByteScale, ByteTerms, Exp, HALF_SCALE, PANEL_ROWS, Rows, VALUE_GROUP,
    add_scaled, quantise_query, quantise_terms, scale, score_bytes, score_keys, soft_cap,
    softmax_terms, weigh_bytes, weigh_values,
};
use crate::kv_cache::{KeysValues, copies, filled, zeros};
use std::ops::Range;

/// Positions of a block of keys: their keys and values stay in a core's cache while several
/// heads and tokens meet them.
pub(super) const KEY_BLOCK: usize = 128;
const _: () =
    assert!(KEY_BLOCK.is_multiple_of(PANEL_ROWS) && KEY_BLOCK.is_multiple_of(VALUE_GROUP));

/// Queries `[vectors, head_dim]`, also as integers where the cache has 8 bits.
#[derive(Clone, Copy)]
pub(super) struct Queries<'a> {
    pub(super) rows: &'a [f32],
    pub(super) bytes: &'a QuantisedQueries,
    pub(super) head_dim: usize,
}

/// Some of them: `n` vectors from `first` on, `step` apart.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) queries: Queries<'a>,
    pub(super) first: usize,
    pub(super) step: usize,
    pub(super) n: usize,
}

impl<'a> Chosen<'a> {
    fn rows(&self) -> Rows<'a> {
        let Queries { rows, head_dim, .. } = self.queries;
        Rows { data: &rows[self.first * head_dim..], stride: self.step * head_dim, n: self.n }
    }

    fn bytes(&self) -> ByteQueries<'a> {
        let Chosen { queries: Queries { bytes, head_dim, .. }, first, step, n } = *self;
        let QuantisedQueries { bytes, scales } = bytes;
        ByteQueries { bytes: &bytes[first * head_dim..], scales: &scales[first..], step, n }
    }
}

/// Queries as integers.
pub(super) struct QuantisedQueries {
    /// `[vectors, head_dim]`
    bytes: Vec<i8>,
    /// `[vectors]`
    scales: Vec<ByteScale>,
}

impl QuantisedQueries {
    pub(super) fn new(vectors: usize, head_dim: usize) -> Result<QuantisedQueries> {
        let bytes = filled(vectors * head_dim)?;
        Ok(QuantisedQueries { bytes, scales: copies(ByteScale::default(), vectors)? })
    }

    /// Takes these queries.
    pub(super) fn fill(&mut self, queries: &[f32], head_dim: usize) {
        let vectors = queries.chunks_exact(head_dim).zip(self.bytes.chunks_exact_mut(head_dim));
        for ((x, q), scale) in vectors.zip(&mut self.scales) {
            *scale = quantise_query::<Best>(x, q);
        }
    }
}

/// A softmax over some keys: the largest score, and the sum of the terms relative to it.
#[derive(Clone, Copy)]
pub(super) struct Softmax {
    max: f32,
    pub(super) sum: f32,
}

impl Softmax {
    /// Over no keys.
    pub(super) const EMPTY: Softmax = Softmax { max: f32::NEG_INFINITY, sum: 0.0 };

    /// Joins a block of keys to those before it: `out` are their weighted values, each sum
    /// being relative to its own maximum.
    pub(super) fn join(&mut self, exp: &Exp, block: Softmax, weighted: &[f32], out: &mut [f32]) {
        if block.sum == 0.0 {
            return; // no key that the token may see
        }
        if block.max <= self.max {
            let now = exp.of_scalar(block.max - self.max);
            add_scaled(out, weighted, now);
            self.sum += block.sum * now;
        } else {
            let before = exp.of_scalar(self.max - block.max);
            scale(out, before);
            add_scaled(out, weighted, 1.0);
            *self = Softmax { max: block.max, sum: self.sum * before + block.sum };
        }
    }
}

/// Scores of some queries with a block, and what becomes of them.
pub(super) struct Terms {
    /// `[rows, KEY_BLOCK]`
    scores: Vec<f32>,
    /// The same as integers, and the scales of their groups.
    bytes: Vec<i8>,
    scales: Vec<f32>,
}

impl Terms {
    pub(super) fn new(rows: usize) -> Result<Terms> {
        Ok(Terms {
            scores: zeros(rows * KEY_BLOCK)?,
            bytes: filled(rows * KEY_BLOCK)?,
            scales: zeros(rows * KEY_BLOCK / VALUE_GROUP)?,
        })
    }
}

/// A block of keys and values.
pub(super) struct Block<'a> {
    /// From the first of a group of values on.
    pub(super) positions: Range<usize>,
    /// Halves meet queries that were given times [`HALF_SCALE`].
    pub(super) elements: KeysValues<'a>,
}

impl Block<'_> {
    /// Queries against this block; the r-th sees the positions `seen(r)`. Leaves a softmax and
    /// weighted values `[head_dim]` for each.
    pub(super) fn attend(
        &self,
        chosen: Chosen,
        shape: &AttentionShape,
        seen: impl Fn(usize) -> Range<usize>,
        terms: &mut Terms,
        softmaxes: &mut [Softmax],
        weighted: &mut [f32],
    ) {
        let head_dim = shape.head_dim;
        let Terms { scores, bytes, scales } = terms;
        match self.elements {
            KeysValues::F32(keys, _) => {
                score_keys(chosen.rows(), keys, head_dim, scores, KEY_BLOCK);
            }
            KeysValues::F16(keys, _) => {
                score_keys(chosen.rows(), keys, head_dim, scores, KEY_BLOCK);
            }
            KeysValues::Q8(keys, _) => {
                score_bytes::<Best>(chosen.bytes(), keys, head_dim, scores, KEY_BLOCK);
            }
        }
        let len = self.positions.len().next_multiple_of(PANEL_ROWS);
        let mut bytes = ByteTerms { bytes, scales, stride: KEY_BLOCK };
        for (r, softmax) in softmaxes.iter_mut().enumerate() {
            let row = &mut scores[r * KEY_BLOCK..][..len];
            *softmax = self.softmax(seen(r), shape.scores.cap, row);
            match self.elements {
                KeysValues::F32(..) => {}
                KeysValues::F16(..) => scale(row, HALF_SCALE),
                KeysValues::Q8(_, values) => {
                    quantise_terms::<Best>(row, values.scales, r, &mut bytes);
                }
            }
        }
        let p = Rows { data: scores, stride: KEY_BLOCK, n: chosen.n };
        match self.elements {
            KeysValues::F32(_, values) => weigh_values(p, values, head_dim, weighted, head_dim),
            KeysValues::F16(_, values) => weigh_values(p, values, head_dim, weighted, head_dim),
            KeysValues::Q8(_, values) => {
                weigh_bytes::<Best>(&bytes, chosen.n, values.bytes, head_dim, weighted);
            }
        }
    }

    /// Makes scores the terms of a softmax over the positions that are seen.
    fn softmax(&self, seen: Range<usize>, cap: Option<f32>, row: &mut [f32]) -> Softmax {
        let Range { start, end } = self.positions;
        let first = seen.start.saturating_sub(start);
        let n = seen.end.min(end).saturating_sub(start);
        if first >= n {
            row.fill(0.0);
            return Softmax::EMPTY;
        }
        if let Some(cap) = cap {
            soft_cap(&mut row[first..n], cap);
        }
        row[..first].fill(f32::NEG_INFINITY);
        row[n..].fill(f32::NEG_INFINITY);
        let (max, sum) = softmax_terms(row);
        Softmax { max, sum }
    }
}
