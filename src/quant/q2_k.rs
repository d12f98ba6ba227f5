//! Q2_K: 256 columns as 16 bytes of four-bit scales and minima, 64 bytes of two bits,
//! f16 d and dmin. Weight = d·sc·q - dmin·m, a scale for 16 columns.

use super::affine::{Block, half_at};

pub(super) const BYTES: usize = 16 + 64 + 2 + 2;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<2> {
    let q = core::array::from_fn(|l| two_bits(&bytes[16..], i, l));
    let (d, d_min) = (half_at(bytes, 80), half_at(bytes, 82));
    let scale = |part: usize| {
        let s = bytes[2 * i + part];
        (d * (s & 15) as f32, -d_min * (s >> 4) as f32)
    };
    Block { q, scales: [scale(0), scale(1)] }
}

/// Column l of block i: each 32 bytes interleave four times 32 columns.
pub(super) fn two_bits(bytes: &[u8], i: usize, l: usize) -> u8 {
    bytes[i / 4 * 32 + l] >> (i % 4 * 2) & 3
}
