//! Q6_K: 256 columns as 128 bytes of low nibbles, 64 of high bits, 16 i8 scales, f16 d.
//! Weight = d·sc·(q - 32), a scale for 16 columns.

use super::affine::{Block, half_at};

pub(super) const BYTES: usize = 128 + 64 + 16 + 2;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<2> {
    // Each half of the block interleaves four times 32 columns.
    let (half, quarter) = (i / 4, i % 4);
    let low = &bytes[64 * half + 32 * (quarter % 2)..];
    let high = &bytes[128 + 32 * half..];
    let q = core::array::from_fn(|l| {
        low[l] >> (quarter / 2 * 4) & 15 | (high[l] >> (2 * quarter) & 3) << 4
    });
    let d = half_at(bytes, 208);
    let scale = |part: usize| (d * (bytes[192 + 2 * i + part] as i8) as f32, 0.0);
    Block { q, scales: [scale(0), scale(1)] }
}
