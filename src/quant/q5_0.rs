//! Q5_0: blocks of 32 as f16 d, 32 fifth bits, 16 bytes of nibbles (byte i: columns i and
//! i + 16). Weight = d·(q - 16).

use super::affine::{Block, half_at};
use crate::kernels::BLOCK;

pub(super) const BYTES: usize = 2 + 4 + BLOCK / 2;

pub(super) fn block(bytes: &[u8; BYTES], _: usize) -> Block<1> {
    let d = half_at(bytes, 0);
    Block { q: five_bits(&bytes[2..]), scales: [(d, 0.0)] }
}

/// Values in 0..32 from four bytes of fifth bits and 16 of nibbles.
pub(super) fn five_bits(bytes: &[u8]) -> [u8; BLOCK] {
    let (high, nibbles) = bytes.split_at(4);
    core::array::from_fn(|i| {
        let low = nibbles[i % 16] >> (i / 16 * 4) & 15;
        low | (high[i / 8] >> (i % 8) & 1) << 4
    })
}
