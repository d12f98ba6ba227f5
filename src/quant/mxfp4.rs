//! MXFP4 (OCP Microscaling Formats 1.0): blocks of 32 as an exponent e and 16 bytes of
//! nibbles (byte i: columns i and i + 16), each a float of 1 sign, 2 exponent and 1 mantissa
//! bits. Weight = 2^(e - 128)·(twice that float).

use super::table4::{Block, nibbles};
use crate::kernels::BLOCK;

pub(super) const BYTES: usize = 1 + BLOCK / 2;

pub(super) fn block(bytes: &[u8; BYTES], _: usize) -> Block {
    Block { q: nibbles(&bytes[1..]), d: power_of_two(bytes[0] as i32 - 128) }
}

/// 2^n for n in -128..128, exactly.
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(if n < -126 { 1 << (n + 149) } else { ((n + 127) as u32) << 23 })
}
