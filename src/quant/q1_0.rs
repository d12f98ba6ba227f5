//! Q1_0: 128 columns as f16 d and 16 bytes of bits. Weight = d where the bit is set, else
//! -d.

use super::affine::{Block, half_at};

pub(super) const BYTES: usize = 2 + 16;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<1> {
    let d = half_at(bytes, 0);
    let bits = &bytes[2 + 4 * i..];
    // 0 and 2 above -d, not 0 and 1: 2·d might not fit f16.
    Block { q: core::array::from_fn(|l| (bits[l / 8] >> (l % 8) & 1) << 1), scales: [(d, -d)] }
}
