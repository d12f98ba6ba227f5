//! Q5_1: blocks of 32 as f16 d, f16 m, and five bits as in Q5_0. Weight = d·q + m.

use super::affine::{Block, half_at};
use super::q5_0::five_bits;
use crate::kernels::BLOCK;

pub(super) const BYTES: usize = 2 + 2 + 4 + BLOCK / 2;

pub(super) fn block(bytes: &[u8; BYTES], _: usize) -> Block<1> {
    Block { q: five_bits(&bytes[4..]), scales: [(half_at(bytes, 0), half_at(bytes, 2))] }
}
