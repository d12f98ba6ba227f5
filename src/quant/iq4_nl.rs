//! IQ4_NL: blocks of 32 as f16 d and 16 bytes of nibbles (byte i: columns i and i + 16),
//! each a place in a table of uneven levels. Weight = d·level.

use super::affine::half_at;
use super::table4::{Block, nibbles};
use crate::kernels::BLOCK;

pub(super) const BYTES: usize = 2 + BLOCK / 2;

pub(super) fn block(bytes: &[u8; BYTES], _: usize) -> Block {
    Block { q: nibbles(&bytes[2..]), d: half_at(bytes, 0) }
}
