use core::arch::wasm32::*;

/// Four f32 lanes in a `v128`.
#[derive(Clone, Copy)]
pub(crate) struct F32x4(v128);

/// Reads binary16. To be made before a loop.
#[derive(Clone, Copy)]
pub(crate) struct HalfReader(v128);

impl F32x4 {
    #[inline(always)]
    pub(crate) fn zero() -> Self {
        Self::splat(0.0)
    }

    #[inline(always)]
    pub(crate) fn splat(x: f32) -> Self {
        F32x4(f32x4_splat(x))
    }

    #[inline(always)]
    pub(crate) fn from_v128(v: v128) -> Self {
        F32x4(v)
    }

    #[inline(always)]
    pub(crate) fn v128(self) -> v128 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn from_array(a: &[f32; 4]) -> Self {
        // SAFETY: the reference is valid for 16 bytes.
        #[allow(unsafe_code)]
        unsafe {
            Self::load(a.as_ptr())
        }
    }

    #[inline(always)]
    pub(crate) fn to_array(self) -> [f32; 4] {
        let mut a = [0.0; 4];
        self.write(&mut a);
        a
    }

    #[inline(always)]
    pub(crate) fn write(self, out: &mut [f32; 4]) {
        // SAFETY: the reference is valid for 16 bytes.
        #[allow(unsafe_code)]
        unsafe {
            self.store(out.as_mut_ptr())
        }
    }

    /// # Safety
    /// `p` must be valid for reading four f32.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn load(p: *const f32) -> Self {
        // SAFETY: by the caller.
        F32x4(unsafe { v128_load(p.cast()) })
    }

    /// One f32 into every lane.
    ///
    /// # Safety
    /// `p` must be valid for reading one f32.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn load_splat(p: *const f32) -> Self {
        // SAFETY: by the caller.
        F32x4(unsafe { v128_load32_splat(p.cast()) })
    }

    /// # Safety
    /// `p` must be valid for writing four f32.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn store(self, p: *mut f32) {
        // SAFETY: by the caller.
        unsafe { v128_store(p.cast(), self.0) }
    }

    #[inline(always)]
    pub(crate) fn add(self, o: Self) -> Self {
        F32x4(f32x4_add(self.0, o.0))
    }

    #[inline(always)]
    pub(crate) fn sub(self, o: Self) -> Self {
        F32x4(f32x4_sub(self.0, o.0))
    }

    #[inline(always)]
    pub(crate) fn mul(self, o: Self) -> Self {
        F32x4(f32x4_mul(self.0, o.0))
    }

    #[inline(always)]
    pub(crate) fn div(self, o: Self) -> Self {
        F32x4(f32x4_div(self.0, o.0))
    }

    #[inline(always)]
    pub(crate) fn min(self, o: Self) -> Self {
        F32x4(f32x4_pmin(self.0, o.0))
    }

    #[inline(always)]
    pub(crate) fn max(self, o: Self) -> Self {
        F32x4(f32x4_pmax(self.0, o.0))
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        F32x4(f32x4_abs(self.0))
    }

    /// `self * a + b`; with relaxed SIMD in one rounding where the CPU has it.
    #[inline(always)]
    pub(crate) fn mul_add(self, a: Self, b: Self) -> Self {
        #[cfg(target_feature = "relaxed-simd")]
        {
            F32x4(f32x4_relaxed_madd(self.0, a.0, b.0))
        }
        #[cfg(not(target_feature = "relaxed-simd"))]
        {
            F32x4(f32x4_add(f32x4_mul(self.0, a.0), b.0))
        }
    }

    #[inline(always)]
    pub(crate) fn round_ties_even(self) -> Self {
        F32x4(f32x4_nearest(self.0))
    }

    /// `self` · 2^k, given `n` = 1.5·2^23 + k; both it and `self` far from subnormal.
    #[inline(always)]
    pub(crate) fn times_exp2(self, n: Self) -> Self {
        F32x4(i32x4_add(self.0, i32x4_shl(n.0, 23)))
    }

    /// Lanes of `self`, or 0 where `x` is below `limit`.
    #[inline(always)]
    pub(crate) fn zero_where_below(self, x: Self, limit: Self) -> Self {
        F32x4(v128_andnot(self.0, f32x4_lt(x.0, limit.0)))
    }

    /// Sum of the four lanes.
    #[inline(always)]
    pub(crate) fn sum(self) -> f32 {
        let a = f32x4_add(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
        f32x4_extract_lane::<0>(a) + f32x4_extract_lane::<1>(a)
    }

    /// Largest of the four lanes.
    #[inline(always)]
    pub(crate) fn max_lane(self) -> f32 {
        let a = f32x4_pmax(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
        f32x4_extract_lane::<0>(f32x4_pmax(a, i32x4_shuffle::<1, 0, 3, 2>(a, a)))
    }
}

impl HalfReader {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        HalfReader(opaque(i32x4_splat(0x8fff_e000_u32 as i32)))
    }

    /// Four finite IEEE binary16 values times 2^-112, exactly (subnormals too):
    /// multiply by [`super::F16_SCALE`] for the values themselves.
    ///
    /// # Safety
    /// `p` must be valid for reading four u16.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn read4(self, p: *const u16) -> F32x4 {
        // SAFETY: by the caller.
        let v = unsafe { i32x4_load_extend_i16x4(p.cast()) };
        F32x4(v128_and(i32x4_shl(v, 13), self.0))
    }
}

/// A constant that stays in a register: V8 makes one it knows anew at every use, which takes
/// three instructions.
#[inline(always)]
pub(crate) fn opaque(constant: v128) -> v128 {
    core::hint::black_box(constant)
}
