/// Four f32 lanes in an array.
#[derive(Clone, Copy)]
pub(crate) struct F32x4([f32; 4]);

/// Reads binary16.
#[derive(Clone, Copy)]
pub(crate) struct HalfReader;

impl F32x4 {
    #[inline(always)]
    fn zip(self, o: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        F32x4(core::array::from_fn(|i| f(self.0[i], o.0[i])))
    }

    #[inline(always)]
    pub(crate) fn zero() -> Self {
        Self::splat(0.0)
    }

    #[inline(always)]
    pub(crate) fn splat(x: f32) -> Self {
        F32x4([x; 4])
    }

    #[inline(always)]
    pub(crate) fn from_array(a: &[f32; 4]) -> Self {
        F32x4(*a)
    }

    #[inline(always)]
    pub(crate) fn to_array(self) -> [f32; 4] {
        self.0
    }

    #[inline(always)]
    pub(crate) fn write(self, out: &mut [f32; 4]) {
        *out = self.0;
    }

    /// # Safety
    /// `p` must be valid for reading four f32.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn load(p: *const f32) -> Self {
        // SAFETY: by the caller; an array of f32 needs no more alignment than f32.
        F32x4(unsafe { *p.cast::<[f32; 4]>() })
    }

    /// # Safety
    /// `p` must be valid for writing four f32.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn store(self, p: *mut f32) {
        // SAFETY: by the caller; alignment as for `load`.
        unsafe { *p.cast::<[f32; 4]>() = self.0 };
    }

    /// One f32 into every lane.
    ///
    /// # Safety
    /// `p` must be valid for reading one f32.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn load_splat(p: *const f32) -> Self {
        // SAFETY: by the caller.
        Self::splat(unsafe { *p })
    }

    #[inline(always)]
    pub(crate) fn add(self, o: Self) -> Self {
        self.zip(o, |a, b| a + b)
    }

    #[inline(always)]
    pub(crate) fn sub(self, o: Self) -> Self {
        self.zip(o, |a, b| a - b)
    }

    #[inline(always)]
    pub(crate) fn mul(self, o: Self) -> Self {
        self.zip(o, |a, b| a * b)
    }

    #[inline(always)]
    pub(crate) fn div(self, o: Self) -> Self {
        self.zip(o, |a, b| a / b)
    }

    #[inline(always)]
    pub(crate) fn min(self, o: Self) -> Self {
        self.zip(o, |a, b| if b < a { b } else { a })
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        F32x4(self.0.map(f32::abs))
    }

    #[inline(always)]
    pub(crate) fn max(self, o: Self) -> Self {
        self.zip(o, |a, b| if a < b { b } else { a })
    }

    /// `self * a + b`, in one rounding, as relaxed SIMD on a CPU that has it.
    #[inline(always)]
    pub(crate) fn mul_add(self, a: Self, b: Self) -> Self {
        F32x4(core::array::from_fn(|i| mul_add(self.0[i], a.0[i], b.0[i])))
    }

    #[inline(always)]
    pub(crate) fn round_ties_even(self) -> Self {
        F32x4(self.0.map(round_ties_even))
    }

    /// `self` · 2^k, given `n` = 1.5·2^23 + k; both it and `self` far from subnormal.
    #[inline(always)]
    pub(crate) fn times_exp2(self, n: Self) -> Self {
        self.zip(n, |x, n| f32::from_bits(x.to_bits().wrapping_add(n.to_bits() << 23)))
    }

    /// Lanes of `self`, or 0 where `x` is below `limit`.
    #[inline(always)]
    pub(crate) fn zero_where_below(self, x: Self, limit: Self) -> Self {
        F32x4(core::array::from_fn(|i| if x.0[i] < limit.0[i] { 0.0 } else { self.0[i] }))
    }

    /// Sum of the four lanes.
    #[inline(always)]
    pub(crate) fn sum(self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }

    /// Largest of the four lanes.
    #[inline(always)]
    pub(crate) fn max_lane(self) -> f32 {
        let [a, b, c, d] = self.0;
        a.max(c).max(b.max(d))
    }
}

/// `a * b + c` in one rounding. Where the build may not take the CPU's own instruction, f64
/// holds the product exactly, and a sum that needs more than its 53 bits is rare: about one
/// result in 2^29 is rounded otherwise.
#[inline(always)]
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        a.mul_add(b, c)
    } else {
        (a as f64 * b as f64 + c as f64) as f32
    }
}

/// To the nearest integer, ties to even, for |x| < 2^22: adding 1.5·2^23 drops
/// the fraction in the FPU's own rounding, with no call to a library.
#[inline(always)]
fn round_ties_even(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    (x + MAGIC) - MAGIC
}

impl HalfReader {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        HalfReader
    }

    /// Four finite IEEE binary16 values times 2^-112, exactly (subnormals too):
    /// multiply by [`super::F16_SCALE`] for the values themselves.
    ///
    /// # Safety
    /// `p` must be valid for reading four u16.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn read4(self, p: *const u16) -> F32x4 {
        // SAFETY: by the caller; an array of u16 needs no more alignment than u16.
        let h = unsafe { p.cast::<[u16; 4]>().read_unaligned() };
        F32x4(h.map(|h| f32::from_bits((((h as i16 as i32) << 13) as u32) & 0x8fff_e000)))
    }
}
