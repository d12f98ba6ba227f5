//! Keys and values of all positions so far, allocated once.

mod element;
mod recurrent;
mod snapshot;

pub use element::KvType;
pub(crate) use recurrent::Recurrent;

use crate::kernels::PANEL_ROWS;
use crate::{Error, Result, memory};
use bytemuck::Zeroable;
use element::{from_f16, q8_scale, to_f16, to_q8};
use std::ops::Range;

/// The cache of all layers.
pub(crate) struct KvCache {
    layers: Vec<LayerCache>,
    capacity: usize,
}

/// Keys and values of one layer.
pub(crate) struct LayerCache {
    /// `[n_kv_heads, capacity / 8, head_dim, 8]`: panels of 8 keys, so that a query meets
    /// 8 keys in two vectors.
    keys: Elements,
    /// `[n_kv_heads, capacity, head_dim]`
    values: Elements,
    head_dim: usize,
    capacity: usize,
}

/// What is kept of all heads' keys, or values.
enum Elements {
    F32(Vec<f32>),
    F16(Vec<u16>),
    /// Integers, and the scale of each head's vector: `[n_kv_heads, capacity]`.
    Q8(Vec<i8>, Vec<f32>),
}

impl KvCache {
    /// A cache for `capacity` positions, rounded up to whole panels.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn new(
        kind: KvType,
        n_layers: usize,
        n_kv_heads: usize,
        head_dim: usize,
        capacity: usize,
    ) -> Result<KvCache> {
        let capacity = capacity.next_multiple_of(PANEL_ROWS);
        let vectors = n_kv_heads * capacity;
        let elements = || {
            Ok(match kind {
                KvType::F32 => Elements::F32(filled(vectors * head_dim)?),
                KvType::F16 => Elements::F16(filled(vectors * head_dim)?),
                KvType::Q8 => Elements::Q8(filled(vectors * head_dim)?, filled(vectors)?),
            })
        };
        let layers = (0..n_layers)
            .map(|_| Ok(LayerCache { keys: elements()?, values: elements()?, head_dim, capacity }))
            .collect::<Result<Vec<_>>>()?;
        Ok(KvCache { layers, capacity })
    }

    /// Bytes that a cache takes.
    pub(crate) fn bytes_for(
        kind: KvType,
        n_layers: usize,
        n_kv_heads: usize,
        head_dim: usize,
        capacity: usize,
    ) -> u64 {
        let positions = capacity.next_multiple_of(PANEL_ROWS) as u64;
        [n_layers, n_kv_heads, kind.bytes(head_dim)]
            .iter()
            .fold(2 * positions, |bytes, n| bytes.saturating_mul(*n as u64))
    }

    /// Positions there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// One layer, to write.
    pub(crate) fn layer_mut(&mut self, i: usize) -> &mut LayerCache {
        &mut self.layers[i]
    }
}

impl LayerCache {
    /// The heads, each with its own memory: for threads that store side by side.
    pub(crate) fn heads_mut(&mut self) -> impl Iterator<Item = HeadCache<'_>> {
        let (head_dim, capacity) = (self.head_dim, self.capacity);
        self.keys
            .heads_mut(capacity, head_dim)
            .zip(self.values.heads_mut(capacity, head_dim))
            .map(move |(keys, values)| HeadCache { keys, values, head_dim })
    }

    /// Keys of a head in panels of 8, `[panels, head_dim, 8]`, as f32: as they are kept, or
    /// in `scratch`.
    pub(crate) fn keys<'a>(
        &'a self,
        head: usize,
        panels: Range<usize>,
        scratch: &'a mut [f32],
    ) -> &'a [f32] {
        let vectors =
            vectors(head, self.capacity, panels.start * PANEL_ROWS..panels.end * PANEL_ROWS);
        let scale = |q: &[i8], d: &[f32], out: &mut [f32]| {
            let panel = self.head_dim * PANEL_ROWS;
            let d = d.as_chunks::<PANEL_ROWS>().0;
            for ((q, out), d) in q.chunks_exact(panel).zip(out.chunks_exact_mut(panel)).zip(d) {
                let out = out.as_chunks_mut::<PANEL_ROWS>().0;
                for (q, out) in q.as_chunks::<PANEL_ROWS>().0.iter().zip(out) {
                    *out = core::array::from_fn(|i| q[i] as f32 * d[i]);
                }
            }
        };
        self.keys.as_f32(vectors, self.head_dim, scratch, scale)
    }

    /// Keys and values of a head as halves, where they are kept so: `[panels, head_dim, 8]`
    /// and `[positions, head_dim]`.
    pub(crate) fn halves(&self, head: usize, positions: Range<usize>) -> Option<(&[u16], &[u16])> {
        let (Elements::F16(keys), Elements::F16(values)) = (&self.keys, &self.values) else {
            return None;
        };
        let of = |x: Range<usize>| x.start * self.head_dim..x.end * self.head_dim;
        let whole = positions.start..positions.end.next_multiple_of(PANEL_ROWS);
        Some((
            &keys[of(vectors(head, self.capacity, whole))],
            &values[of(vectors(head, self.capacity, positions))],
        ))
    }

    /// Values of a head, `[positions, head_dim]`, as f32: as they are kept, or in `scratch`.
    pub(crate) fn values<'a>(
        &'a self,
        head: usize,
        positions: Range<usize>,
        scratch: &'a mut [f32],
    ) -> &'a [f32] {
        let vectors = vectors(head, self.capacity, positions);
        let scale = |q: &[i8], d: &[f32], out: &mut [f32]| {
            let rows = q.chunks_exact(self.head_dim).zip(out.chunks_exact_mut(self.head_dim));
            for ((q, out), d) in rows.zip(d) {
                for (q, out) in q.iter().zip(out) {
                    *out = *q as f32 * d;
                }
            }
        };
        self.values.as_f32(vectors, self.head_dim, scratch, scale)
    }
}

/// The vectors of a head's positions, among those of all heads.
fn vectors(head: usize, capacity: usize, positions: Range<usize>) -> Range<usize> {
    head * capacity + positions.start..head * capacity + positions.end
}

impl Elements {
    fn heads_mut(
        &mut self,
        capacity: usize,
        head_dim: usize,
    ) -> Box<dyn Iterator<Item = HeadElements<'_>> + Send + '_> {
        let len = capacity * head_dim;
        match self {
            Elements::F32(x) => Box::new(x.chunks_exact_mut(len).map(HeadElements::F32)),
            Elements::F16(x) => Box::new(x.chunks_exact_mut(len).map(HeadElements::F16)),
            Elements::Q8(q, d) => {
                let heads = q.chunks_exact_mut(len).zip(d.chunks_exact_mut(capacity));
                Box::new(heads.map(|(q, d)| HeadElements::Q8(q, d)))
            }
        }
    }

    /// Some vectors as f32; `scale` makes them of 8-bit ones.
    fn as_f32<'a>(
        &'a self,
        vectors: Range<usize>,
        head_dim: usize,
        scratch: &'a mut [f32],
        scale: impl Fn(&[i8], &[f32], &mut [f32]),
    ) -> &'a [f32] {
        let all = vectors.start * head_dim..vectors.end * head_dim;
        match self {
            Elements::F32(x) => &x[all],
            Elements::F16(x) => {
                let scratch = &mut scratch[..all.len()];
                for (out, h) in scratch.iter_mut().zip(&x[all]) {
                    *out = from_f16(*h);
                }
                scratch
            }
            Elements::Q8(q, d) => {
                let scratch = &mut scratch[..all.len()];
                scale(&q[all], &d[vectors], scratch);
                scratch
            }
        }
    }
}

/// One head of one layer.
pub(crate) struct HeadCache<'a> {
    keys: HeadElements<'a>,
    values: HeadElements<'a>,
    head_dim: usize,
}

enum HeadElements<'a> {
    F32(&'a mut [f32]),
    F16(&'a mut [u16]),
    Q8(&'a mut [i8], &'a mut [f32]),
}

impl HeadCache<'_> {
    /// Stores the key and value `[head_dim]` of a position.
    pub(crate) fn store(&mut self, position: usize, key: &[f32], value: &[f32]) {
        let panel = position / PANEL_ROWS * PANEL_ROWS * self.head_dim;
        self.keys.put(panel + position % PANEL_ROWS, PANEL_ROWS, position, key);
        self.values.put(position * self.head_dim, 1, position, value);
    }
}

impl HeadElements<'_> {
    /// Puts the vector of a position at `start`, `start + step` …
    fn put(&mut self, start: usize, step: usize, position: usize, vector: &[f32]) {
        match self {
            HeadElements::F32(out) => {
                for (out, x) in out[start..].iter_mut().step_by(step).zip(vector) {
                    *out = *x;
                }
            }
            HeadElements::F16(out) => {
                for (out, x) in out[start..].iter_mut().step_by(step).zip(vector) {
                    *out = to_f16(*x);
                }
            }
            HeadElements::Q8(out, scales) => {
                let d = q8_scale(vector);
                scales[position] = d;
                for (out, x) in out[start..].iter_mut().step_by(step).zip(vector) {
                    *out = to_q8(*x, d);
                }
            }
        }
    }
}

/// Zeroed floats, or an error instead of a trap.
pub(crate) fn zeros(len: usize) -> Result<Vec<f32>> {
    filled(len)
}

fn filled<T: Zeroable>(len: usize) -> Result<Vec<T>> {
    let needed = (len * size_of::<T>()) as u64;
    memory::zeroed(len).ok_or(Error::OutOfMemory { needed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_found() {
        for (kind, error) in [(KvType::F32, 0.0), (KvType::F16, 5e-4), (KvType::Q8, 4e-3)] {
            let (n_kv_heads, head_dim) = (2, 8);
            let mut cache = KvCache::new(kind, 1, n_kv_heads, head_dim, 19).unwrap();
            assert_eq!(cache.capacity(), 24);
            let row =
                |position: usize, head: usize, i: usize| (position * 100 + head * 10 + i) as f32;
            for position in 0..19 {
                for (h, mut head) in cache.layer_mut(0).heads_mut().enumerate() {
                    let key: Vec<f32> = (0..head_dim).map(|i| row(position, h, i)).collect();
                    let value: Vec<f32> = key.iter().map(|k| -k).collect();
                    head.store(position, &key, &value);
                }
            }
            let layer = cache.layer_mut(0);
            let (mut key_scratch, mut value_scratch) = ([0.0; 64], [0.0; 8]);
            for position in 0..19 {
                for h in 0..n_kv_heads {
                    let panel = layer.keys(h, position / 8..position / 8 + 1, &mut key_scratch);
                    let value = layer.values(h, position..position + 1, &mut value_scratch);
                    let largest = row(position, h, head_dim - 1);
                    for i in 0..head_dim {
                        let exact = row(position, h, i);
                        let key = panel[i * 8 + position % 8];
                        assert!((key - exact).abs() <= error * largest, "{kind:?}");
                        assert!((value[i] + exact).abs() <= error * largest, "{kind:?}");
                    }
                }
            }
        }
        assert_eq!(KvCache::bytes_for(KvType::F32, 1, 2, 8, 19), 2 * 2 * 8 * 24 * 4);
        assert_eq!(KvCache::bytes_for(KvType::F16, 1, 2, 8, 19), 2 * 2 * 8 * 24 * 2);
        assert_eq!(KvCache::bytes_for(KvType::Q8, 1, 2, 8, 19), 2 * 2 * (8 + 4) * 24);
    }
}
