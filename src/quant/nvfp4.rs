//! NVFP4: 64 columns as four scales and four times 8 bytes of nibbles (byte i: columns i and
//! i + 8 of 16), which are E2M1 as in MXFP4. A scale is a float of 4 exponent bits (bias 7)
//! and 3 mantissa bits. Weight = scale / 2·(twice the E2M1).

use super::affine::Block;

pub(super) const BYTES: usize = 4 + 32;

/// Twice the largest value of E2M1.
const MAX: f32 = 12.0;
/// Twice the values of E2M1, above -[`MAX`].
const LEVELS: [u8; 16] = [12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0];

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<2> {
    let q = core::array::from_fn(|l| {
        let byte = bytes[4 + 16 * i + l / 16 * 8 + l % 8];
        LEVELS[(byte >> (l % 16 / 8 * 4) & 15) as usize]
    });
    let scale = |part: usize| {
        let d = half_scale(bytes[2 * i + part]);
        (d, -MAX * d)
    };
    Block { q, scales: [scale(0), scale(1)] }
}

/// Half of what the bits mean; the sign bit has no meaning, and 0x7f stands for none.
fn half_scale(bits: u8) -> f32 {
    let (exponent, mantissa) = ((bits >> 3 & 15) as i32, (bits & 7) as f32);
    match (bits, exponent) {
        (0x7f, _) => 0.0,
        (_, 0) => mantissa / 1024.0,
        _ => (1.0 + mantissa / 8.0) * f32::from_bits(((exponent - 8 + 127) as u32) << 23),
    }
}
