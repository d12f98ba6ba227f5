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

/// e^x: Cody–Waite reduction and the degree-5 polynomial of Cephes' `expf`. To be made before
/// a loop: its constants are hidden, as those of [`opaque`].
#[derive(Clone, Copy)]
pub(crate) struct Exp {
    bounds: [F32x4; 2],
    log2_e: F32x4,
    /// ln 2 in two parts, the first of few bits.
    ln_2: [F32x4; 2],
    polynomial: [F32x4; 6],
    one: F32x4,
}

impl Exp {
    #[inline(always)]
    pub(crate) fn new() -> Exp {
        let polynomial =
            [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
        core::hint::black_box(Exp {
            bounds: [-87.0, 88.0].map(F32x4::splat),
            log2_e: F32x4::splat(core::f32::consts::LOG2_E),
            ln_2: [0.693_359_4, -2.121_944_4e-4].map(F32x4::splat),
            polynomial: polynomial.map(F32x4::splat),
            one: F32x4::splat(1.0),
        })
    }

    /// In every lane, relative error below 2e-7 for -87 ≤ x ≤ 88; x is clamped to that range.
    #[inline(always)]
    pub(crate) fn of(&self, x: F32x4) -> F32x4 {
        let x = x.min(self.bounds[1]).max(self.bounds[0]);
        let n = x.mul(self.log2_e).round_ties_even();
        let r = x.sub(n.mul(self.ln_2[0])).sub(n.mul(self.ln_2[1]));
        let [mut p, rest @ ..] = self.polynomial;
        for c in rest {
            p = p.mul_add(r, c);
        }
        p.mul_add(r.mul(r), r).add(self.one).mul(n.exp2_integer())
    }

    /// For x ≤ 88, and exactly 0 below -87 (so also for -inf).
    #[inline(always)]
    pub(crate) fn of_or_zero(&self, x: F32x4) -> F32x4 {
        self.of(x).zero_where_below(x, self.bounds[0])
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
