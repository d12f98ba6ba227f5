//! The plain twin of the integer kernels: the reference of the tests, and what the host tool
//! runs. It does the very operations of the wasm levels, in their order, so results are equal
//! to the last bit: as relaxed SIMD's where `F32x4::mul_add` is fused. Activations are kept as they are, `[block][token]`:
//! 32 i8, then as f32 the scale d, d·Σq of the block, d·Σq of its second half, and as
//! i32 Σq of either half.

use super::f32x4::{F16_SCALE, F32x4, HalfReader};
use super::level::{
    Level, Minima, Q8_BLOCK, Scales, TABLE4_BLOCK, Tile, block_of, block_scale, q4_block,
    q4_unpacked, q7_block,
};
use super::{BLOCK, PANEL_ROWS};

/// No SIMD.
pub(crate) struct Scalar;

/// i8 values, scale and sums of one block.
const X: usize = BLOCK + 20;
/// Columns of one group: what four neighbouring bytes hold.
const GROUP: usize = 4;

impl Level for Scalar {
    const AFFINE_X: usize = X;
    const SYMMETRIC_X: usize = X;
    const Q4_UNPACKED: usize = 1;

    fn quantise_affine<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]) {
        for (i, out) in out.chunks_exact_mut(X).take(T * n_blocks).enumerate() {
            let (q, scales) = match block_of(x, stride, i % T, i / T) {
                Some(block) => quantise_block(block),
                None => ([0; BLOCK], [0.0; 3]),
            };
            for (out, q) in out.iter_mut().zip(q) {
                *out = q as u8;
            }
            let (first, second) = q.split_at(BLOCK / 2);
            let sums = [first, second].map(|q| q.iter().map(|&q| q as i32).sum::<i32>());
            let sums = sums.map(i32::to_le_bytes);
            let after = scales.map(f32::to_le_bytes).into_iter().chain(sums);
            for (out, value) in out[BLOCK..].as_chunks_mut().0.iter_mut().zip(after) {
                *out = value;
            }
        }
    }

    fn quantise_symmetric<const T: usize>(
        x: &[f32],
        stride: usize,
        n_blocks: usize,
        out: &mut [u8],
    ) {
        Self::quantise_affine::<T>(x, stride, n_blocks, out);
    }

    unsafe fn q4_rows<S: Scales, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        panels.map(|panel| {
            // SAFETY: by the caller.
            let (w, x) =
                unsafe { (bytes(panel, n_blocks * q4_block::<S>()), bytes(x, n_blocks * X)) };
            let mut sum = [[F32x4::zero(); 2]];
            let mut unpacked = [0; q7_block::<Minima<2>>()];
            for (w, x) in w.chunks_exact(q4_block::<S>()).zip(x.chunks_exact(X)) {
                unpack_block(w, &mut unpacked[..q7_block::<S>()]);
                affine_block::<1, S>(&unpacked, x, dots_q4, &mut sum);
            }
            sum[0]
        })
    }

    unsafe fn q4_unpack<S: Scales>(panel: *const u8, n_blocks: usize, out: *mut u8) {
        // SAFETY: by the caller.
        let (w, out) = unsafe {
            let out = core::slice::from_raw_parts_mut(out, n_blocks * q4_unpacked::<Self, S>());
            (bytes(panel, n_blocks * q4_block::<S>()), out)
        };
        let out = out.chunks_exact_mut(q4_unpacked::<Self, S>());
        for (w, out) in w.chunks_exact(q4_block::<S>()).zip(out) {
            unpack_block(w, out);
        }
    }

    unsafe fn q4_tile4<S: Scales>(unpacked: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: by the caller; unpacked Q4 is what Q7 is.
        unsafe { affine_tile::<4, S>(unpacked, x, n_blocks, dots_q4) }
    }

    unsafe fn q7_rows<S: Scales, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: by the caller.
        panels.map(|panel| unsafe { affine_tile::<1, S>(panel, x, n_blocks, dots_q7)[0] })
    }

    unsafe fn q7_tile4<S: Scales>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: as above.
        unsafe { affine_tile::<4, S>(panel, x, n_blocks, dots_q7) }
    }

    unsafe fn q8_rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: by the caller.
        panels.map(|panel| unsafe { q8_tile::<1>(panel, x, n_blocks)[0] })
    }

    unsafe fn q8_tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: as above.
        unsafe { q8_tile::<4>(panel, x, n_blocks) }
    }

    unsafe fn table4_unpack(levels: &[i8; 16], panel: *const u8, n_blocks: usize, out: *mut u8) {
        // SAFETY: by the caller.
        let (w, out) = unsafe {
            let out = core::slice::from_raw_parts_mut(out, n_blocks * Q8_BLOCK);
            (bytes(panel, n_blocks * TABLE4_BLOCK), out)
        };
        for (w, out) in w.chunks_exact(TABLE4_BLOCK).zip(out.chunks_exact_mut(Q8_BLOCK)) {
            unpack_block(w, out);
            for q in &mut out[..BLOCK * PANEL_ROWS] {
                *q = levels[*q as usize] as u8;
            }
        }
    }
}

/// q (in -127..=127), and d, d·Σq and the second half's d·Σq of one block.
pub(crate) fn quantise_block(x: &[f32; BLOCK]) -> ([i8; BLOCK], [f32; 3]) {
    let max = x.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let (d, inverse) = block_scale(max);
    let q = x.map(|v| F32x4::splat(v * inverse).round_ties_even().to_array()[0] as i8);
    let sum = |q: &[i8]| d * q.iter().map(|&q| q as i32).sum::<i32>() as f32;
    (q, [d, sum(&q), sum(&q[BLOCK / 2..])])
}

/// Nibbles to bytes in the order of Q8, then the scales as they are.
fn unpack_block(w: &[u8], out: &mut [u8]) {
    let (q, scales) = w.split_at(BLOCK / 2 * PANEL_ROWS);
    let (out_q, out_scales) = out.split_at_mut(BLOCK * PANEL_ROWS);
    let group = GROUP * PANEL_ROWS;
    for (q, out) in q.chunks_exact(group).zip(out_q.chunks_exact_mut(2 * group)) {
        let (low, high) = out.split_at_mut(group);
        for ((q, low), high) in q.iter().zip(low).zip(high) {
            *low = q & 15;
            *high = q >> 4;
        }
    }
    out_scales.copy_from_slice(scales);
}

/// Integer dot products of 8 rows of weights with activations.
type Dots = fn(&[u8], &[u8]) -> [i32; PANEL_ROWS];

/// Product of one panel of i8.
///
/// # Safety
/// As [`Level::q8_tile4`].
unsafe fn q8_tile<const T: usize>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<T> {
    // SAFETY: by the caller.
    let (w, x) = unsafe { (bytes(panel, n_blocks * Q8_BLOCK), bytes(x, n_blocks * T * X)) };
    let mut sum = [[F32x4::zero(); 2]; T];
    for (w, x) in w.chunks_exact(Q8_BLOCK).zip(x.chunks_exact(T * X)) {
        let (q, scales) = w.split_at(BLOCK * PANEL_ROWS);
        let d = rows_of(scales, 0);
        for (sum, x) in sum.iter_mut().zip(x.chunks_exact(X)) {
            let [dx, _, _] = scales_of(x).map(F32x4::splat);
            let dots = to_f32(dots_q8(q, &x[..BLOCK]));
            for i in 0..2 {
                sum[i] = dots[i].mul_add(d[i].mul(dx), sum[i]);
            }
        }
    }
    sum
}

/// Product of one panel of bytes with a minimum.
///
/// # Safety
/// As [`Level::q7_tile4`].
unsafe fn affine_tile<const T: usize, S: Scales>(
    panel: *const u8,
    x: *const u8,
    n_blocks: usize,
    dots: Dots,
) -> Tile<T> {
    // SAFETY: by the caller.
    let (w, x) = unsafe { (bytes(panel, n_blocks * q7_block::<S>()), bytes(x, n_blocks * T * X)) };
    let mut sum = [[F32x4::zero(); 2]; T];
    for (w, x) in w.chunks_exact(q7_block::<S>()).zip(x.chunks_exact(T * X)) {
        affine_block::<T, S>(w, x, dots, &mut sum);
    }
    sum
}

/// One block, part by part: sum += d·(Σ q·x) + m·s, or d·(Σ q·x - centre · Σ x).
#[inline(always)]
fn affine_block<const T: usize, S: Scales>(w: &[u8], x: &[u8], dots: Dots, sum: &mut Tile<T>) {
    let h = S::PARTS;
    let (q, scales) = w.split_at(BLOCK * PANEL_ROWS);
    for (sum, x) in sum.iter_mut().zip(x.chunks_exact(X)) {
        let [dx, s, s_second] = scales_of(x);
        let sums = sums_of(x);
        for part in 0..h {
            let q = &q[part * q.len() / h..][..q.len() / h];
            let x = &x[part * BLOCK / h..][..BLOCK / h];
            let scales = &scales[part * S::BYTES / h..];
            let x_sum = if h == 1 { sums[0] + sums[1] } else { sums[part] };
            let start = if S::MINIMA { 0 } else { -x_sum << S::CENTRE_LOG2 };
            let d = rows_of(scales, 0);
            let (dots, dx) = (to_f32(dots(q, x).map(|dot| dot + start)), F32x4::splat(dx));
            for i in 0..2 {
                sum[i] = dots[i].mul_add(d[i].mul(dx), sum[i]);
            }
            if S::MINIMA {
                let s = match (h, part) {
                    (1, _) => s,
                    (_, 0) => s - s_second,
                    _ => s_second,
                };
                let m = rows_of(scales, PANEL_ROWS);
                for i in 0..2 {
                    sum[i] = m[i].mul_add(F32x4::splat(s), sum[i]);
                }
            }
        }
    }
}

/// Integer dot products of 8 rows of weights in 0..16 with one block of activations.
///
/// Lane by lane in i16, which a block cannot overflow: 8 groups · 15 · 127 < 2^15.
fn dots_q4(w: &[u8], x: &[u8]) -> [i32; PANEL_ROWS] {
    let mut lanes = [0i16; PANEL_ROWS * GROUP];
    for (w, x) in groups(w, x) {
        for i in 0..lanes.len() {
            lanes[i] = lanes[i].wrapping_add((w[i] as i16).wrapping_mul(x[i]));
        }
    }
    core::array::from_fn(|r| lanes[GROUP * r..][..GROUP].iter().map(|&l| l as i32).sum())
}

/// The same for bytes without a sign.
#[inline(always)]
fn dots_q7(w: &[u8], x: &[u8]) -> [i32; PANEL_ROWS] {
    dots(w, x, |w| w as i16) // |w·x| ≤ 255 · 127
}

/// The same for weights of i8.
#[inline(always)]
fn dots_q8(w: &[u8], x: &[u8]) -> [i32; PANEL_ROWS] {
    dots(w, x, |w| w as i8 as i16) // |w·x| ≤ 128 · 127
}

#[inline(always)]
fn dots(w: &[u8], x: &[u8], weight: impl Fn(u8) -> i16) -> [i32; PANEL_ROWS] {
    let mut lanes = [0i32; PANEL_ROWS * GROUP];
    for (w, x) in groups(w, x) {
        for i in 0..lanes.len() {
            lanes[i] += weight(w[i]).wrapping_mul(x[i]) as i32;
        }
    }
    core::array::from_fn(|r| lanes[GROUP * r..][..GROUP].iter().sum())
}

/// Groups of four columns: the weights of 8 rows, and the activations once for each.
#[inline(always)]
fn groups<'a>(
    w: &'a [u8],
    x: &'a [u8],
) -> impl Iterator<Item = (&'a [u8; PANEL_ROWS * GROUP], [i16; PANEL_ROWS * GROUP])> {
    let (w, x) = (w.as_chunks().0, x.as_chunks::<GROUP>().0);
    w.iter().zip(x).map(|(w, x)| {
        let x = x.map(|x| x as i8 as i16);
        (w, core::array::from_fn(|i| x[i % GROUP]))
    })
}

/// Σq of either half of a block of activations.
fn sums_of(x: &[u8]) -> [i32; 2] {
    let words = x[BLOCK + 12..].as_chunks().0;
    [0, 1].map(|i| i32::from_le_bytes(words[i]))
}

fn scales_of(x: &[u8]) -> [f32; 3] {
    let x = x[BLOCK..].as_chunks().0;
    core::array::from_fn(|i| f32::from_le_bytes(x[i]))
}

/// f16 values `first .. first + 8`: one for each row.
#[inline(always)]
fn rows_of(scales: &[u8], first: usize) -> [F32x4; 2] {
    let bits: &[u8; 2 * PANEL_ROWS] = scales[2 * first..].first_chunk().expect("8 values");
    let reader = HalfReader::new();
    // SAFETY: 8 values of 2 bytes are there.
    [0, 8]
        .map(|i| unsafe { reader.read4(bits.as_ptr().add(i).cast()).mul(F32x4::splat(F16_SCALE)) })
}

#[inline(always)]
pub(super) fn to_f32(dots: [i32; PANEL_ROWS]) -> [F32x4; 2] {
    [0, 4].map(|r| F32x4::from_array(&core::array::from_fn(|i| dots[r + i] as f32)))
}

/// # Safety
/// `p` must be valid for reading `n` bytes during the call that uses the slice.
unsafe fn bytes<'a>(p: *const u8, n: usize) -> &'a [u8] {
    // SAFETY: by the caller.
    unsafe { core::slice::from_raw_parts(p, n) }
}
