//! Causal grouped-query attention (Vaswani et al., 2017; Ainslie et al., 2023) over the
//! KV cache: softmax(q·Kᵀ / √head_dim)·V.

use super::activations::{Activations, Forms};
use crate::Result;
use crate::kernels::{
    PANEL_ROWS, PANEL_TOKENS, Rows, add_scaled, scale, score_keys, softmax_terms, weigh_values,
};
use crate::kv_cache::LayerCache;
use crate::team::{MAX_THREADS, PerThread, Team, share};
use std::sync::{Mutex, PoisonError};

/// The shape of attention, and its scratch.
pub(crate) struct Attention {
    n_heads: usize,
    n_kv_heads: usize,
    head_dim: usize,
    scratch: PerThread<Scratch>,
}

/// What one thread needs.
struct Scratch {
    /// `[rows, stride]`: a row for each query that meets the same keys.
    scores: Vec<f32>,
    /// Positions in whole panels.
    stride: usize,
    /// Of the thread's keys alone: for each head the largest score and the sum of the
    /// softmax's terms, and the weighted values `[n_heads, head_dim]`.
    max_and_sum: Vec<(f32, f32)>,
    weighted: Vec<f32>,
}

impl Attention {
    /// `capacity` is that of the cache.
    pub(crate) fn new(
        n_heads: usize,
        n_kv_heads: usize,
        head_dim: usize,
        capacity: usize,
        n_threads: usize,
    ) -> Attention {
        let stride = capacity.next_multiple_of(PANEL_ROWS);
        let rows = PANEL_TOKENS.max(n_heads / n_kv_heads);
        let scratch = PerThread::new(n_threads, || Scratch {
            scores: vec![0.0; rows * stride],
            stride,
            max_and_sum: vec![(0.0, 0.0); n_heads],
            weighted: vec![0.0; n_heads * head_dim],
        });
        Attention { n_heads, n_kv_heads, head_dim, scratch }
    }

    /// Attends from queries `[n_tokens, n_heads, head_dim]`, the first at position
    /// `start`, to all positions up to their own, and leaves the result in `out`.
    pub(crate) fn run(
        &self,
        team: &Team,
        queries: &mut [f32],
        cache: &LayerCache,
        start: usize,
        forms: Forms,
        out: &mut Activations,
    ) -> Result<()> {
        let width = self.n_heads * self.head_dim;
        let n_tokens = queries.len() / width;
        // Scaling the queries is cheaper than scaling the scores.
        scale(queries, 1.0 / (self.head_dim as f32).sqrt());
        let queries = &*queries;
        if n_tokens == 1 {
            team.run(|tid| self.part_of_keys(queries, cache, start + 1, tid, team.len()))?;
            return out.produce(team, 1, width, forms, |_, _, row| self.merge(team.len(), row));
        }
        out.produce(team, n_tokens, width, forms, |tid, t, rows| {
            self.panel(&queries[t * width..][..rows.len()], cache, start + t, tid, rows);
        })
    }

    /// Decode: one token's queries against the keys that are this thread's share, for all
    /// heads. The heads of a group meet each key together.
    fn part_of_keys(&self, q: &[f32], cache: &LayerCache, n_keys: usize, tid: usize, n: usize) {
        let scratch = &mut *self.scratch.of(tid);
        let group = self.n_heads / self.n_kv_heads;
        let panels = share(n_keys.div_ceil(PANEL_ROWS), 1, tid, n);
        let first = panels.start * PANEL_ROWS;
        let keys = n_keys.min(panels.end * PANEL_ROWS).saturating_sub(first);
        for kv_head in 0..self.n_kv_heads {
            let heads = kv_head * group..(kv_head + 1) * group;
            let weighted = &mut scratch.weighted[heads.start * self.head_dim..];
            if keys == 0 {
                scratch.max_and_sum[heads].fill((f32::NEG_INFINITY, 0.0));
                weighted[..group * self.head_dim].fill(0.0);
                continue;
            }
            let stride = scratch.stride;
            let q =
                Rows { data: &q[heads.start * self.head_dim..], stride: self.head_dim, n: group };
            let panel_keys = cache.keys(kv_head, panels.clone());
            score_keys(q, panel_keys, self.head_dim, &mut scratch.scores, stride);
            for (r, head) in heads.enumerate() {
                let row = &mut scratch.scores[r * stride..][..panels.len() * PANEL_ROWS];
                row[keys..].fill(f32::NEG_INFINITY);
                scratch.max_and_sum[head] = softmax_terms(row);
            }
            let p = Rows { data: &scratch.scores, stride, n: group };
            let values = cache.values(kv_head, first..first + keys);
            weigh_values(p, values, self.head_dim, weighted, self.head_dim);
        }
    }

    /// Joins the threads' parts of a softmax: each was taken relative to its own maximum.
    fn merge(&self, n_threads: usize, out: &mut [f32]) {
        let parts: [_; MAX_THREADS] =
            core::array::from_fn(|tid| (tid < n_threads).then(|| self.scratch.of(tid)));
        out.fill(0.0);
        for (head, out) in out.chunks_exact_mut(self.head_dim).enumerate() {
            let parts = || parts.iter().flatten().map(|p| (p.max_and_sum[head], &p.weighted));
            let max = parts().fold(f32::NEG_INFINITY, |m, ((own_max, _), _)| m.max(own_max));
            let sum: f32 = parts().map(|((own_max, sum), _)| (own_max - max).exp() * sum).sum();
            for ((own_max, _), weighted) in parts() {
                let weighted = &weighted[head * self.head_dim..][..self.head_dim];
                add_scaled(out, weighted, (own_max - max).exp() / sum);
            }
        }
    }

    /// Prefill: up to four tokens, from position `start` on, for all heads.
    fn panel(&self, q: &[f32], cache: &LayerCache, start: usize, tid: usize, out: &mut [f32]) {
        let scratch = &mut *self.scratch.of(tid);
        let width = self.n_heads * self.head_dim;
        let group = self.n_heads / self.n_kv_heads;
        let n_tokens = q.len() / width;
        let n_keys = start + n_tokens;
        let n_panels = n_keys.div_ceil(PANEL_ROWS);
        let stride = scratch.stride;
        for head in 0..self.n_heads {
            let q = Rows { data: &q[head * self.head_dim..], stride: width, n: n_tokens };
            let keys = cache.keys(head / group, 0..n_panels);
            score_keys(q, keys, self.head_dim, &mut scratch.scores, stride);
            let mut sums = [0.0; PANEL_TOKENS];
            for (t, sum) in sums[..n_tokens].iter_mut().enumerate() {
                let row = &mut scratch.scores[t * stride..][..n_panels * PANEL_ROWS];
                row[start + t + 1..].fill(f32::NEG_INFINITY);
                *sum = softmax_terms(row).1;
            }
            let p = Rows { data: &scratch.scores, stride, n: n_tokens };
            let values = cache.values(head / group, 0..n_keys);
            weigh_values(p, values, self.head_dim, &mut out[head * self.head_dim..], width);
            for (t, sum) in sums[..n_tokens].iter().enumerate() {
                scale(&mut out[t * width + head * self.head_dim..][..self.head_dim], 1.0 / sum);
            }
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
