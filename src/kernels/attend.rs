//! The two products of attention over f32 keys and values.
//!
//! Keys lie in panels of 8, `[panels][head_dim][8]`, values in rows `[n_keys][head_dim]`:
//! both products are then the tile of the float kernels.

use super::PANEL_ROWS;
use super::float::tile;
use super::product::put;

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
        assert!(self.n > 0 && self.data.len() >= (self.n - 1) * self.stride + len);
    }
}

/// `scores[r][key] = q[r] · keys[key]`, for all keys of the panels.
///
/// `keys` is `[panels][head_dim][8]`; a row of `scores` has `panels · 8` values.
pub(crate) fn score_keys(
    q: Rows,
    keys: &[f32],
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
pub(crate) fn weigh_values(
    p: Rows,
    values: &[f32],
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

/// `c[r][0..8] = a[r][0..k] · b`, b being k rows of 8, `b_stride` apart.
fn product(a: Rows, k: usize, b: &[f32], b_stride: usize, c: &mut [f32], c_stride: usize) {
    assert!(k > 0 && b.len() >= (k - 1) * b_stride + PANEL_ROWS);
    let mut r = 0;
    while r < a.n {
        let rows = (a.n - r).min(4);
        let (a_row, c) = (&a.data[r * a.stride..], &mut c[r * c_stride..]);
        match rows {
            1 => product_rows::<1>(a_row, a.stride, k, b, b_stride, c, c_stride),
            2 => product_rows::<2>(a_row, a.stride, k, b, b_stride, c, c_stride),
            3 => product_rows::<3>(a_row, a.stride, k, b, b_stride, c, c_stride),
            _ => product_rows::<4>(a_row, a.stride, k, b, b_stride, c, c_stride),
        }
        r += rows;
    }
}

#[inline(always)]
fn product_rows<const R: usize>(
    a: &[f32],
    a_stride: usize,
    k: usize,
    b: &[f32],
    b_stride: usize,
    c: &mut [f32],
    c_stride: usize,
) {
    assert!(a.len() >= (R - 1) * a_stride + k);
    // SAFETY: a is checked above, b by the caller.
    let sum = unsafe { tile::<f32, R>(a.as_ptr(), a_stride, b.as_ptr(), b_stride, k) };
    for (r, sum) in sum.into_iter().enumerate() {
        put(&mut c[r * c_stride..][..PANEL_ROWS], sum, false);
    }
}
