//! What both wasm levels are made of: blocks of activations, the scales of a product, loads
//! and stores.

use super::f32x4::{F32x4, HalfReader, opaque};
use super::level::{Q8_BLOCK, Scales, TABLE4_BLOCK, Tile, block_scale};
use super::{BLOCK, PANEL_ROWS};
use core::arch::wasm32::*;

/// Activations' scales are stored times 2^100 and f16 weights' scales read times
/// 2^-112, so that neither conversion needs a multiplication and sums of activations up
/// to 2^27 do not overflow; tiles are multiplied by the rest at their end.
pub(crate) const X_SCALE: f32 = f32::from_bits((127 + 100) << 23);
/// 2^12.
pub(crate) const TILE_SCALE: f32 = 4096.0;

/// Offset of the f16 scales in a block, per layout.
pub(crate) const Q4_D: usize = BLOCK / 2 * PANEL_ROWS;
pub(crate) const Q7_D: usize = BLOCK * PANEL_ROWS;
pub(crate) const Q8_D: usize = BLOCK * PANEL_ROWS;

/// What an affine product of 8 rows with one token needs beside integers: Σ w·x = d·dx·Σq·qx
/// + m·s, s being the sum of the activations.
pub(crate) struct Affine {
    d: [F32x4; 2],
    /// m and s, where there are minima.
    minima: Option<([F32x4; 2], F32x4)>,
}

impl Affine {
    /// What it takes of a block of activations: dx, s of the block and of each half, and the
    /// same three of -Σq.
    pub(crate) const BYTES: usize = 28;

    /// Writes a token's part behind a block of `T` tokens. `dots`: how many times too large the
    /// level's integer sums are.
    #[inline(always)]
    pub(crate) fn put<const T: usize>(q: &QuantisedBlock, dots: i32, out: &mut [u8], t: usize) {
        put_f32(out, 4 * t, q.d * (X_SCALE / dots as f32));
        for (i, value) in [q.s, q.s - q.s_second, q.s_second].into_iter().enumerate() {
            put_f32(out, 4 * ((1 + i) * T + t), value * X_SCALE);
        }
        for (i, sum) in [q.sum, q.sum - q.sum_second, q.sum_second].into_iter().enumerate() {
            out[4 * ((4 + i) * T + t)..][..4].copy_from_slice(&(-dots * sum).to_le_bytes());
        }
    }

    /// What the integer sums of a token begin with: without minima, what takes the centre off.
    ///
    /// # Safety
    /// As [`Affine::of`].
    #[inline(always)]
    pub(crate) unsafe fn start<const T: usize, S: Scales>(
        x: *const u8,
        t: usize,
        part: usize,
    ) -> v128 {
        if S::MINIMA {
            return i32x4_splat(0);
        }
        let sum = if S::PARTS == 1 { 4 } else { 5 + part };
        // SAFETY: by the caller.
        i32x4_shl(unsafe { splat4(x, 4 * (sum * T + t)) }, S::CENTRE_LOG2)
    }

    /// Reads those of one part of a block: `scales` are those of the weights, `x` what
    /// [`Affine::put`] wrote.
    ///
    /// # Safety
    /// `scales` must be valid for `S::BYTES`, `x` for `T · BYTES`.
    #[inline(always)]
    pub(crate) unsafe fn of<const T: usize, S: Scales>(
        reader: HalfReader,
        scales: *const u8,
        x: *const u8,
        t: usize,
        part: usize,
    ) -> Affine {
        // SAFETY: by the caller.
        unsafe {
            let scales = scales.add(S::BYTES / S::PARTS * part);
            let row4 = |i: usize| reader.read4(scales.add(i).cast());
            let x = |i: usize| F32x4::load_splat(x.add(4 * (i * T + t)).cast());
            let (dx, s) = (x(0), if S::PARTS == 1 { x(1) } else { x(2 + part) });
            let minima = S::MINIMA.then(|| ([row4(16), row4(24)], s));
            Affine { d: [row4(0).mul(dx), row4(8).mul(dx)], minima }
        }
    }

    /// sum + a·d·dx + m·s.
    #[inline(always)]
    pub(crate) fn add(&self, a: [v128; 2], sum: [F32x4; 2]) -> [F32x4; 2] {
        [0, 1].map(|i| {
            let sum = to_f32(a[i]).mul_add(self.d[i], sum[i]);
            self.minima.map_or(sum, |(m, s)| m[i].mul_add(s, sum))
        })
    }
}

/// Undoes what is left of the two powers of two.
#[inline(always)]
pub(crate) fn finish<const T: usize>(sum: Tile<T>) -> Tile<T> {
    sum.map(|t| t.map(|f| f.mul(F32x4::splat(TILE_SCALE))))
}

/// One block of activations as integers.
pub(crate) struct QuantisedBlock {
    /// 32 values in -127..=127, as i16.
    pub(crate) q: [v128; 4],
    /// Σq, and that of the second half.
    pub(crate) sum: i32,
    pub(crate) sum_second: i32,
    /// Scale.
    pub(crate) d: f32,
    /// d·Σq.
    pub(crate) s: f32,
    /// The same of the second half.
    pub(crate) s_second: f32,
}

/// Quantises one block; absent ones are zero.
#[inline(always)]
pub(crate) fn quantise_block(x: Option<&[f32; BLOCK]>) -> QuantisedBlock {
    let Some(x) = x else {
        let q = [i32x4_splat(0); 4];
        return QuantisedBlock { q, sum: 0, sum_second: 0, d: 0.0, s: 0.0, s_second: 0.0 };
    };
    let mut v = [F32x4::zero(); 8];
    // Two, of which neither waits for the other.
    let mut max = [F32x4::zero(); 2];
    for (i, (v, x)) in v.iter_mut().zip(x.as_chunks::<4>().0).enumerate() {
        *v = F32x4::from_array(x);
        max[i % 2] = max[i % 2].max(v.abs());
    }
    let (d, inverse) = block_scale(max[0].max(max[1]).max_lane());
    let rounder = Rounder::new(inverse);
    let q = [0, 2, 4, 6].map(|i| rounder.round(v[i], v[i + 1]));
    let [first, second] = [[q[0], q[1]], [q[2], q[3]]]
        .map(|[a, b]| sum_lanes(i32x4_extadd_pairwise_i16x8(i16x8_add(a, b))));
    QuantisedBlock {
        q,
        sum: first + second,
        sum_second: second,
        d,
        s: d * (first + second) as f32,
        s_second: d * second as f32,
    }
}

/// Makes integers of floats.
pub(crate) struct Rounder {
    factor: F32x4,
    magic: F32x4,
}

impl Rounder {
    /// Floats are to be multiplied by `factor`.
    #[inline(always)]
    pub(crate) fn new(factor: f32) -> Rounder {
        let magic = opaque(f32x4_splat(1.5 * (1 << 23) as f32));
        Rounder { factor: F32x4::splat(factor), magic: F32x4::from_v128(magic) }
    }

    /// Nearest i16, ties to even, of what is far from its bounds; infinities give 0.
    #[inline(always)]
    pub(crate) fn round(&self, low: F32x4, high: F32x4) -> v128 {
        // Adding 1.5·2^23 rounds, and leaves the integer in the lowest bits: cheaper than a
        // saturating conversion. Those bits are picked out, as of a saturating narrow LLVM makes
        // comparisons with both bounds.
        let [low, high] = [low, high].map(|x| x.mul(self.factor).add(self.magic).v128());
        i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(low, high)
    }
}

/// Sum of four i32.
#[inline(always)]
pub(crate) fn sum_lanes(sum: v128) -> i32 {
    let sum = i32x4_add(sum, i32x4_shuffle::<2, 3, 0, 1>(sum, sum));
    i32x4_extract_lane::<0>(sum) + i32x4_extract_lane::<1>(sum)
}

/// Writes the four 32-bit lanes at `[lane][token]`.
#[inline(always)]
pub(crate) fn scatter4<const T: usize>(v: v128, out: &mut [u8], t: usize) {
    assert!(out.len() >= 16 * T && t < T);
    // SAFETY: checked above.
    unsafe {
        let p = out.as_mut_ptr().add(4 * t);
        v128_store32_lane::<0>(v, p.cast());
        v128_store32_lane::<1>(v, p.add(4 * T).cast());
        v128_store32_lane::<2>(v, p.add(8 * T).cast());
        v128_store32_lane::<3>(v, p.add(12 * T).cast());
    }
}

pub(crate) fn put_f32(out: &mut [u8], at: usize, value: f32) {
    out[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

#[inline(always)]
pub(crate) fn to_f32(v: v128) -> F32x4 {
    F32x4::from_v128(f32x4_convert_i32x4(v))
}

/// # Safety
/// `p + at` must be valid for reading 16 bytes.
#[inline(always)]
pub(crate) unsafe fn load(p: *const u8, at: usize) -> v128 {
    // SAFETY: by the caller.
    unsafe { v128_load(p.add(at).cast()) }
}

/// # Safety
/// `p + at` must be valid for writing 16 bytes.
#[inline(always)]
pub(crate) unsafe fn store(p: *mut u8, at: usize, v: v128) {
    // SAFETY: by the caller.
    unsafe { v128_store(p.add(at).cast(), v) }
}

/// Four bytes into every lane.
///
/// # Safety
/// `p + at` must be valid for reading 4 bytes.
#[inline(always)]
pub(crate) unsafe fn splat4(p: *const u8, at: usize) -> v128 {
    // SAFETY: by the caller.
    unsafe { v128_load32_splat(p.add(at).cast()) }
}

/// Nibbles to the levels that they stand for, in the order of Q8; scales and sums stay.
///
/// # Safety
/// As [`Level::table4_unpack`].
#[inline(always)]
pub(crate) unsafe fn table4_unpack(
    levels: &[i8; 16],
    panel: *const u8,
    n_blocks: usize,
    out: *mut u8,
) {
    let mask = opaque(i8x16_splat(15));
    // SAFETY: 16 bytes; panel and out are as the caller says.
    unsafe {
        let levels = load(levels.as_ptr().cast(), 0);
        for b in 0..n_blocks {
            let (w, out) = (panel.add(b * TABLE4_BLOCK), out.add(b * Q8_BLOCK));
            for i in 0..8 {
                // Group i/2, half i%2: the low columns, then the high ones.
                let (v, out) = (load(w, 16 * i), out.add(64 * (i / 2) + 16 * (i % 2)));
                store(out, 0, i8x16_swizzle(levels, v128_and(v, mask)));
                store(out, 32, i8x16_swizzle(levels, u8x16_shr(v, 4)));
            }
            for i in 0..2 {
                store(out, Q8_D + 16 * i, load(w, Q4_D + 16 * i));
            }
        }
    }
}
