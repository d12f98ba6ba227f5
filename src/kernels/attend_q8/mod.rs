//! Attention over keys and values of 8 bits, multiplied as integers.
//!
//! Keys lie in panels of 8, `[panels][head_dim / 4][8 keys][4]`, values in groups of
//! [`VALUE_GROUP`] positions, `[groups][head_dim / 8][positions / 4][8 dimensions][4]`: so four
//! bytes that are summed lie side by side, and memory is read in order. Each key and each value
//! has a scale. Keys are kept 128 higher, as bytes without a sign: the sum that this
//! adds to a score is that of the query alone. Queries are quantised with one scale to
//! -127..=127; the terms of a softmax, each times its value's scale, with one scale
//! for a group to 0..=127. As it takes only the query's integers and its terms, a token's
//! result does not depend on the tokens beside it (cf. Zhang et al., SageAttention, 2025).

mod scalar;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "wasm32")]
mod wasm;

use super::PANEL_ROWS;
use super::attend::fits;
use super::f32x4::F32x4;
use super::level::{Level, Tile, block_scale};

/// Values whose bytes lie side by side.
const WORD: usize = 4;
/// Positions whose values lie together, and whose terms share a scale. (64 are a tenth faster,
/// but cost a quarter of a percent of perplexity.)
pub(crate) const VALUE_GROUP: usize = 32;
/// What keys are kept higher by.
const KEY_OFFSET: u8 = 128;

/// The integer products of attention, at one level.
pub(crate) trait ByteLevel: Level {
    /// What the engine makes of a key's bytes.
    type KeyByte: Copy;

    /// Looks at what the engine makes of a key's bytes; to be called before a loop.
    fn key_byte() -> Self::KeyByte;

    /// What [`ByteLevel::key_tile`] leaves in a sum for each unit of the query's integers.
    fn key_offset(byte: Self::KeyByte) -> i32;

    /// q = x · inverse, rounded to nearest, ties to even; returns Σq. The length is a multiple
    /// of 8, and every |x · inverse| ≤ 127.
    fn quantise_bytes(x: &[f32], inverse: f32, q: &mut [i8]) -> i32;

    /// Sums of `words · 4` products of `R` queries, `stride` bytes apart, with a panel of keys;
    /// too large by the offset times Σq. `words` is even.
    ///
    /// # Safety
    /// `q` must be valid for `(R - 1) · stride + 4 · words` bytes, `keys` for `32 · words`.
    unsafe fn key_tile<const R: usize>(
        q: *const i8,
        stride: usize,
        keys: *const u8,
        words: usize,
        byte: Self::KeyByte,
    ) -> Tile<R>;

    /// Sums of [`VALUE_GROUP`] products of `R` rows of terms, `stride` bytes apart, with 8
    /// dimensions of values.
    ///
    /// # Safety
    /// `p` must be valid for `(R - 1) · stride + VALUE_GROUP` bytes, `values` for
    /// `8 · VALUE_GROUP`.
    unsafe fn value_tile<const R: usize>(p: *const i8, stride: usize, values: *const i8)
    -> Tile<R>;
}

/// Queries as integers: row r is vector r · `step`.
#[derive(Clone, Copy)]
pub(crate) struct ByteQueries<'a> {
    /// `[vectors, head_dim]`, in -127..=127.
    pub(crate) bytes: &'a [i8],
    /// `[vectors]`
    pub(crate) scales: &'a [ByteScale],
    /// Vectors from one row to the next.
    pub(crate) step: usize,
    /// How many rows.
    pub(crate) n: usize,
}

/// What turns the integers of a query into numbers.
#[derive(Clone, Copy, Default)]
pub(crate) struct ByteScale {
    /// x ≈ d · q.
    d: f32,
    /// What [`ByteLevel::key_tile`] leaves too much in a sum; exact, as the sum is (below 2^24).
    offset: f32,
}

/// Some keys, or values, of a head with their scales.
#[derive(Clone, Copy)]
pub(crate) struct ByteVectors<'a, T> {
    /// In the order of the module's documentation; whole panels of keys, whole groups of values.
    pub(crate) bytes: &'a [T],
    /// `[positions]`
    pub(crate) scales: &'a [f32],
}

/// Terms of some rows as integers.
pub(crate) struct ByteTerms<'a> {
    /// `[rows, stride]`
    pub(crate) bytes: &'a mut [i8],
    /// `[rows, stride / VALUE_GROUP]`
    pub(crate) scales: &'a mut [f32],
    /// Terms in a row, whole groups.
    pub(crate) stride: usize,
}

/// Quantises a query, of a multiple of 8 values.
pub(crate) fn quantise_query<L: ByteLevel>(x: &[f32], q: &mut [i8]) -> ByteScale {
    let (d, inverse) = scale_of(x);
    let offset = (L::key_offset(L::key_byte()) * L::quantise_bytes(x, inverse, q)) as f32;
    ByteScale { d, offset }
}

/// Scale and inverse of a vector; finite, whatever its values are.
fn scale_of(x: &[f32]) -> (f32, f32) {
    let mut max = F32x4::zero();
    for x in x.as_chunks::<4>().0 {
        max = max.max(F32x4::from_array(x).abs());
    }
    block_scale(max.max_lane().min(f32::MAX))
}

/// Quantises the key of a position, and puts it into its panel; returns its scale.
pub(crate) fn put_key<L: ByteLevel>(key: &[f32], position: usize, panels: &mut [u8]) -> f32 {
    let start = position / PANEL_ROWS * PANEL_ROWS * key.len();
    let column = position % PANEL_ROWS * WORD;
    let words = panels[start..].chunks_exact_mut(WORD * PANEL_ROWS);
    put_words::<L, _>(key, words, |out, q| {
        out[column..][..WORD].copy_from_slice(&q.map(|q| q as u8 ^ KEY_OFFSET));
    })
}

/// The same for the value of a position.
pub(crate) fn put_value<L: ByteLevel>(value: &[f32], position: usize, groups: &mut [i8]) -> f32 {
    let start = position / VALUE_GROUP * VALUE_GROUP * value.len();
    let word = position % VALUE_GROUP / WORD * WORD * PANEL_ROWS;
    let panels = groups[start..].chunks_exact_mut(VALUE_GROUP * PANEL_ROWS);
    let words = panels.flat_map(|panel| panel[word..].chunks_exact_mut(WORD * WORD).take(2));
    put_words::<L, _>(value, words, |out, q| {
        for (out, q) in out.as_chunks_mut::<WORD>().0.iter_mut().zip(q) {
            out[position % WORD] = q;
        }
    })
}

/// Quantises a vector, and puts each four of its integers where they belong.
#[inline(always)]
fn put_words<'a, L: ByteLevel, T: 'a>(
    x: &[f32],
    mut places: impl Iterator<Item = &'a mut [T]>,
    put: impl Fn(&mut [T], [i8; WORD]),
) -> f32 {
    let (d, inverse) = scale_of(x);
    for x in x.as_chunks::<{ 2 * WORD }>().0 {
        let mut q = [0; 2 * WORD];
        L::quantise_bytes(x, inverse, &mut q);
        for (q, place) in q.as_chunks().0.iter().zip(&mut places) {
            put(place, *q);
        }
    }
    d
}

/// `scores[r][key] = q[r] · keys[key]`, for all keys of the panels.
pub(crate) fn score_bytes<L: ByteLevel>(
    q: ByteQueries,
    keys: ByteVectors<u8>,
    head_dim: usize,
    scores: &mut [f32],
    scores_stride: usize,
) {
    for r in (0..q.n).step_by(4) {
        let scores = &mut scores[r * scores_stride..];
        match q.n - r {
            1 => score_rows::<L, 1>(q, r, keys, head_dim, scores, scores_stride),
            2 => score_rows::<L, 2>(q, r, keys, head_dim, scores, scores_stride),
            3 => score_rows::<L, 3>(q, r, keys, head_dim, scores, scores_stride),
            _ => score_rows::<L, 4>(q, r, keys, head_dim, scores, scores_stride),
        }
    }
}

/// Rows `first ..` of `q` with all keys.
#[inline(always)]
fn score_rows<L: ByteLevel, const R: usize>(
    q: ByteQueries,
    first: usize,
    keys: ByteVectors<u8>,
    head_dim: usize,
    scores: &mut [f32],
    scores_stride: usize,
) {
    let (rows, stride) = (&q.bytes[first * q.step * head_dim..], q.step * head_dim);
    let n = keys.scales.len();
    assert!(fits(rows.len(), R, stride, head_dim) && head_dim.is_multiple_of(2 * WORD));
    assert!(n.checked_mul(head_dim) == Some(keys.bytes.len()) && n.is_multiple_of(PANEL_ROWS));
    assert!(fits(scores.len(), R, scores_stride, n) && n <= scores_stride);
    let byte = L::key_byte();
    let query_scales: [_; R] = core::array::from_fn(|r| {
        let ByteScale { d, offset } = q.scales[(first + r) * q.step];
        [d, offset].map(F32x4::splat)
    });
    for p in (0..n).step_by(PANEL_ROWS) {
        // SAFETY: n, of keys as of their scales, is whole panels, so p + 8 ≤ n; R rows of
        // head_dim bytes and R of n scores are checked above.
        unsafe {
            let panel = keys.bytes.as_ptr().add(p * head_dim);
            let sums = L::key_tile::<R>(rows.as_ptr(), stride, panel, head_dim / WORD, byte);
            let key_scales = keys.scales.as_ptr().add(p);
            for (r, [d, offset]) in query_scales.into_iter().enumerate() {
                let scores = scores.as_mut_ptr().add(r * scores_stride + p);
                for i in 0..2 {
                    let score = sums[r][i].sub(offset).mul(d);
                    score.mul(F32x4::load(key_scales.add(4 * i))).store(scores.add(4 * i));
                }
            }
        }
    }
}

/// Quantises a row of terms, whole panels of them, each times the scale of its value. To the
/// end of a group, 0 follow.
pub(crate) fn quantise_terms<L: ByteLevel>(
    row: &mut [f32],
    value_scales: &[f32],
    r: usize,
    terms: &mut ByteTerms,
) {
    assert!(row.len() <= value_scales.len() && row.len().is_multiple_of(PANEL_ROWS));
    assert!(row.len() <= terms.stride && terms.stride.is_multiple_of(VALUE_GROUP));
    let bytes = &mut terms.bytes[r * terms.stride..][..row.len().next_multiple_of(VALUE_GROUP)];
    bytes[row.len()..].fill(0);
    let scales = &mut terms.scales[r * (terms.stride / VALUE_GROUP)..];
    let groups = row.chunks_mut(VALUE_GROUP).zip(value_scales.chunks(VALUE_GROUP));
    for (((row, d), bytes), scale) in groups.zip(bytes.chunks_mut(VALUE_GROUP)).zip(scales) {
        let mut max = F32x4::zero();
        for (term, d) in row.as_chunks_mut::<4>().0.iter_mut().zip(d.as_chunks::<4>().0) {
            let product = F32x4::from_array(term).mul(F32x4::from_array(d));
            max = max.max(product);
            product.write(term);
        }
        let (d, inverse) = block_scale(max.max_lane());
        L::quantise_bytes(row, inverse, bytes);
        *scale = d;
    }
}

/// `out[r] = Σ_position p[r][position] · values[position]` for `n_rows` rows, and for all groups
/// of positions that `values` has.
pub(crate) fn weigh_bytes<L: ByteLevel>(
    p: &ByteTerms,
    n_rows: usize,
    values: &[i8],
    head_dim: usize,
    out: &mut [f32],
) {
    for r in (0..n_rows).step_by(4) {
        let out = &mut out[r * head_dim..];
        match n_rows - r {
            1 => weigh_rows::<L, 1>(p, r, values, head_dim, out),
            2 => weigh_rows::<L, 2>(p, r, values, head_dim, out),
            3 => weigh_rows::<L, 3>(p, r, values, head_dim, out),
            _ => weigh_rows::<L, 4>(p, r, values, head_dim, out),
        }
    }
}

/// Rows `first ..` of `p`.
#[inline(always)]
fn weigh_rows<L: ByteLevel, const R: usize>(
    p: &ByteTerms,
    first: usize,
    values: &[i8],
    head_dim: usize,
    out: &mut [f32],
) {
    let (stride, scales_stride) = (p.stride, p.stride / VALUE_GROUP);
    let (bytes, scales) = (&p.bytes[first * stride..], &p.scales[first * scales_stride..]);
    let groups = values.chunks_exact(VALUE_GROUP * head_dim);
    let n = groups.len();
    assert!(groups.remainder().is_empty() && head_dim.is_multiple_of(PANEL_ROWS));
    assert!(n <= scales_stride && fits(bytes.len(), R, stride, n * VALUE_GROUP));
    assert!(fits(scales.len(), R, scales_stride, n) && fits(out.len(), R, head_dim, head_dim));
    let out = &mut out[..R * head_dim];
    out.fill(0.0);
    for (g, values) in groups.enumerate() {
        let d: [_; R] = core::array::from_fn(|r| F32x4::splat(scales[r * scales_stride + g]));
        let bytes = bytes[g * VALUE_GROUP..].as_ptr();
        for (c, values) in values.chunks_exact(VALUE_GROUP * PANEL_ROWS).enumerate() {
            // SAFETY: R rows of n groups of terms are checked above, `values` are 8 dimensions of a
            // group, and `out` has R rows of head_dim, which 8 · c + 8 does not exceed.
            unsafe {
                let sums = L::value_tile::<R>(bytes, stride, values.as_ptr());
                for (r, d) in d.into_iter().enumerate() {
                    let out = out.as_mut_ptr().add(r * head_dim + c * PANEL_ROWS);
                    for i in 0..2 {
                        let out = out.add(4 * i);
                        F32x4::load(out).add(sums[r][i].mul(d)).store(out);
                    }
                }
            }
        }
    }
}
