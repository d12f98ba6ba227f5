//! The two products of attention over f32 or f16 keys and values.
//!
//! Keys lie in panels of 8, `[panels][head_dim][8]`, values in rows `[n_keys][head_dim]`:
//! both products are then the tile of the float kernels.

use super::PANEL_ROWS;
use super::f32x4::{F32x4, HalfReader};
use super::float::{FloatWeight, tile};
use super::product::put;

/// An f16 key or value, read times 2^-112, which spares a multiplication: what it meets is
/// to be given times [`HALF_SCALE`]. Both stay far from the bounds of f32, so nothing is
/// rounded otherwise than with f32.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Half(u16);

/// 2^112.
pub(crate) const HALF_SCALE: f32 = super::f32x4::F16_SCALE;

impl Half {
    /// Halves from their bits.
    pub(crate) fn from_bits(bits: &[u16]) -> &[Half] {
        // SAFETY: `Half` is a `u16`, transparently.
        unsafe { core::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
    }

    /// Its bits.
    pub(crate) fn to_bits(self) -> u16 {
        self.0
    }
}

impl FloatWeight for Half {
    const SCALE: f32 = 1.0;
    type Reader = HalfReader;

    #[inline(always)]
    fn reader() -> HalfReader {
        HalfReader::new()
    }

    #[inline(always)]
    unsafe fn load8(p: *const Half, reader: HalfReader) -> [F32x4; 2] {
        // SAFETY: by the caller.
        unsafe { [reader.read4(p.cast()), reader.read4(p.add(4).cast())] }
    }
}

/// Rows of a matrix that do not follow each other without a gap.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Row r begins at r · stride.
    pub(crate) data: &'a [f32],
    /// Floats from one row to the next.
    pub(crate) stride: usize,
    /// How many rows.
    pub(crate) n: usize,
}

impl Rows<'_> {
    /// Panics unless every row has `len` values.
    fn check(&self, len: usize) {
        assert!(fits(self.data.len(), self.n, self.stride, len));
    }
}

/// Whether so many values hold `n_rows` rows of `width`, `stride` apart.
pub(super) fn fits(n_values: usize, n_rows: usize, stride: usize, width: usize) -> bool {
    let end = || n_rows.checked_sub(1)?.checked_mul(stride)?.checked_add(width);
    end().is_some_and(|end| end <= n_values)
}

/// `scores[r][key] = q[r] · keys[key]`, for all keys of the panels.
///
/// `keys` is `[panels][head_dim][8]`; a row of `scores` has `panels · 8` values.
pub(crate) fn score_keys<W: FloatWeight>(
    q: Rows,
    keys: &[W],
    head_dim: usize,
    scores: &mut [f32],
    scores_stride: usize,
) {
    q.check(head_dim);
    let panel = head_dim * PANEL_ROWS;
    assert!(keys.len().is_multiple_of(panel) && keys.len() / head_dim <= scores_stride);
    for (p, keys) in keys.chunks_exact(panel).enumerate() {
        let columns = p * PANEL_ROWS;
        product(q, head_dim, keys, PANEL_ROWS, &mut scores[columns..], scores_stride);
    }
}

/// `out[r] = Σ_key p[r][key] · values[key]`.
///
/// `values` is `[n_keys][head_dim]`; rows of `p` have at least `n_keys` values.
pub(crate) fn weigh_values<W: FloatWeight>(
    p: Rows,
    values: &[W],
    head_dim: usize,
    out: &mut [f32],
    out_stride: usize,
) {
    let n_keys = values.len() / head_dim;
    p.check(n_keys);
    for c in (0..head_dim).step_by(PANEL_ROWS) {
        product(p, n_keys, &values[c..], head_dim, &mut out[c..], out_stride);
    }
}

/// Rows of a tile: with six, twelve sums hide the latency of an addition. Where a product takes
/// a register of its own, they do not fit V8's fifteen.
const MAX_ROWS: usize = if cfg!(target_feature = "relaxed-simd") { 6 } else { 4 };

/// `c[r][0..8] = a[r][0..k] · b`, b being k rows of 8, `b_stride` apart.
fn product<W: FloatWeight>(
    a: Rows,
    k: usize,
    b: &[W],
    b_stride: usize,
    c: &mut [f32],
    c_stride: usize,
) {
    assert!(fits(b.len(), k, b_stride, PANEL_ROWS));
    let mut r = 0;
    while r < a.n {
        // The fewest tiles, of about as many rows each.
        let left = a.n - r;
        let rows = left.div_ceil(left.div_ceil(MAX_ROWS));
        let (a_row, c) = (&a.data[r * a.stride..], &mut c[r * c_stride..]);
        match rows {
            1 => product_rows::<W, 1>(a_row, a.stride, k, b, b_stride, c, c_stride),
            2 => product_rows::<W, 2>(a_row, a.stride, k, b, b_stride, c, c_stride),
            3 => product_rows::<W, 3>(a_row, a.stride, k, b, b_stride, c, c_stride),
            4 => product_rows::<W, 4>(a_row, a.stride, k, b, b_stride, c, c_stride),
            5 => product_rows::<W, 5>(a_row, a.stride, k, b, b_stride, c, c_stride),
            _ => product_rows::<W, 6>(a_row, a.stride, k, b, b_stride, c, c_stride),
        }
        r += rows;
    }
}

#[inline(always)]
fn product_rows<W: FloatWeight, const R: usize>(
    a: &[f32],
    a_stride: usize,
    k: usize,
    b: &[W],
    b_stride: usize,
    c: &mut [f32],
    c_stride: usize,
) {
    assert!(fits(a.len(), R, a_stride, k));
    // SAFETY: a is checked above, b by the caller.
    let sum = unsafe { tile::<W, R>(a.as_ptr(), a_stride, b.as_ptr(), b_stride, k) };
    for (r, sum) in sum.into_iter().enumerate() {
        put(&mut c[r * c_stride..][..PANEL_ROWS], sum, false);
    }
}
