//! Q4_K: 256 columns as f16 d and dmin, 8 six-bit scales and minima in 12 bytes, 128 bytes
//! of nibbles (of 64 columns, the first 32 are the low ones). Weight = d·sc·q - dmin·m.

use super::affine::{Block, half_at};

pub(super) const BYTES: usize = 2 + 2 + 12 + 128;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<1> {
    let nibbles = &bytes[16 + i / 2 * 32..];
    let q = core::array::from_fn(|l| nibbles[l] >> (i % 2 * 4) & 15);
    Block { q, scales: [scale_and_min(bytes, i)] }
}

/// d·sc and -dmin·m of columns `32·i ..`; `bytes` begin as a block of Q4_K or Q5_K does.
pub(super) fn scale_and_min(bytes: &[u8], i: usize) -> (f32, f32) {
    let (d, d_min, s) = (half_at(bytes, 0), half_at(bytes, 2), &bytes[4..16]);
    let (scale, min) = match i {
        0..4 => (s[i] & 63, s[i + 4] & 63),
        _ => (s[i + 4] & 15 | s[i - 4] >> 6 << 4, s[i + 4] >> 4 | s[i] >> 6 << 4),
    };
    (d * scale as f32, -d_min * min as f32)
}
