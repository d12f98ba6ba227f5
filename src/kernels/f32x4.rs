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

/// e^x = 2^n · 2^f with n + f = x · log₂ e, n an integer and |f| ≤ 1/2. To be made before a
/// loop: its constants are hidden, as those of [`opaque`].
#[derive(Clone, Copy)]
pub(crate) struct Exp {
    bounds: [F32x4; 2],
    log2_e: F32x4,
    /// 1.5 · 2^23: added, it leaves an integer in the lowest bits.
    magic: F32x4,
    polynomial: [F32x4; 6],
}

impl Exp {
    #[inline(always)]
    pub(crate) fn new() -> Exp {
        // 2^f for |f| ≤ 1/2, exact at 0, relative error below 4.4e-7 (minimax, by Remez' exchange).
        let polynomial =
            [1.112_550_8e-3, 9.666_283e-3, 5.557_400_5e-2, 2.402_235e-1, 6.931_428_3e-1, 1.0];
        core::hint::black_box(Exp {
            bounds: [-87.0, 88.0].map(F32x4::splat),
            log2_e: F32x4::splat(core::f32::consts::LOG2_E),
            magic: F32x4::splat(1.5 * (1 << 23) as f32),
            polynomial: polynomial.map(F32x4::splat),
        })
    }

    /// In every lane, relative error below (6 + |x|) · 1e-7 for -87 ≤ x ≤ 88; x is clamped to
    /// that range.
    #[inline(always)]
    pub(crate) fn of(&self, x: F32x4) -> F32x4 {
        self.within(x.min(self.bounds[1]).max(self.bounds[0]))
    }

    /// For x ≤ 88, and exactly 0 below -87 (so also for -inf).
    #[inline(always)]
    pub(crate) fn of_or_zero(&self, x: F32x4) -> F32x4 {
        self.within(x).zero_where_below(x, self.bounds[0])
    }

    /// [`Exp::of_or_zero`] of one value.
    #[inline(always)]
    pub(crate) fn of_scalar(&self, x: f32) -> f32 {
        self.of_or_zero(F32x4::splat(x)).to_array()[0]
    }

    /// The formula; anything where x is out of bounds or no number.
    #[inline(always)]
    fn within(&self, x: F32x4) -> F32x4 {
        let t = x.mul(self.log2_e);
        let n = t.add(self.magic);
        let f = t.sub(n.sub(self.magic));
        let [mut p, rest @ ..] = self.polynomial;
        for c in rest {
            p = p.mul_add(f, c);
        }
        p.times_exp2(n)
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
            let y = Exp::new().of(F32x4::splat(x)).to_array()[1] as f64;
            let want = (x as f64).exp();
            let bound = f64::from(6.0 + x.abs()) * 1e-7;
            assert!((y / want - 1.0).abs() < bound, "exp({x}) = {y}, not {want}");
        }
    }

    #[test]
    fn exp_keeps_within_its_bounds() {
        let exp = Exp::new();
        let [low, high] = [-87.0, 88.0].map(|x| exp.of(F32x4::splat(x)).to_array()[0]);
        assert!(low.is_normal() && high.is_normal());
        for (x, want) in [(-200.0, low), (f32::NEG_INFINITY, low), (200.0, high)] {
            assert_eq!(exp.of(F32x4::splat(x)).to_array(), [want; 4], "exp({x})");
        }
        assert_eq!((exp.of_scalar(0.0), exp.of_scalar(-87.0)), (1.0, low));
        for x in [-87.00001, -200.0, -1e30, f32::NEG_INFINITY] {
            assert_eq!(exp.of_scalar(x), 0.0, "exp({x})");
        }
        assert!(exp.of_scalar(f32::NAN).is_nan());
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
