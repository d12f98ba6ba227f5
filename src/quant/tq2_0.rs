//! TQ2_0: 256 columns as 64 bytes of two bits, placed as in Q2_K, and f16 d.
//! Weight = d·(q - 1).

use super::affine::{Block, half_at};
use super::q2_k::two_bits;

pub(super) const BYTES: usize = 64 + 2;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<1> {
    let d = half_at(bytes, 64);
    Block { q: core::array::from_fn(|l| two_bits(bytes, i, l)), scales: [(d, -d)] }
}
