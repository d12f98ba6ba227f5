//! MXFP4 (OCP Microscaling Formats 1.0): blocks of 32 as an exponent e and 16 bytes of
//! nibbles (byte i: columns i and i + 16), each a float of 1 sign, 2 exponent and 1 mantissa
//! bits. Weight = 2^(e - 128)·(twice that float).

use super::affine::Block;
use crate::kernels::BLOCK;

pub(super) const BYTES: usize = 1 + BLOCK / 2;

/// Twice the largest value of E2M1.
pub(super) const MAX: f32 = 12.0;
/// Twice the values of E2M1, above -[`MAX`].
pub(super) const LEVELS: [u8; 16] = [12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0];

pub(super) fn block(bytes: &[u8; BYTES], _: usize) -> Block<1> {
    let [e, ref nibbles @ ..] = *bytes;
    let d = power_of_two(e as i32 - 128);
    let q = core::array::from_fn(|l| LEVELS[(nibbles[l % 16] >> (l / 16 * 4) & 15) as usize]);
    Block { q, scales: [(d, -MAX * d)] }
}

/// 2^n for n in -128..128, exactly.
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(if n < -126 { 1 << (n + 149) } else { ((n + 127) as u32) << 23 })
}
