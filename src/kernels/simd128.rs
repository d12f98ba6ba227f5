//! Plain wasm SIMD: every engine since 2021 has it.
//!
//! There is no 8-bit dot product at this level, so activations are kept as i16 and
//! multiplied by `i32x4.dot_i16x8_s`. For Q4 the two bytes of a 16-bit lane hold the
//! columns (0, 4 | 1, 5) of a group, so masking and shifting 16-bit lanes yields the
//! pairs (0, 2), (4, 6), (1, 3), (5, 7): activations are stored in that order. The bytes
//! of Q7 come apart the same way, (0, 2), (1, 3) from one group and (4, 6), (5, 7) from the
//! next.

use super::f32x4::{F32x4, HalfReader, opaque};
use super::level::{
    Level, Q8_BLOCK, TABLE4_BLOCK, Tile, block_of, block_scale, q4_block, q4_unpacked, q7_block,
};
use super::{BLOCK, PANEL_ROWS};
use core::arch::wasm32::*;
use core::hint::black_box;

/// Plain simd128.
pub(crate) struct Simd128;

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
/// The same in Q4 unpacked to i16.
const UNPACKED_D: usize = 2 * BLOCK * PANEL_ROWS;

impl Level for Simd128 {
    const AFFINE_X: usize = 2 * BLOCK + Affine::BYTES;
    const SYMMETRIC_X: usize = 2 * BLOCK + 4;
    const Q4_UNPACKED: usize = 2;

    fn quantise_affine<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]) {
        for (b, out) in out.chunks_exact_mut(T * Self::AFFINE_X).take(n_blocks).enumerate() {
            for t in 0..T {
                let q = quantise_block(block_of(x, stride, t, b));
                for (j, wide) in q.widened().into_iter().enumerate() {
                    let pairs = i16x8_shuffle::<0, 2, 4, 6, 1, 3, 5, 7>(wide, wide);
                    scatter4::<T>(pairs, &mut out[16 * T * j..], t);
                }
                Affine::put::<T>(&q, &mut out[2 * BLOCK * T..], t);
            }
        }
    }

    fn quantise_symmetric<const T: usize>(
        x: &[f32],
        stride: usize,
        n_blocks: usize,
        out: &mut [u8],
    ) {
        for (b, out) in out.chunks_exact_mut(T * Self::SYMMETRIC_X).take(n_blocks).enumerate() {
            for t in 0..T {
                let q = quantise_block(block_of(x, stride, t, b));
                for (j, wide) in q.widened().into_iter().enumerate() {
                    scatter8::<T>(wide, &mut out[16 * T * j..], t);
                }
                put_f32(out, 2 * BLOCK * T + 4 * t, q.d * X_SCALE);
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_tile1<const H: usize>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<1> {
        let mask = opaque(i16x8_splat(15));
        let (mut w, mut x) = (panel, x);
        let mut sum = [F32x4::zero(); 2];
        let rounds = black_box(4 / H); // hidden, so that LLVM does not unroll into spills
        let reader = HalfReader::new();
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let (mut q, mut xq) = (w, x);
                for part in 0..H {
                    let (mut a0, mut a1) = (i32x4_splat(0), i32x4_splat(0));
                    for _ in 0..rounds {
                        let (w0, w1) = (load(q, 0), load(q, 16));
                        let x0 = splat4(xq, 0);
                        a0 = dot(x0, v128_and(w0, mask), a0);
                        a1 = dot(x0, v128_and(w1, mask), a1);
                        let x1 = splat4(xq, 4);
                        a0 = dot(x1, v128_and(u16x8_shr(w0, 4), mask), a0);
                        a1 = dot(x1, v128_and(u16x8_shr(w1, 4), mask), a1);
                        let x2 = splat4(xq, 8);
                        a0 = dot(x2, v128_and(u16x8_shr(w0, 8), mask), a0);
                        a1 = dot(x2, v128_and(u16x8_shr(w1, 8), mask), a1);
                        let x3 = splat4(xq, 12);
                        a0 = dot(x3, u16x8_shr(w0, 12), a0);
                        a1 = dot(x3, u16x8_shr(w1, 12), a1);
                        q = q.add(32);
                        xq = xq.add(16);
                    }
                    let scales = Affine::of::<1, H>(reader, w.add(Q4_D), x.add(2 * BLOCK), 0, part);
                    sum = scales.add([a0, a1], sum);
                }
                w = w.add(q4_block(H));
                x = x.add(Self::AFFINE_X);
            }
        }
        finish([sum])
    }

    #[inline(always)]
    unsafe fn q4_unpack<const H: usize>(panel: *const u8, n_blocks: usize, out: *mut u8) {
        let mask = opaque(i16x8_splat(15));
        for b in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let w = panel.add(b * q4_block(H));
                let out = out.add(b * q4_unpacked::<Self>(H));
                for i in 0..8 {
                    // Group i/2, half i%2: four column pairs, 32 bytes apart.
                    let (v, out) = (load(w, 16 * i), out.add(128 * (i / 2) + 16 * (i % 2)));
                    store(out, 0, v128_and(v, mask));
                    store(out, 32, v128_and(u16x8_shr(v, 4), mask));
                    store(out, 64, v128_and(u16x8_shr(v, 8), mask));
                    store(out, 96, u16x8_shr(v, 12));
                }
                for i in 0..2 * H {
                    store(out, UNPACKED_D + 16 * i, load(w, Q4_D + 16 * i));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_tile4<const H: usize>(
        unpacked: *const u8,
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<4> {
        let (mut w, mut x) = (unpacked, x);
        let mut sum = [[F32x4::zero(); 2]; 4];
        let pairs = black_box(BLOCK / 2 / H);
        let reader = HalfReader::new();
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let (mut q, mut xq) = (w, x);
                for part in 0..H {
                    let mut acc = [[i32x4_splat(0); 2]; 4];
                    for _ in 0..pairs {
                        let (w0, w1) = (load(q, 0), load(q, 16));
                        for (t, acc) in acc.iter_mut().enumerate() {
                            let x = splat4(xq, 4 * t);
                            *acc = [dot(x, w0, acc[0]), dot(x, w1, acc[1])];
                        }
                        q = q.add(32);
                        xq = xq.add(16);
                    }
                    for t in 0..4 {
                        let x = x.add(8 * BLOCK);
                        let scales = Affine::of::<4, H>(reader, w.add(UNPACKED_D), x, t, part);
                        sum[t] = scales.add(acc[t], sum[t]);
                    }
                }
                w = w.add(q4_unpacked::<Self>(H));
                x = x.add(4 * Self::AFFINE_X);
            }
        }
        finish(sum)
    }

    #[inline(always)]
    unsafe fn q7_tile<const T: usize, const H: usize>(
        panel: *const u8,
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<T> {
        let mask = opaque(i16x8_splat(0xff));
        let (mut w, mut x) = (panel, x);
        let mut sum = [[F32x4::zero(); 2]; T];
        let rounds = black_box(4 / H);
        let reader = HalfReader::new();
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let (mut q, mut xq) = (w, x);
                for part in 0..H {
                    let mut acc = [[i32x4_splat(0); 2]; T];
                    for _ in 0..rounds {
                        for group in 0..2 {
                            let (w0, w1) = (load(q, 32 * group), load(q, 32 * group + 16));
                            let (even0, even1) = (v128_and(w0, mask), v128_and(w1, mask));
                            let (odd0, odd1) = (u16x8_shr(w0, 8), u16x8_shr(w1, 8));
                            for (t, acc) in acc.iter_mut().enumerate() {
                                let even = splat4(xq, 4 * (T * group + t));
                                let odd = splat4(xq, 4 * (T * (2 + group) + t));
                                acc[0] = dot(odd, odd0, dot(even, even0, acc[0]));
                                acc[1] = dot(odd, odd1, dot(even, even1, acc[1]));
                            }
                        }
                        q = q.add(64);
                        xq = xq.add(16 * T);
                    }
                    for t in 0..T {
                        let x = x.add(2 * BLOCK * T);
                        let scales = Affine::of::<T, H>(reader, w.add(Q7_D), x, t, part);
                        sum[t] = scales.add(acc[t], sum[t]);
                    }
                }
                w = w.add(q7_block(H));
                x = x.add(T * Self::AFFINE_X);
            }
        }
        finish(sum)
    }

    #[inline(always)]
    unsafe fn q8_tile<const T: usize>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<T> {
        let (mut w, mut x) = (panel, x);
        let mut sum = [[F32x4::zero(); 2]; T];
        let groups = black_box(BLOCK / 4);
        let reader = HalfReader::new();
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                for half in 0..2 {
                    // Lanes (row 0, row 0, row 1, row 1) and (row 2, row 2, row 3, row 3).
                    let mut acc = [[i32x4_splat(0); 2]; T];
                    let (mut q, mut xq) = (w.add(16 * half), x);
                    for _ in 0..groups {
                        let v = load(q, 0);
                        let (w0, w1) = (i16x8_extend_low_i8x16(v), i16x8_extend_high_i8x16(v));
                        for (t, acc) in acc.iter_mut().enumerate() {
                            let x = v128_load64_splat(xq.add(8 * t).cast());
                            *acc = [dot(x, w0, acc[0]), dot(x, w1, acc[1])];
                        }
                        q = q.add(32);
                        xq = xq.add(8 * T);
                    }
                    let d = reader.read4(w.add(Q8_D + 8 * half).cast());
                    for (t, [a, b]) in acc.into_iter().enumerate() {
                        let even = i32x4_shuffle::<0, 2, 4, 6>(a, b);
                        let odd = i32x4_shuffle::<1, 3, 5, 7>(a, b);
                        let dx = F32x4::load_splat(x.add(2 * BLOCK * T + 4 * t).cast());
                        sum[t][half] =
                            to_f32(i32x4_add(even, odd)).mul_add(d.mul(dx), sum[t][half]);
                    }
                }
                w = w.add(Q8_BLOCK);
                x = x.add(T * Self::SYMMETRIC_X);
            }
        }
        finish(sum)
    }

    #[inline(always)]
    unsafe fn table4_unpack(levels: &[i8; 16], panel: *const u8, n_blocks: usize, out: *mut u8) {
        // SAFETY: by the caller.
        unsafe { table4_unpack(levels, panel, n_blocks, out) }
    }
}

/// What an affine product of 8 rows with one token needs beside integers: Σ w·x = d·dx·Σq·qx
/// + m·s, s being the sum of the activations.
pub(crate) struct Affine {
    d: [F32x4; 2],
    m: [F32x4; 2],
    s: F32x4,
}

impl Affine {
    /// What it takes of a block of activations: dx, s of the block, s of each half.
    pub(crate) const BYTES: usize = 16;

    /// Writes a token's part behind a block of `T` tokens.
    #[inline(always)]
    pub(crate) fn put<const T: usize>(q: &QuantisedBlock, out: &mut [u8], t: usize) {
        for (i, value) in [q.d, q.s, q.s - q.s_second, q.s_second].into_iter().enumerate() {
            put_f32(out, 4 * (i * T + t), value * X_SCALE);
        }
    }

    /// Reads those of one of `H` parts of a block: `scales` are those of the weights, `x`
    /// what [`Affine::put`] wrote.
    ///
    /// # Safety
    /// `scales` must be valid for `32 · H` bytes, `x` for `T · BYTES`.
    #[inline(always)]
    pub(crate) unsafe fn of<const T: usize, const H: usize>(
        reader: HalfReader,
        scales: *const u8,
        x: *const u8,
        t: usize,
        part: usize,
    ) -> Affine {
        // SAFETY: by the caller.
        unsafe {
            let row4 = |i: usize| reader.read4(scales.add(32 * part + i).cast());
            let x = |i: usize| F32x4::load_splat(x.add(4 * (i * T + t)).cast());
            let (dx, s) = (x(0), if H == 1 { x(1) } else { x(2 + part) });
            Affine { d: [row4(0).mul(dx), row4(8).mul(dx)], m: [row4(16), row4(24)], s }
        }
    }

    /// sum + a·d·dx + m·s.
    #[inline(always)]
    pub(crate) fn add(&self, a: [v128; 2], sum: [F32x4; 2]) -> [F32x4; 2] {
        let row4 = |i: usize| self.m[i].mul_add(self.s, to_f32(a[i]).mul_add(self.d[i], sum[i]));
        [row4(0), row4(1)]
    }
}

/// Undoes what is left of the two powers of two.
#[inline(always)]
pub(crate) fn finish<const T: usize>(sum: Tile<T>) -> Tile<T> {
    sum.map(|t| t.map(|f| f.mul(F32x4::splat(TILE_SCALE))))
}

/// One block of activations as integers.
pub(crate) struct QuantisedBlock {
    /// 32 values in -127..=127.
    pub(crate) q: [v128; 2],
    /// Scale.
    pub(crate) d: f32,
    /// d·Σq.
    pub(crate) s: f32,
    /// The same of the second half.
    pub(crate) s_second: f32,
}

impl QuantisedBlock {
    /// As i16, in order.
    fn widened(&self) -> [v128; 4] {
        let [a, b] = self.q;
        [
            i16x8_extend_low_i8x16(a),
            i16x8_extend_high_i8x16(a),
            i16x8_extend_low_i8x16(b),
            i16x8_extend_high_i8x16(b),
        ]
    }
}

/// Quantises one block; absent ones are zero.
#[inline(always)]
pub(crate) fn quantise_block(x: Option<&[f32; BLOCK]>) -> QuantisedBlock {
    let Some(x) = x else {
        return QuantisedBlock { q: [i32x4_splat(0); 2], d: 0.0, s: 0.0, s_second: 0.0 };
    };
    let mut v = [F32x4::zero(); 8];
    let mut max = F32x4::zero();
    for (v, x) in v.iter_mut().zip(x.as_chunks::<4>().0) {
        *v = F32x4::from_array(x);
        max = max.max(v.abs());
    }
    let (d, inverse) = block_scale(max.max_lane());
    let inverse = F32x4::splat(inverse);
    // Adding 1.5·2^23 rounds to the nearest integer, ties to even, and leaves it in the lowest
    // bits: cheaper than a saturating conversion.
    let magic = opaque(f32x4_splat(1.5 * (1 << 23) as f32));
    let q = v.map(|v| i32x4_sub(f32x4_add(v.mul(inverse).v128(), magic), magic));
    let total = |q: &[v128]| {
        let sum = q.iter().fold(i32x4_splat(0), |a, b| i32x4_add(a, *b));
        let sum = i32x4_add(sum, i32x4_shuffle::<2, 3, 0, 1>(sum, sum));
        i32x4_extract_lane::<0>(sum) + i32x4_extract_lane::<1>(sum)
    };
    let (first, second) = (total(&q[..4]), total(&q[4..]));
    let narrow = |q: &[v128]| {
        i8x16_narrow_i16x8(i16x8_narrow_i32x4(q[0], q[1]), i16x8_narrow_i32x4(q[2], q[3]))
    };
    QuantisedBlock {
        q: [narrow(&q[..4]), narrow(&q[4..])],
        d,
        s: d * (first + second) as f32,
        s_second: d * second as f32,
    }
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

/// Writes the two 64-bit lanes at `[lane][token]`.
#[inline(always)]
pub(crate) fn scatter8<const T: usize>(v: v128, out: &mut [u8], t: usize) {
    assert!(out.len() >= 16 * T && t < T);
    // SAFETY: checked above.
    unsafe {
        let p = out.as_mut_ptr().add(8 * t);
        v128_store64_lane::<0>(v, p.cast());
        v128_store64_lane::<1>(v, p.add(8 * T).cast());
    }
}

pub(crate) fn put_f32(out: &mut [u8], at: usize, value: f32) {
    out[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// `acc + a·b`, pairs of i16 products summed into i32.
#[inline(always)]
fn dot(a: v128, b: v128, acc: v128) -> v128 {
    i32x4_add(i32x4_dot_i16x8(a, b), acc)
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
