//! Products with f32 and f16 weights and f32 activations.
//!
//! Packed layout: panels of 8 rows, `[k][8]`, in f32 or f16. The same tile serves
//! attention, whose keys and values have that shape too.

use super::f32x4::{F16_SCALE, F32x4, HalfReader};
use super::level::Tile;
use super::product::{put, put_tokens};
use super::stripe::Stripe;
use super::{PANEL_ROWS, PANEL_TOKENS};

/// A weight type of the float kernels.
pub(crate) trait FloatWeight: Copy {
    /// What a product has to be multiplied by at its end.
    const SCALE: f32;
    /// What reading takes, to be made before a loop.
    type Reader: Copy;

    fn reader() -> Self::Reader;

    /// 8 values.
    ///
    /// # Safety
    /// `p` must be valid for reading 8 values.
    unsafe fn load8(p: *const Self, reader: Self::Reader) -> [F32x4; 2];
}

impl FloatWeight for f32 {
    const SCALE: f32 = 1.0;
    type Reader = ();

    #[inline(always)]
    fn reader() {}

    #[inline(always)]
    unsafe fn load8(p: *const f32, (): ()) -> [F32x4; 2] {
        // SAFETY: by the caller.
        unsafe { [F32x4::load(p), F32x4::load(p.add(4))] }
    }
}

impl FloatWeight for u16 {
    const SCALE: f32 = F16_SCALE;
    type Reader = HalfReader;

    #[inline(always)]
    fn reader() -> HalfReader {
        HalfReader::new()
    }

    #[inline(always)]
    unsafe fn load8(p: *const u16, reader: HalfReader) -> [F32x4; 2] {
        // SAFETY: by the caller.
        unsafe { [reader.read4(p), reader.read4(p.add(4))] }
    }
}

/// `C[r][0..8] = Σ_i a[r·a_stride + i] · b[i·b_stride + 0..8]` for `R` rows, i in 0..k.
///
/// # Safety
/// `a` must be valid for `(R - 1)·a_stride + k` values, `b` for `(k - 1)·b_stride + 8`.
#[inline(always)]
pub(crate) unsafe fn tile<W: FloatWeight, const R: usize>(
    a: *const f32,
    a_stride: usize,
    b: *const W,
    b_stride: usize,
    k: usize,
) -> Tile<R> {
    let mut sum = [[F32x4::zero(); 2]; R];
    let reader = W::reader();
    let (mut a, mut b) = (a, b);
    for _ in 0..k {
        // SAFETY: by the caller.
        unsafe {
            let [b0, b1] = W::load8(b, reader);
            for (r, sum) in sum.iter_mut().enumerate() {
                let x = F32x4::load_splat(a.add(r * a_stride));
                *sum = [x.mul_add(b0, sum[0]), x.mul_add(b1, sum[1])];
            }
        }
        (a, b) = (a.wrapping_add(1), b.wrapping_add(b_stride));
    }
    sum.map(|s| s.map(|s| s.mul(F32x4::splat(W::SCALE))))
}

/// y = W·x (or y += W·x): `w` is `[panels][k][8]`, `x` is `[k]`, `y` is `[panels · 8]`.
#[inline(never)]
pub(crate) fn gemv_float<W: FloatWeight>(w: &[W], x: &[f32], y: &mut [f32], add: bool) {
    let panel = x.len() * PANEL_ROWS;
    assert!(w.len() == y.len() / PANEL_ROWS * panel);
    for (w, y) in w.chunks_exact(panel).zip(y.chunks_exact_mut(PANEL_ROWS)) {
        // SAFETY: the chunk is a panel of k rows of 8, x has k values.
        let [sum] = unsafe { tile::<W, 1>(x.as_ptr(), 0, w.as_ptr(), PANEL_ROWS, x.len()) };
        put(y, sum, add);
    }
}

/// Y = X·Wᵀ (or Y += X·Wᵀ): `x` is `[n_tokens][k]`, `y` has a row for each token.
#[inline(never)]
pub(crate) fn gemm_float<W: FloatWeight>(w: &[W], x: &[f32], k: usize, y: &mut Stripe, add: bool) {
    let (panel, n_tokens) = (k * PANEL_ROWS, y.n_rows());
    assert!(w.len() == y.columns().len() / PANEL_ROWS * panel && x.len() >= n_tokens * k);
    for (p, w) in w.chunks_exact(panel).enumerate() {
        let mut t = 0;
        while t + PANEL_TOKENS <= n_tokens {
            // SAFETY: four whole rows of x from t on, one panel of w.
            let sum = unsafe { tile::<W, 4>(x[t * k..].as_ptr(), k, w.as_ptr(), PANEL_ROWS, k) };
            put_tokens(y, t, n_tokens, p, sum, add);
            t += PANEL_TOKENS;
        }
        for t in t..n_tokens {
            // SAFETY: one whole row of x from t on, one panel of w.
            let sum = unsafe { tile::<W, 1>(x[t * k..].as_ptr(), k, w.as_ptr(), PANEL_ROWS, k) };
            put_tokens(y, t, n_tokens, p, sum, add);
        }
    }
}
