//! Four f32 lanes: the one vector type of the float kernels.
//!
//! On wasm32 it is a `v128`; elsewhere a plain array that the compiler
//! vectorises as it can. The float kernels are written once over it.

#[cfg(target_arch = "wasm32")]
#[path = "f32x4_wasm.rs"]
mod imp;
#[cfg(not(target_arch = "wasm32"))]
#[path = "f32x4_array.rs"]
mod imp;

#[cfg(target_arch = "wasm32")]
pub(crate) use imp::opaque;
pub(crate) use imp::{F32x4, HalfReader};

/// 2^112: what [`HalfReader`] leaves out.
pub(crate) const F16_SCALE: f32 = f32::from_bits(0x7780_0000);

impl F32x4 {
    /// e^x in every lane, relative error below 2e-7 for -87 ≤ x ≤ 88; x is clamped to that range.
    ///
    /// Cody–Waite reduction and the degree-5 polynomial of Cephes' `expf`.
    #[inline(always)]
    pub(crate) fn exp(self) -> F32x4 {
        let x = self.min(Self::splat(88.0)).max(Self::splat(-87.0));
        let n = x.mul(Self::splat(core::f32::consts::LOG2_E)).round_ties_even();
        let r = x.sub(n.mul(Self::splat(0.693_359_4))).sub(n.mul(Self::splat(-2.121_944_4e-4)));
        let mut p = Self::splat(1.987_569_1e-4);
        for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
            p = p.mul_add(r, Self::splat(c));
        }
        p.mul_add(r.mul(r), r).add(Self::splat(1.0)).mul(n.exp2_integer())
    }

    /// e^x for x ≤ 88, and exactly 0 below -87 (so also for -inf).
    #[inline(always)]
    pub(crate) fn exp_or_zero(self) -> F32x4 {
        self.exp().zero_where_below(self, Self::splat(-87.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_f64() {
        for i in -870..880 {
            let x = i as f32 / 10.0 + 0.037;
            let x = x.clamp(-87.0, 88.0);
            let y = F32x4::splat(x).exp().to_array()[1] as f64;
            let want = (x as f64).exp();
            assert!((y / want - 1.0).abs() < 2e-7, "exp({x}) = {y}, not {want}");
        }
    }

    #[test]
    fn f16_bits_convert_exactly() {
        for bits in 0..=u16::MAX {
            let want = half::f16::from_bits(bits);
            if !want.is_finite() {
                continue;
            }
            let four = [bits; 4];
            // SAFETY: four f16 values are there.
            #[allow(unsafe_code)]
            let got = unsafe { HalfReader::new().read4(four.as_ptr()) };
            assert_eq!(got.mul(F32x4::splat(F16_SCALE)).to_array()[2], want.to_f32());
        }
    }
}
