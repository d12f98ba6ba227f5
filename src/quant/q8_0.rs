//! Q8_0: blocks of 32 as f16 d and 32 i8. Q8_1: the same with d·Σq, an f16, between them.
//! Weight = d·q.

use super::Layout;
use super::affine::{self, Bits, half_at};
use super::symmetric::{self, Block};
use crate::kernels::{BLOCK, Centred128};

pub(super) const BYTES: usize = 2 + BLOCK;
pub(super) const BYTES_Q8_1: usize = 2 + 2 + BLOCK;

/// Packs rows of blocks of `BYTES` bytes in this layout.
pub(super) fn pack<const BYTES: usize>(
    layout: Layout,
    rows: &[u8],
    n_cols: usize,
    out: &mut [u8],
    read: impl Fn(&[u8; BYTES], usize) -> Block,
) {
    if layout == Layout::Q8 {
        return symmetric::pack::<BLOCK, _>(rows, n_cols, out, read);
    }
    affine::pack_as::<Centred128, BLOCK, _, 1>(Bits::Seven, rows, n_cols, out, |bytes, i| {
        let Block { q, d } = read(bytes, i);
        affine::Block { q: q.map(|q| q as u8 ^ 0x80), scales: [(d, 0.0)] }
    });
}

pub(super) fn block(bytes: &[u8; BYTES], _: usize) -> Block {
    Block { q: core::array::from_fn(|l| bytes[2 + l] as i8), d: half_at(bytes, 0) }
}

pub(super) fn block_q8_1(bytes: &[u8; BYTES_Q8_1], _: usize) -> Block {
    Block { q: core::array::from_fn(|l| bytes[4 + l] as i8), d: half_at(bytes, 0) }
}
