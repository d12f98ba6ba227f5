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

#[cfg(test)]
mod tests {
    use crate::gguf::GgmlType;
    use crate::quant::to_f32;

    /// Scales are kept as f16: exactly from 2^-24 to 2^15. A model whose other weights are
    /// seen beside it does not notice what is lost below, 12 · 2^-25 at most.
    #[test]
    fn every_scale_is_exact_or_too_small_to_be_seen() {
        for e in 0..=255u8 {
            let mut block = [0x57; super::BYTES]; // nibbles 7 and 5: twice 6 and twice 3
            block[0] = e;
            let found = to_f32(GgmlType::MXFP4, &block, 32).unwrap();
            let scale = 2f64.powi(e as i32 - 128);
            for (i, found) in found.into_iter().enumerate() {
                let exact = scale * if i < 16 { 12.0 } else { 6.0 };
                match e {
                    0..104 => assert!((found as f64 - exact).abs() <= 12.0 * 2f64.powi(-25)),
                    104..144 => assert_eq!(found as f64, exact, "exponent {e}"),
                    144.. => assert!(found.is_finite() && found >= 6.0 * 65504.0),
                }
            }
        }
    }
}
