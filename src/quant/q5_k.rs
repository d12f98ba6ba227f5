//! Q5_K: as Q4_K, with 32 bytes of fifth bits (bit i of byte l: column l of block i) before
//! the nibbles.

use super::affine::Block;
use super::q4_k::scale_and_min;

pub(super) const BYTES: usize = 2 + 2 + 12 + 32 + 128;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<1> {
    let (high, nibbles) = bytes[16..].split_at(32);
    let nibbles = &nibbles[i / 2 * 32..];
    let q = core::array::from_fn(|l| nibbles[l] >> (i % 2 * 4) & 15 | (high[l] >> i & 1) << 4);
    Block { q, scales: [scale_and_min(bytes, i)] }
}
