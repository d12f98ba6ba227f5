//! Keys and values as bytes and back: what a saved session is made of.

use super::GROUP;
use super::{Elements, KvCache, LayerCache, vectors};
use std::ops::Range;

impl KvCache {
    /// How many layers have keys and values.
    pub(crate) fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// Bytes of a saved layer, the same for each.
    pub(crate) fn layer_bytes(&self, positions: usize) -> usize {
        self.layers.first().map_or(0, |layer| layer.saved_bytes(positions))
    }

    /// Keys and values of one layer at the first `positions`: of each head the keys in whole
    /// groups, then of each head the values as well, with their scales where they have some.
    pub(crate) fn save_layer(&self, layer: usize, positions: usize) -> Vec<u8> {
        let layer = &self.layers[layer];
        let mut bytes = Vec::with_capacity(layer.saved_bytes(positions));
        for (elements, all) in layer.parts(positions) {
            elements.save(all, layer.head_dim, &mut bytes);
        }
        bytes
    }

    /// Takes what [`KvCache::save_layer`] gave for as many positions; false, and nothing
    /// changed, if these are bytes of more or fewer groups, or there is no room.
    pub(crate) fn restore_layer(&mut self, layer: usize, positions: usize, bytes: &[u8]) -> bool {
        let layer = &mut self.layers[layer];
        if positions > layer.capacity || bytes.len() != layer.saved_bytes(positions) {
            return false;
        }
        let (head_dim, capacity) = (layer.head_dim, layer.capacity);
        let mut rest = bytes;
        let whole = 0..positions.next_multiple_of(GROUP);
        for elements in [&mut layer.keys, &mut layer.values] {
            for head in 0..elements.n_vectors(head_dim) / capacity {
                rest = elements.restore(vectors(head, capacity, whole.clone()), head_dim, rest);
            }
        }
        true
    }
}

impl LayerCache {
    /// The vectors to save: keys and values of each head.
    fn parts(&self, positions: usize) -> impl Iterator<Item = (&Elements, Range<usize>)> {
        let whole = positions.next_multiple_of(GROUP);
        [&self.keys, &self.values].into_iter().flat_map(move |elements| {
            let heads = elements.n_vectors(self.head_dim) / self.capacity;
            (0..heads).map(move |head| (elements, vectors(head, self.capacity, 0..whole)))
        })
    }

    fn saved_bytes(&self, positions: usize) -> usize {
        let bytes = |(elements, all): (&Elements, Range<usize>)| {
            all.len() * elements.bytes_of_vector(self.head_dim)
        };
        self.parts(positions).map(bytes).sum()
    }
}

impl Elements {
    fn n_vectors(&self, head_dim: usize) -> usize {
        match self {
            Elements::F32(x) => x.len() / head_dim,
            Elements::F16(x) => x.len() / head_dim,
            Elements::Q8(q, _) => q.len() / head_dim,
        }
    }

    fn bytes_of_vector(&self, head_dim: usize) -> usize {
        match self {
            Elements::F32(_) => size_of::<f32>() * head_dim,
            Elements::F16(_) => size_of::<u16>() * head_dim,
            Elements::Q8(..) => head_dim + size_of::<f32>(),
        }
    }

    fn save(&self, all: Range<usize>, head_dim: usize, out: &mut Vec<u8>) {
        let elements = all.start * head_dim..all.end * head_dim;
        match self {
            Elements::F32(x) => out.extend_from_slice(bytemuck::cast_slice(&x[elements])),
            Elements::F16(x) => out.extend_from_slice(bytemuck::cast_slice(&x[elements])),
            Elements::Q8(q, d) => {
                out.extend_from_slice(&q[elements]);
                out.extend_from_slice(bytemuck::cast_slice(&d[all]));
            }
        }
    }

    /// Returns the bytes behind those that it took, of which there must be enough.
    fn restore<'a>(&mut self, all: Range<usize>, head_dim: usize, bytes: &'a [u8]) -> &'a [u8] {
        let (own, rest) = bytes.split_at(all.len() * self.bytes_of_vector(head_dim));
        let elements = all.start * head_dim..all.end * head_dim;
        match self {
            Elements::F32(x) => bytemuck::cast_slice_mut(&mut x[elements]).copy_from_slice(own),
            Elements::F16(x) => bytemuck::cast_slice_mut(&mut x[elements]).copy_from_slice(own),
            Elements::Q8(q, d) => {
                let (integers, scales) = own.split_at(elements.len());
                q[elements].copy_from_slice(integers);
                bytemuck::cast_slice_mut(&mut d[all]).copy_from_slice(scales);
            }
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv_cache::KvType;

    fn filled(kind: KvType, capacity: usize, positions: usize) -> KvCache {
        let mut cache = KvCache::new(kind, 2, 3, 8, capacity).unwrap();
        for layer in 0..2 {
            for position in 0..positions {
                for (h, mut head) in cache.layer_mut(layer).heads_mut().enumerate() {
                    let value = (layer * 1000 + position * 10 + h) as f32;
                    head.store(position, &[value; 8], &[-value; 8]);
                }
            }
        }
        cache
    }

    #[test]
    fn what_was_saved_is_restored_into_a_cache_of_another_size() {
        for kind in [KvType::F32, KvType::F16, KvType::Q8] {
            for positions in [0, 1, 8, 61, 64, 65] {
                let from = filled(kind, 90, positions);
                let mut to = filled(kind, 140, 0);
                for layer in 0..from.n_layers() {
                    let bytes = from.save_layer(layer, positions);
                    assert_eq!(bytes.len(), to.layer_bytes(positions));
                    assert!(to.restore_layer(layer, positions, &bytes));
                    assert_eq!(to.save_layer(layer, positions), bytes, "{kind:?} {positions}");
                    assert!(!to.restore_layer(layer, positions + GROUP, &bytes));
                    assert!(!to.restore_layer(layer, 193, &bytes));
                }
            }
        }
    }
}
