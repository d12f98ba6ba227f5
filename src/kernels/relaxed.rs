//! Relaxed SIMD: 8-bit dot products.
//!
//! Their second operand must stay in 0..=127 for the result to be the same everywhere.
//! Nibbles and Q7 do. For Q8 the activation x is written as x + 127 = a + b with both in
//! 0..=127, and w·x = w·a + w·b - 127·Σw: two dots and no loss.
//!
//! `i32x4.relaxed_dot_i8x16_i7x16_add_s` is one instruction where the CPU has VNNI or SDOT,
//! and three elsewhere. There, products of nibbles are better summed as i16, which takes
//! two and cannot overflow within a block: 8 · 2 · 15 · 127 < 2^15.

use super::f32x4::F32x4;
use super::level::{Level, Q8_BLOCK, Tile, block_of, q4_block, q4_unpacked, q7_block};
use super::simd128::{
    Affine, Q4_D, Q7_D, Q8_D, X_SCALE, finish, load, put_f32, quantise_block, scatter4, scatter8,
    splat4, store, table4_unpack, to_f32,
};
use super::{BLOCK, PANEL_ROWS};
use core::arch::wasm32::*;
use core::hint::black_box;

/// Relaxed SIMD.
pub(crate) struct Relaxed;

/// Offset of the rows' sums in a Q8 block.
const Q8_SUM: usize = Q8_D + 2 * PANEL_ROWS;

impl Level for Relaxed {
    const AFFINE_X: usize = BLOCK + Affine::BYTES;
    const SYMMETRIC_X: usize = 2 * BLOCK + 4;
    const Q4_UNPACKED: usize = 1;

    fn quantise_affine<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]) {
        for (b, out) in out.chunks_exact_mut(T * Self::AFFINE_X).take(n_blocks).enumerate() {
            for t in 0..T {
                let q = quantise_block(block_of(x, stride, t, b));
                scatter4::<T>(q.q[0], out, t);
                scatter4::<T>(q.q[1], &mut out[16 * T..], t);
                Affine::put::<T>(&q, &mut out[BLOCK * T..], t);
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
                for (half, q) in q.q.into_iter().enumerate() {
                    let shifted = i8x16_add(q, i8x16_splat(127));
                    let a = u8x16_shr(shifted, 1);
                    let b = i8x16_sub(shifted, a);
                    let out = &mut out[32 * T * half..];
                    scatter8::<T>(i32x4_shuffle::<0, 4, 1, 5>(a, b), out, t);
                    scatter8::<T>(i32x4_shuffle::<2, 6, 3, 7>(a, b), &mut out[16 * T..], t);
                }
                put_f32(out, 2 * BLOCK * T + 4 * t, q.d * X_SCALE);
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_tile1<const H: usize>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<1> {
        // SAFETY: by the caller.
        unsafe {
            match has_dot_instruction() {
                true => q4_tile1::<H, false>(panel, x, n_blocks),
                false => q4_tile1::<H, true>(panel, x, n_blocks),
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_unpack<const H: usize>(panel: *const u8, n_blocks: usize, out: *mut u8) {
        let mask = i8x16_splat(15);
        for b in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let w = panel.add(b * q4_block(H));
                let out = out.add(b * q4_unpacked::<Self>(H));
                for i in 0..8 {
                    // Group i/2, half i%2: the low columns, then the high ones.
                    let (v, out) = (load(w, 16 * i), out.add(64 * (i / 2) + 16 * (i % 2)));
                    store(out, 0, v128_and(v, mask));
                    store(out, 32, v128_and(u16x8_shr(v, 4), mask));
                }
                for i in 0..2 * H {
                    store(out, Q7_D + 16 * i, load(w, Q4_D + 16 * i));
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
        // SAFETY: by the caller; unpacked Q4 is what Q7 is.
        unsafe {
            match has_dot_instruction() {
                true => byte_tile::<4, H, false>(unpacked, x, n_blocks),
                false => byte_tile::<4, H, true>(unpacked, x, n_blocks),
            }
        }
    }

    #[inline(always)]
    unsafe fn q7_tile<const T: usize, const H: usize>(
        panel: *const u8,
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<T> {
        // SAFETY: by the caller.
        unsafe { byte_tile::<T, H, false>(panel, x, n_blocks) }
    }

    #[inline(always)]
    unsafe fn q8_tile<const T: usize>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<T> {
        let (mut w, mut x) = (panel, x);
        let mut sum = [[F32x4::zero(); 2]; T];
        let pairs = black_box(BLOCK / 8);
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let mut acc = [[i32x4_splat(0); 2]; T];
                // One token leaves registers free: a second chain of sums hides latency.
                let mut acc_b = [[i32x4_splat(0); 2]; T];
                let (mut q, mut xq) = (w, x);
                for _ in 0..pairs {
                    for g in 0..2 {
                        let (w0, w1) = (load(q, 32 * g), load(q, 32 * g + 16));
                        for t in 0..T {
                            let at = 8 * (T * g + t);
                            let (a, b) = (splat4(xq, at), splat4(xq, at + 4));
                            acc[t] =
                                [dot::<false>(w0, a, acc[t][0]), dot::<false>(w1, a, acc[t][1])];
                            if T == 1 {
                                acc_b[t] = [
                                    dot::<false>(w0, b, acc_b[t][0]),
                                    dot::<false>(w1, b, acc_b[t][1]),
                                ];
                            } else {
                                acc[t] = [
                                    dot::<false>(w0, b, acc[t][0]),
                                    dot::<false>(w1, b, acc[t][1]),
                                ];
                            }
                        }
                    }
                    q = q.add(64);
                    xq = xq.add(16 * T);
                }
                let c127 = i32x4_splat(127);
                let row_sum = |half: usize| {
                    i32x4_mul(i32x4_load_extend_i16x4(w.add(Q8_SUM + 8 * half).cast()), c127)
                };
                let d = |half: usize| F32x4::from_f16_scaled(w.add(Q8_D + 8 * half).cast());
                let (sums, d) = ([row_sum(0), row_sum(1)], [d(0), d(1)]);
                for t in 0..T {
                    let dx = F32x4::load_splat(x.add(2 * BLOCK * T + 4 * t).cast());
                    for half in 0..2 {
                        let mut a = acc[t][half];
                        if T == 1 {
                            a = i32x4_add(a, acc_b[t][half]);
                        }
                        let a = to_f32(i32x4_sub(a, sums[half]));
                        sum[t][half] = a.mul_add(d[half].mul(dx), sum[t][half]);
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

/// One token; with `SHORT`, sums of a block's products are i16.
///
/// # Safety
/// As [`Level::q4_tile1`].
#[inline(always)]
unsafe fn q4_tile1<const H: usize, const SHORT: bool>(
    panel: *const u8,
    x: *const u8,
    n_blocks: usize,
) -> Tile<1> {
    let mask = i8x16_splat(15);
    let (mut w, mut x) = (panel, x);
    let mut sum = [F32x4::zero(); 2];
    let rounds = black_box(2 / H); // hidden, so that LLVM does not unroll into spills
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let (mut q, mut xq) = (w, x);
            for part in 0..H {
                let zero = i32x4_splat(0);
                let (mut a0, mut a1, mut b0, mut b1) = (zero, zero, zero, zero);
                for _ in 0..rounds {
                    for j in 0..2 {
                        let (w0, w1) = (load(q, 32 * j), load(q, 32 * j + 16));
                        let (low, high) = (splat4(xq, 8 * j), splat4(xq, 8 * j + 4));
                        a0 = dot::<SHORT>(low, v128_and(w0, mask), a0);
                        a1 = dot::<SHORT>(low, v128_and(w1, mask), a1);
                        b0 = dot::<SHORT>(high, v128_and(u16x8_shr(w0, 4), mask), b0);
                        b1 = dot::<SHORT>(high, v128_and(u16x8_shr(w1, 4), mask), b1);
                    }
                    q = q.add(64);
                    xq = xq.add(16);
                }
                let acc = [total::<SHORT>(a0, b0), total::<SHORT>(a1, b1)];
                let scales = Affine::of::<1, H>(w.add(Q4_D), x.add(BLOCK), 0, part);
                sum = scales.add(acc, sum);
            }
            w = w.add(q4_block(H));
            x = x.add(Relaxed::AFFINE_X);
        }
    }
    finish([sum])
}

/// Weights that are bytes in 0..=127; with `SHORT` in 0..=15, and sums of a block's
/// products are i16.
///
/// # Safety
/// As [`Level::q7_tile`].
#[inline(always)]
unsafe fn byte_tile<const T: usize, const H: usize, const SHORT: bool>(
    panel: *const u8,
    x: *const u8,
    n_blocks: usize,
) -> Tile<T> {
    let (mut w, mut x) = (panel, x);
    let mut sum = [[F32x4::zero(); 2]; T];
    let pairs = black_box(BLOCK / 8 / H);
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let (mut q, mut xq) = (w, x);
            for part in 0..H {
                let zero = i32x4_splat(0);
                // One token leaves registers free: a second chain of sums hides latency.
                let (mut acc, mut acc_b) = ([[zero; 2]; T], [[zero; 2]; T]);
                for _ in 0..pairs {
                    for g in 0..2 {
                        let (w0, w1) = (load(q, 32 * g), load(q, 32 * g + 16));
                        for t in 0..T {
                            let x = splat4(xq, 4 * (T * g + t));
                            let acc = if T == 1 && g == 1 { &mut acc_b[t] } else { &mut acc[t] };
                            *acc = [dot::<SHORT>(x, w0, acc[0]), dot::<SHORT>(x, w1, acc[1])];
                        }
                    }
                    q = q.add(64);
                    xq = xq.add(8 * T);
                }
                for t in 0..T {
                    let both = [0, 1].map(|i| match T {
                        1 => total::<SHORT>(acc[t][i], acc_b[t][i]),
                        _ => total::<SHORT>(acc[t][i], zero),
                    });
                    let scales = Affine::of::<T, H>(w.add(Q7_D), x.add(T * BLOCK), t, part);
                    sum[t] = scales.add(both, sum[t]);
                }
            }
            w = w.add(q7_block(H));
            x = x.add(T * Relaxed::AFFINE_X);
        }
    }
    finish(sum)
}

/// `acc + a·b`, products of a (i8) and b (0..=127): four summed into each i32, or two into
/// each i16.
#[inline(always)]
fn dot<const SHORT: bool>(a: v128, b: v128, acc: v128) -> v128 {
    match SHORT {
        true => i16x8_add(i16x8_relaxed_dot_i8x16_i7x16(a, b), acc),
        false => i32x4_relaxed_dot_i8x16_i7x16_add(a, b, acc),
    }
}

/// The sum of two chains of [`dot`], as i32.
#[inline(always)]
fn total<const SHORT: bool>(a: v128, b: v128) -> v128 {
    match SHORT {
        true => i32x4_extadd_pairwise_i16x8(i16x8_add(a, b)),
        false => i32x4_add(a, b),
    }
}

/// Whether the engine makes one instruction of the i32 dot. Its result tells: beyond the
/// bounds that make it portable, x86 without VNNI saturates sums of two products to i16.
#[inline(always)]
fn has_dot_instruction() -> bool {
    let beyond = black_box(i8x16_splat(-1)); // 255 where bytes are unsigned
    let dot = i32x4_relaxed_dot_i8x16_i7x16_add(i8x16_splat(127), beyond, i32x4_splat(0));
    i32x4_extract_lane::<0>(dot) != 2 * i16::MAX as i32
}
