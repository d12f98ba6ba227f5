//! Plain wasm SIMD: every engine since 2021 has it.
//!
//! There is no 8-bit dot product at this level, so activations are kept as i16 and
//! multiplied by `i32x4.dot_i16x8_s`. For Q4 the two bytes of a 16-bit lane hold the
//! columns (0, 4 | 1, 5) of a group, so masking 16-bit lanes yields the pairs (0, 2), (4, 6),
//! (1, 3), (5, 7): activations are stored in that order. The bytes of Q7 and Q8 come apart
//! the same way, (0, 2), (1, 3) from one group and (4, 6), (5, 7) from the next.
//!
//! Weights stay in their places within a lane, as a shift after each mask would be a fifth of
//! all operations: a nibble in place is the weight times a power of two, and its activation is
//! stored times the rest of [`DOT_SCALE`]. Sums are exact: a block's are below 2^28, and
//! multiples of 2^8, so f32 holds them.

use super::f32x4::{F32x4, HalfReader, opaque};
use super::lanes::{
    Affine, Q4_D, Q7_D, Q8_D, QuantisedBlock, X_SCALE, finish, load, put_f32, quantise_block,
    scatter4, splat4, store, table4_unpack, to_f32,
};
use super::level::{Level, Q8_BLOCK, Scales, Tile, block_of, q4_block, q4_unpacked, q7_block};
use super::{BLOCK, PANEL_ROWS};
use core::arch::wasm32::*;
use core::hint::black_box;

/// Plain simd128.
pub(crate) struct Simd128;

/// The same in Q4 unpacked to i16.
const UNPACKED_D: usize = 2 * BLOCK * PANEL_ROWS;
/// What sums of integers are multiplied by. The scales of activations are divided by it.
const DOT_SCALE: i32 = 256;
/// What one token's activations carry of it, for each two pairs of a group: i16 holds no more
/// than 256 · 127, and of a lane's nibbles only the highest, which has the sign's bit, is shifted
/// down. Of four tokens the weights carry all of it, as they are taken apart once for them.
const Q4_REST: v128 = i16x8(256, 256, 16, 16, 1, 1, 256, 256);
const ONE: v128 = i16x8(1, 1, 1, 1, 1, 1, 1, 1);

impl Level for Simd128 {
    const AFFINE_X: usize = 2 * BLOCK + Affine::BYTES;
    const SYMMETRIC_X: usize = 2 * BLOCK + 4;
    const Q4_UNPACKED: usize = 2;

    fn quantise_affine<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]) {
        for (b, out) in out.chunks_exact_mut(T * Self::AFFINE_X).take(n_blocks).enumerate() {
            for t in 0..T {
                let q = quantise_block(block_of(x, stride, t, b));
                put_pairs::<T>(&q, if T == 1 { Q4_REST } else { ONE }, out, t);
                Affine::put::<T>(&q, DOT_SCALE, &mut out[2 * BLOCK * T..], t);
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
                put_pairs::<T>(&q, ONE, out, t);
                put_f32(out, 2 * BLOCK * T + 4 * t, q.d * (X_SCALE / DOT_SCALE as f32));
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_rows<S: Scales, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        let nibbles = Nibbles::new();
        let (mut w, mut x) = (panels, x);
        let mut sum = [[F32x4::zero(); 2]; P];
        let rounds = black_box(4 / S::PARTS); // hidden, so that LLVM does not unroll into spills
        let reader = HalfReader::new();
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let (mut q, mut xq) = (w, x);
                for part in 0..S::PARTS {
                    let mut acc = [[Affine::start::<1, S>(x.add(2 * BLOCK), 0, part); 2]; P];
                    for _ in 0..rounds {
                        let x = [0, 4, 8, 12].map(|at| splat4(xq, at));
                        for (q, acc) in q.iter_mut().zip(&mut acc) {
                            for (i, acc) in acc.iter_mut().enumerate() {
                                for (w, x) in nibbles.of(load(*q, 16 * i)).into_iter().zip(x) {
                                    *acc = dot(x, w, *acc);
                                }
                            }
                            *q = q.add(32);
                        }
                        xq = xq.add(16);
                    }
                    for ((w, acc), sum) in w.iter().zip(acc).zip(&mut sum) {
                        let x = x.add(2 * BLOCK);
                        let scales = Affine::of::<1, S>(reader, w.add(Q4_D), x, 0, part);
                        *sum = scales.add(acc, *sum);
                    }
                }
                w = w.map(|w| w.add(q4_block::<S>()));
                x = x.add(Self::AFFINE_X);
            }
        }
        finish(sum)
    }

    #[inline(always)]
    unsafe fn q4_unpack<S: Scales>(panel: *const u8, n_blocks: usize, out: *mut u8) {
        let nibbles = Nibbles::new();
        for b in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let w = panel.add(b * q4_block::<S>());
                let out = out.add(b * q4_unpacked::<Self, S>());
                for i in 0..8 {
                    // Group i/2, half i%2: four column pairs, 32 bytes apart.
                    let out = out.add(128 * (i / 2) + 16 * (i % 2));
                    let [a, b, c, d] = nibbles.of(load(w, 16 * i));
                    store(out, 0, i16x8_shl(a, 8));
                    store(out, 32, i16x8_shl(b, 4));
                    store(out, 64, c);
                    store(out, 96, i16x8_shl(d, 8));
                }
                for i in 0..S::BYTES / 16 {
                    store(out, UNPACKED_D + 16 * i, load(w, Q4_D + 16 * i));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_tile4<S: Scales>(unpacked: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        let (mut w, mut x) = (unpacked, x);
        let mut sum = [[F32x4::zero(); 2]; 4];
        let pairs = black_box(BLOCK / 2 / S::PARTS);
        let reader = HalfReader::new();
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let (mut q, mut xq) = (w, x);
                for part in 0..S::PARTS {
                    let start = |t| Affine::start::<4, S>(x.add(8 * BLOCK), t, part);
                    let mut with_next = |sums| {
                        let sums = q4_pair(sums, q, xq);
                        (q, xq) = (q.add(32), xq.add(16));
                        sums
                    };
                    // The first pair ahead of the loop: nothing is added to zeros.
                    let mut acc = with_next([0, 1, 2, 3].map(|t| [start(t); 2]));
                    for _ in 1..pairs {
                        acc = with_next(acc);
                    }
                    for t in 0..4 {
                        let x = x.add(8 * BLOCK);
                        let scales = Affine::of::<4, S>(reader, w.add(UNPACKED_D), x, t, part);
                        sum[t] = scales.add(acc[t], sum[t]);
                    }
                }
                w = w.add(q4_unpacked::<Self, S>());
                x = x.add(4 * Self::AFFINE_X);
            }
        }
        finish(sum)
    }

    #[inline(always)]
    unsafe fn q7_rows<S: Scales, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        let low = opaque(i16x8_splat(0xff));
        let (mut w, mut x) = (panels, x);
        let mut sum = [[F32x4::zero(); 2]; P];
        let rounds = black_box(4 / S::PARTS);
        let reader = HalfReader::new();
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let (mut q, mut xq) = (w, x);
                for part in 0..S::PARTS {
                    let mut acc = [[Affine::start::<1, S>(x.add(2 * BLOCK), 0, part); 2]; P];
                    for _ in 0..rounds {
                        // Odd weights as they stand: 256·odd + even, of which even·x_odd is
                        // taken back in the other product.
                        let odd = [splat4(xq, 8), i16x8_shr(splat4(xq, 12), 8)];
                        let even = [splat4(xq, 0), i16x8_shl(splat4(xq, 4), 4)];
                        for g in 0..2 {
                            let even = i16x8_sub(even[g], odd[g]);
                            for (q, acc) in q.iter().zip(&mut acc) {
                                for (i, acc) in acc.iter_mut().enumerate() {
                                    let w = load(*q, 32 * g + 16 * i);
                                    *acc = dot(odd[g], w, dot(even, v128_and(w, low), *acc));
                                }
                            }
                        }
                        q = q.map(|q| q.add(64));
                        xq = xq.add(16);
                    }
                    for ((w, acc), sum) in w.iter().zip(acc).zip(&mut sum) {
                        let x = x.add(2 * BLOCK);
                        let scales = Affine::of::<1, S>(reader, w.add(Q7_D), x, 0, part);
                        *sum = scales.add(acc, *sum);
                    }
                }
                w = w.map(|w| w.add(q7_block::<S>()));
                x = x.add(Self::AFFINE_X);
            }
        }
        finish(sum)
    }

    #[inline(always)]
    unsafe fn q7_tile4<S: Scales>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        let high = opaque(i16x8_splat(0x7f00));
        let (mut w, mut x) = (panel, x);
        let mut sum = [[F32x4::zero(); 2]; 4];
        let rounds = black_box(4 / S::PARTS);
        let reader = HalfReader::new();
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let (mut q, mut xq) = (w, x);
                for part in 0..S::PARTS {
                    let start = |t| Affine::start::<4, S>(x.add(8 * BLOCK), t, part);
                    let mut acc = [0, 1, 2, 3].map(|t| [start(t); 2]);
                    for _ in 0..rounds {
                        for g in 0..2 {
                            let w = [load(q, 32 * g), load(q, 32 * g + 16)];
                            let even = w.map(|w| i16x8_shl(w, 8));
                            let odd = w.map(|w| v128_and(w, high));
                            for (t, acc) in acc.iter_mut().enumerate() {
                                let x_even = splat4(xq, 4 * (4 * g + t));
                                let x_odd = splat4(xq, 4 * (4 * (2 + g) + t));
                                for i in 0..2 {
                                    acc[i] = dot(x_odd, odd[i], dot(x_even, even[i], acc[i]));
                                }
                            }
                        }
                        q = q.add(64);
                        xq = xq.add(64);
                    }
                    for t in 0..4 {
                        let x = x.add(8 * BLOCK);
                        let scales = Affine::of::<4, S>(reader, w.add(Q7_D), x, t, part);
                        sum[t] = scales.add(acc[t], sum[t]);
                    }
                }
                w = w.add(q7_block::<S>());
                x = x.add(4 * Self::AFFINE_X);
            }
        }
        finish(sum)
    }

    #[inline(always)]
    unsafe fn q8_rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: by the caller.
        unsafe { q8_tile::<P, 1>(panels, x, n_blocks) }.map(|[tile]| tile)
    }

    #[inline(always)]
    unsafe fn q8_tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: by the caller.
        let [tile] = unsafe { q8_tile::<1, 4>([panel], x, n_blocks) };
        tile
    }

    #[inline(always)]
    unsafe fn table4_unpack(levels: &[i8; 16], panel: *const u8, n_blocks: usize, out: *mut u8) {
        // SAFETY: by the caller.
        unsafe { table4_unpack(levels, panel, n_blocks, out) }
    }
}

/// The sums of four tokens with 8 rows, and the products of a pair of columns.
///
/// # Safety
/// `w` must be valid for 32 bytes, `x` for 16.
#[inline(always)]
unsafe fn q4_pair(sums: [[v128; 2]; 4], w: *const u8, x: *const u8) -> [[v128; 2]; 4] {
    // SAFETY: by the caller.
    unsafe {
        let (w0, w1) = (load(w, 0), load(w, 16));
        core::array::from_fn(|t| {
            let x = splat4(x, 4 * t);
            [dot(x, w0, sums[t][0]), dot(x, w1, sums[t][1])]
        })
    }
}

/// Takes Q4 apart: the pairs (0, 2), (4, 6), (1, 3), (5, 7) of a group, times 1, 16, 256
/// and 1.
#[derive(Clone, Copy)]
struct Nibbles([v128; 3]);

impl Nibbles {
    fn new() -> Nibbles {
        Nibbles([0x000f, 0x00f0, 0x0f00].map(|mask| opaque(i16x8_splat(mask))))
    }

    #[inline(always)]
    fn of(self, w: v128) -> [v128; 4] {
        let [a, b, c] = self.0.map(|mask| v128_and(w, mask));
        [a, b, c, u16x8_shr(w, 12)]
    }
}

/// Writes the pairs of a token's columns, times `rest`.
#[inline(always)]
fn put_pairs<const T: usize>(q: &QuantisedBlock, rest: v128, out: &mut [u8], t: usize) {
    for (j, wide) in q.q.into_iter().enumerate() {
        let pairs = i16x8_shuffle::<0, 2, 4, 6, 1, 3, 5, 7>(wide, wide);
        scatter4::<T>(i16x8_mul(pairs, rest), &mut out[16 * T * j..], t);
    }
}

/// `P` Q8 panels and `T` tokens. A byte becomes the upper one of a lane, which keeps its sign:
/// one operation each, where widening takes three for two.
///
/// # Safety
/// As [`Level::q8_tile4`], for each panel.
#[inline(always)]
unsafe fn q8_tile<const P: usize, const T: usize>(
    panels: [*const u8; P],
    x: *const u8,
    n_blocks: usize,
) -> [Tile<T>; P] {
    let high = opaque(i16x8_splat(-0x100));
    let (mut w, mut x) = (panels, x);
    let mut sum = [[[F32x4::zero(); 2]; T]; P];
    let rounds = black_box(BLOCK / 8);
    let reader = HalfReader::new();
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let (mut q, mut xq) = (w, x);
            let mut acc = [[[i32x4_splat(0); 2]; T]; P];
            for _ in 0..rounds {
                for g in 0..2 {
                    for (q, acc) in q.iter().zip(&mut acc) {
                        let w = [load(*q, 32 * g), load(*q, 32 * g + 16)];
                        let even = w.map(|w| i16x8_shl(w, 8));
                        let odd = w.map(|w| v128_and(w, high));
                        for (t, acc) in acc.iter_mut().enumerate() {
                            let x_even = splat4(xq, 4 * (T * g + t));
                            let x_odd = splat4(xq, 4 * (T * (2 + g) + t));
                            for i in 0..2 {
                                acc[i] = dot(x_odd, odd[i], dot(x_even, even[i], acc[i]));
                            }
                        }
                    }
                }
                q = q.map(|q| q.add(64));
                xq = xq.add(16 * T);
            }
            for ((w, acc), sum) in w.iter().zip(acc).zip(&mut sum) {
                let d = [0, 8].map(|at| reader.read4(w.add(Q8_D + at).cast()));
                for (t, acc) in acc.into_iter().enumerate() {
                    let dx = F32x4::load_splat(x.add(2 * BLOCK * T + 4 * t).cast());
                    for i in 0..2 {
                        sum[t][i] = to_f32(acc[i]).mul_add(d[i].mul(dx), sum[t][i]);
                    }
                }
            }
            w = w.map(|w| w.add(Q8_BLOCK));
            x = x.add(T * Simd128::SYMMETRIC_X);
        }
    }
    sum.map(finish)
}

/// `acc + a·b`, pairs of i16 products summed into i32.
#[inline(always)]
fn dot(a: v128, b: v128, acc: v128) -> v128 {
    i32x4_add(i32x4_dot_i16x8(a, b), acc)
}
