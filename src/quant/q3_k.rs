//! Q3_K: 256 columns as 32 bytes of third bits, two bits as in Q2_K, 16 six-bit scales in
//! 12 bytes, f16 d. Weight = d·(sc - 32)·(q - 4), a scale for 16 columns.

use super::affine::{Block, half_at};
use super::q2_k::two_bits;

pub(super) const BYTES: usize = 32 + 64 + 12 + 2;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<2> {
    let q = core::array::from_fn(|l| two_bits(&bytes[32..], i, l) | (bytes[l] >> i & 1) << 2);
    let d = half_at(bytes, 108);
    let scale = |part: usize| {
        let d = d * (six_bits(&bytes[96..108], 2 * i + part) as f32 - 32.0);
        (d, -4.0 * d)
    };
    Block { q, scales: [scale(0), scale(1)] }
}

/// Scale `k`: four bits from the first 8 bytes, two from the last 4.
fn six_bits(s: &[u8], k: usize) -> u8 {
    let low = s[k % 8] >> (k / 8 * 4) & 15;
    low | (s[8 + k % 4] >> (k / 4 * 2) & 3) << 4
}
