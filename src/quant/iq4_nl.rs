//! IQ4_NL: blocks of 32 as f16 d and 16 bytes of nibbles (byte i: columns i and i + 16),
//! each a place in a table of uneven levels. Weight = d·level.

use super::affine::half_at;
use super::symmetric::Block;
use crate::kernels::BLOCK;

pub(super) const BYTES: usize = 2 + BLOCK / 2;

/// What a nibble means, in GGML's IQ4 formats.
const LEVELS: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

pub(super) fn block(bytes: &[u8; BYTES], _: usize) -> Block {
    Block { q: levels(&bytes[2..]), d: half_at(bytes, 0) }
}

pub(super) fn levels(nibbles: &[u8]) -> [i8; BLOCK] {
    core::array::from_fn(|l| LEVELS[(nibbles[l % 16] >> (l / 16 * 4) & 15) as usize])
}
