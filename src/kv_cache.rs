//! Keys and values of all positions so far, allocated once.

use crate::kernels::PANEL_ROWS;
use crate::{Error, Result};

/// The cache of all layers.
pub(crate) struct KvCache {
    layers: Vec<LayerCache>,
    capacity: usize,
}

/// Keys and values of one layer.
pub(crate) struct LayerCache {
    /// `[n_kv_heads, capacity / 8, head_dim, 8]`: panels of 8 keys, so that a query meets
    /// 8 keys in two vectors.
    keys: Vec<f32>,
    /// `[n_kv_heads, capacity, head_dim]`
    values: Vec<f32>,
    head_dim: usize,
    capacity: usize,
}

impl KvCache {
    /// A cache for `capacity` positions, rounded up to whole panels.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn new(
        n_layers: usize,
        n_kv_heads: usize,
        head_dim: usize,
        capacity: usize,
    ) -> Result<KvCache> {
        let capacity = capacity.next_multiple_of(PANEL_ROWS);
        let len = n_kv_heads * capacity * head_dim;
        let layers = (0..n_layers)
            .map(|_| {
                let (keys, values) = (zeros(len)?, zeros(len)?);
                Ok(LayerCache { keys, values, head_dim, capacity })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(KvCache { layers, capacity })
    }

    /// Bytes that a cache takes.
    pub(crate) fn bytes_for(
        n_layers: usize,
        n_kv_heads: usize,
        head_dim: usize,
        capacity: usize,
    ) -> u64 {
        let positions = capacity.next_multiple_of(PANEL_ROWS) as u64;
        2 * n_layers as u64 * n_kv_heads as u64 * head_dim as u64 * positions * 4
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
        let len = self.capacity * self.head_dim;
        let head_dim = self.head_dim;
        self.keys
            .chunks_exact_mut(len)
            .zip(self.values.chunks_exact_mut(len))
            .map(move |(keys, values)| HeadCache { keys, values, head_dim })
    }

    /// Keys of a head in panels of 8: `[panels, head_dim, 8]`.
    pub(crate) fn keys(&self, head: usize, panels: core::ops::Range<usize>) -> &[f32] {
        let panel = self.head_dim * PANEL_ROWS;
        let start = head * self.capacity * self.head_dim;
        &self.keys[start + panels.start * panel..start + panels.end * panel]
    }

    /// Values of a head: `[positions, head_dim]`.
    pub(crate) fn values(&self, head: usize, positions: core::ops::Range<usize>) -> &[f32] {
        let start = head * self.capacity;
        let (from, to) = (start + positions.start, start + positions.end);
        &self.values[from * self.head_dim..to * self.head_dim]
    }
}

/// One head of one layer.
pub(crate) struct HeadCache<'a> {
    keys: &'a mut [f32],
    values: &'a mut [f32],
    head_dim: usize,
}

impl HeadCache<'_> {
    /// Stores the key and value `[head_dim]` of a position.
    pub(crate) fn store(&mut self, position: usize, key: &[f32], value: &[f32]) {
        let panel = &mut self.keys[position / PANEL_ROWS * PANEL_ROWS * self.head_dim..];
        for (slot, k) in panel.as_chunks_mut::<PANEL_ROWS>().0.iter_mut().zip(key) {
            slot[position % PANEL_ROWS] = *k;
        }
        self.values[position * self.head_dim..][..self.head_dim].copy_from_slice(value);
    }
}

/// Zeroed floats, or an error instead of a trap.
pub(crate) fn zeros(len: usize) -> Result<Vec<f32>> {
    let mut v = Vec::new();
    v.try_reserve_exact(len).map_err(|_| Error::OutOfMemory { needed: len as u64 * 4 })?;
    v.resize(len, 0.0);
    Ok(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_found() {
        let (n_kv_heads, head_dim) = (2, 8);
        let mut cache = KvCache::new(1, n_kv_heads, head_dim, 19).unwrap();
        assert_eq!(cache.capacity(), 24);
        let row = |position: usize, head: usize, i: usize| (position * 100 + head * 10 + i) as f32;
        for position in 0..19 {
            for (h, mut head) in cache.layer_mut(0).heads_mut().enumerate() {
                let key: Vec<f32> = (0..head_dim).map(|i| row(position, h, i)).collect();
                let value: Vec<f32> = key.iter().map(|k| -k).collect();
                head.store(position, &key, &value);
            }
        }
        let layer = cache.layer_mut(0);
        for position in 0..19 {
            for h in 0..n_kv_heads {
                let panel = layer.keys(h, position / 8..position / 8 + 1);
                let value = layer.values(h, position..position + 1);
                for i in 0..head_dim {
                    assert_eq!(panel[i * 8 + position % 8], row(position, h, i));
                    assert_eq!(value[i], -row(position, h, i));
                }
            }
        }
        assert_eq!(KvCache::bytes_for(1, 2, 8, 19), 2 * 2 * 8 * 24 * 4);
    }
}
