//! How keys and values are kept.

use crate::{Error, Result};
use serde::Serialize;

/// The type of the cache's elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KvType {
    /// Single precision.
    F32,
    /// Half precision: half the memory.
    #[default]
    F16,
    /// 8 bits with a scale for each head of a position: a quarter, and the fastest at long
    /// contexts, with small errors.
    Q8,
}

impl KvType {
    /// By its name: `f32`, `f16` or `q8`.
    ///
    /// # Errors
    /// [`Error::BadRequest`].
    pub fn from_name(name: &str) -> Result<KvType> {
        match name {
            "f32" => Ok(KvType::F32),
            "f16" => Ok(KvType::F16),
            "q8" => Ok(KvType::Q8),
            other => {
                let what = format!("`kv_cache` is \"{other}\", but must be f32, f16 or q8");
                Err(Error::BadRequest { what })
            }
        }
    }

    /// Bytes of the key, or the value, of one head at one position.
    pub(super) fn bytes(self, head_dim: usize) -> usize {
        match self {
            KvType::F32 => 4 * head_dim,
            KvType::F16 => 2 * head_dim,
            KvType::Q8 => head_dim + size_of::<f32>(),
        }
    }
}

/// To the nearest f16, ties to even (subnormals are rounded twice); what is too large
/// becomes the largest.
#[inline(always)]
pub(super) fn to_f16(x: f32) -> u16 {
    // Times 2^-112, an f32 has the exponent of an f16, subnormals included.
    let scaled = (x.abs().min(65504.0) * f32::from_bits((127 - 112) << 23)).to_bits();
    let rounded = (scaled + 0xfff + (scaled >> 13 & 1)) >> 13;
    rounded as u16 | (x.to_bits() >> 16) as u16 & 0x8000
}

/// Exactly.
#[inline(always)]
pub(super) fn from_f16(h: u16) -> f32 {
    let scaled = f32::from_bits((h as u32 & 0x8000) << 16 | (h as u32 & 0x7fff) << 13);
    scaled * f32::from_bits((127 + 112) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f16_is_that_of_the_crate() {
        for bits in 0..=u16::MAX {
            let h = half::f16::from_bits(bits);
            if h.is_finite() {
                assert_eq!(from_f16(bits), h.to_f32());
                assert_eq!(to_f16(h.to_f32()), bits);
            }
        }
        for i in 0..100_000u32 {
            let x = f32::from_bits(i.wrapping_mul(2_654_435_761));
            let exact = half::f16::from_f32(x).to_bits();
            if x.abs() >= 2f32.powi(-14) && x.abs() < 65504.0 {
                assert_eq!(to_f16(x), exact, "{x}");
            } else if x.abs() < 1.0 {
                assert!(to_f16(x).abs_diff(exact) <= 1, "{x}");
            }
        }
        assert_eq!((from_f16(to_f16(1e9)), from_f16(to_f16(-1e9))), (65504.0, -65504.0));
    }
}
