//! Keys and values of all positions so far, allocated once.

mod element;
mod recurrent;
mod snapshot;

pub use element::KvType;
pub(crate) use recurrent::Recurrent;

use crate::kernels::{Best, ByteVectors, Half, PANEL_ROWS, VALUE_GROUP, put_key, put_value};
use crate::{Error, Result, memory};
use bytemuck::Zeroable;
use element::{from_f16, to_f16};
use std::ops::Range;

/// Positions come in so many: whole panels of keys, whole groups of values.
const GROUP: usize = VALUE_GROUP;
const _: () = assert!(GROUP.is_multiple_of(PANEL_ROWS));

/// The cache of all layers.
pub(crate) struct KvCache {
    layers: Vec<LayerCache>,
    capacity: usize,
}

/// Keys and values of one layer.
pub(crate) struct LayerCache {
    /// `[n_kv_heads, capacity / 8, head_dim, 8]`: panels of 8 keys, so that a query meets
    /// 8 keys in two vectors. Of 8 bits, four columns of a key lie side by side.
    keys: Elements,
    /// `[n_kv_heads, capacity, head_dim]`; of 8 bits, four positions lie side by side, in
    /// groups.
    values: Elements,
    head_dim: usize,
    capacity: usize,
}

/// What is kept of all heads' keys, or values.
enum Elements {
    F32(Vec<f32>),
    F16(Vec<u16>),
    /// Integers as the kernels have them, and the scale of each head's vector:
    /// `[n_kv_heads, capacity]`.
    Q8(Vec<u8>, Vec<f32>),
}

impl KvCache {
    /// A cache for `capacity` positions, rounded up to whole groups.
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
        let capacity = capacity.next_multiple_of(GROUP);
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
        let positions = capacity.next_multiple_of(GROUP) as u64;
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

    /// How keys and values are kept.
    pub(crate) fn kv_type(&self) -> KvType {
        match self.keys {
            Elements::F32(_) => KvType::F32,
            Elements::F16(_) => KvType::F16,
            Elements::Q8(..) => KvType::Q8,
        }
    }

    /// Keys and values of a head, from the first position of a group of values on.
    pub(crate) fn block(&self, head: usize, positions: Range<usize>) -> KeysValues<'_> {
        let whole = positions.start..positions.end.next_multiple_of(PANEL_ROWS);
        let groups = positions.start..positions.end.next_multiple_of(GROUP);
        let [whole, groups, exact] =
            [whole, groups, positions].map(|positions| vectors(head, self.capacity, positions));
        let of = |x: &Range<usize>| x.start * self.head_dim..x.end * self.head_dim;
        match (&self.keys, &self.values) {
            (Elements::F32(keys), Elements::F32(values)) => {
                KeysValues::F32(&keys[of(&whole)], &values[of(&exact)])
            }
            (Elements::F16(keys), Elements::F16(values)) => KeysValues::F16(
                Half::from_bits(&keys[of(&whole)]),
                Half::from_bits(&values[of(&exact)]),
            ),
            (Elements::Q8(keys, key_scales), Elements::Q8(values, value_scales)) => KeysValues::Q8(
                ByteVectors { bytes: &keys[of(&whole)], scales: &key_scales[whole.clone()] },
                ByteVectors {
                    bytes: bytemuck::cast_slice(&values[of(&groups)]),
                    scales: &value_scales[groups],
                },
            ),
            _ => unreachable!("keys and values are of one type"),
        }
    }
}

/// Keys in panels of 8, `[panels, head_dim, 8]`, and values, `[positions, head_dim]`, of a
/// head; those of 8 bits in whole panels and as their kernels read them.
#[derive(Clone, Copy)]
pub(crate) enum KeysValues<'a> {
    /// As they are.
    F32(&'a [f32], &'a [f32]),
    /// As halves.
    F16(&'a [Half], &'a [Half]),
    /// As integers.
    Q8(ByteVectors<'a, u8>, ByteVectors<'a, i8>),
}

impl<'a> KeysValues<'a> {
    /// Halves as f32, written to `keys` and `values`; others as they are.
    pub(crate) fn widened(self, keys: &'a mut [f32], values: &'a mut [f32]) -> KeysValues<'a> {
        let KeysValues::F16(half_keys, half_values) = self else { return self };
        let widen = |halves: &[Half], out: &'a mut [f32]| {
            let out = &mut out[..halves.len()];
            for (out, half) in out.iter_mut().zip(halves) {
                *out = from_f16(half.to_bits());
            }
            &*out
        };
        KeysValues::F32(widen(half_keys, keys), widen(half_values, values))
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
    Q8(&'a mut [u8], &'a mut [f32]),
}

impl HeadCache<'_> {
    /// Stores the key and value `[head_dim]` of a position.
    pub(crate) fn store(&mut self, position: usize, key: &[f32], value: &[f32]) {
        let panel = position / PANEL_ROWS * PANEL_ROWS * self.head_dim;
        match &mut self.keys {
            HeadElements::F32(out) => {
                copy(&mut out[panel + position % PANEL_ROWS..], PANEL_ROWS, key, |x| x);
            }
            HeadElements::F16(out) => {
                copy(&mut out[panel + position % PANEL_ROWS..], PANEL_ROWS, key, to_f16);
            }
            HeadElements::Q8(out, scales) => scales[position] = put_key::<Best>(key, position, out),
        }
        let row = position * self.head_dim;
        match &mut self.values {
            HeadElements::F32(out) => copy(&mut out[row..], 1, value, |x| x),
            HeadElements::F16(out) => copy(&mut out[row..], 1, value, to_f16),
            HeadElements::Q8(out, scales) => {
                scales[position] =
                    put_value::<Best>(value, position, bytemuck::cast_slice_mut(out));
            }
        }
    }
}

/// Puts a vector at `out[0]`, `out[step]` …
fn copy<T>(out: &mut [T], step: usize, vector: &[f32], as_kept: impl Fn(f32) -> T) {
    for (out, x) in out.iter_mut().step_by(step).zip(vector) {
        *out = as_kept(*x);
    }
}

/// Zeroed floats, or an error instead of a trap.
pub(crate) fn zeros(len: usize) -> Result<Vec<f32>> {
    filled(len)
}

/// The same of any type that zeros are a value of.
pub(crate) fn filled<T: Zeroable>(len: usize) -> Result<Vec<T>> {
    memory::zeroed(len).ok_or(full::<T>(len))
}

/// Room for `len` values, or an error instead of a trap.
pub(crate) fn room<T>(len: usize) -> Result<Vec<T>> {
    let mut room = Vec::new();
    room.try_reserve_exact(len).map_err(|_| full::<T>(len))?;
    Ok(room)
}

/// `value`, `len` times, or an error instead of a trap.
pub(crate) fn copies<T: Clone>(value: T, len: usize) -> Result<Vec<T>> {
    let mut copies = room(len)?;
    copies.resize(len, value);
    Ok(copies)
}

fn full<T>(len: usize) -> Error {
    Error::OutOfMemory { needed: len as u64 * size_of::<T>() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_found() {
        for (kind, error) in [(KvType::F32, 0.0), (KvType::F16, 5e-4), (KvType::Q8, 4e-3)] {
            let (n_kv_heads, head_dim) = (2, 8);
            let mut cache = KvCache::new(kind, 1, n_kv_heads, head_dim, 19).unwrap();
            assert_eq!(cache.capacity(), 32);
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
            let (mut keys, mut values) = ([0.0; 256], [0.0; 256]);
            for position in 0..19 {
                for h in 0..n_kv_heads {
                    let block = layer.block(h, 0..position + 1);
                    let (panel, in_panel) = (position / 8 * 64, position % 8);
                    let largest = row(position, h, head_dim - 1);
                    for i in 0..head_dim {
                        let exact = row(position, h, i);
                        let (key, value) = match block.widened(&mut keys, &mut values) {
                            KeysValues::F32(keys, values) => {
                                (keys[panel + i * 8 + in_panel], values[position * head_dim + i])
                            }
                            KeysValues::Q8(keys, values) => {
                                let at = panel + i / 4 * 32 + 4 * in_panel + i % 4;
                                let key = keys.bytes[at] as f32 - 128.0;
                                let at = position / 4 * 32 + 4 * i + position % 4;
                                let value = values.bytes[at] as f32;
                                (key * keys.scales[position], value * values.scales[position])
                            }
                            KeysValues::F16(..) => unreachable!("widened"),
                        };
                        assert!((key - exact).abs() <= error * largest, "{kind:?}");
                        assert!((value + exact).abs() <= error * largest, "{kind:?}");
                    }
                }
            }
        }
        assert_eq!(KvCache::bytes_for(KvType::F32, 1, 2, 8, 19), 2 * 2 * 8 * 32 * 4);
        assert_eq!(KvCache::bytes_for(KvType::F16, 1, 2, 8, 19), 2 * 2 * 8 * 32 * 2);
        assert_eq!(KvCache::bytes_for(KvType::Q8, 1, 2, 8, 19), 2 * 2 * (8 + 4) * 32);
    }
}
