//! Q2_0: 64 columns as f16 d and 16 bytes of two bits, four columns in a byte.
//! Weight = d·(q - 1).

use super::affine::{Block, half_at};

pub(super) const BYTES: usize = 2 + 16;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<1> {
    let d = half_at(bytes, 0);
    let bits = &bytes[2 + 8 * i..];
    Block { q: core::array::from_fn(|l| bits[l / 4] >> (l % 4 * 2) & 3), scales: [(d, -d)] }
}
