//! Q8_0: blocks of 32 as f16 d and 32 i8. Q8_1: the same with d·Σq, an f16, between them.
//! Weight = d·q.

use super::affine::half_at;
use super::symmetric::Block;
use crate::kernels::BLOCK;

pub(super) const BYTES: usize = 2 + BLOCK;
pub(super) const BYTES_Q8_1: usize = 2 + 2 + BLOCK;

pub(super) fn block(bytes: &[u8; BYTES], _: usize) -> Block {
    Block { q: core::array::from_fn(|l| bytes[2 + l] as i8), d: half_at(bytes, 0) }
}

pub(super) fn block_q8_1(bytes: &[u8; BYTES_Q8_1], _: usize) -> Block {
    Block { q: core::array::from_fn(|l| bytes[4 + l] as i8), d: half_at(bytes, 0) }
}
