//! Relaxed SIMD: `i32x4.relaxed_dot_i8x16_i7x16_add_s`, one VNNI or SDOT instruction
//! where the CPU has it.
//!
//! Its second operand must stay in 0..=127 for the result to be the same everywhere.
//! Nibbles do. For Q8 the activation x is written as x + 127 = a + b with both in
//! 0..=127, and w·x = w·a + w·b - 127·Σw: two dots and no loss.

use super::f32x4::F32x4;
use super::level::{Level, Q4_BLOCK, Q8_BLOCK, Tile, block_of};
use super::simd128::{
    Q4_D, Q4_M, Q8_D, X_SCALE, finish, load, put_f32, quantise_block, scale_q4, scatter4, scatter8,
    splat4, store, to_f32,
};
use super::{BLOCK, PANEL_ROWS};
use core::arch::wasm32::*;
use core::hint::black_box;

/// Relaxed SIMD.
pub(crate) struct Relaxed;

/// Offset of the rows' sums in a Q8 block.
const Q8_SUM: usize = Q8_D + 2 * PANEL_ROWS;

/// Unpacked Q4: 32 columns of 8 rows as bytes, then the f16 scales and minima as they are.
const UNPACKED: usize = BLOCK * PANEL_ROWS + 4 * PANEL_ROWS;

impl Level for Relaxed {
    const Q4_X: usize = BLOCK + 8;
    const Q8_X: usize = 2 * BLOCK + 4;
    const Q4_UNPACKED: usize = UNPACKED;

    fn quantise_q4<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]) {
        for (b, out) in out.chunks_exact_mut(T * Self::Q4_X).take(n_blocks).enumerate() {
            for t in 0..T {
                let q = quantise_block(block_of(x, stride, t, b));
                scatter4::<T>(q.q[0], out, t);
                scatter4::<T>(q.q[1], &mut out[16 * T..], t);
                put_f32(out, BLOCK * T + 4 * t, q.d * X_SCALE);
                put_f32(out, BLOCK * T + 4 * (T + t), q.s * X_SCALE);
            }
        }
    }

    fn quantise_q8<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]) {
        for (b, out) in out.chunks_exact_mut(T * Self::Q8_X).take(n_blocks).enumerate() {
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
    unsafe fn q4_tile1(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<1> {
        let mask = i8x16_splat(15);
        let (mut w, mut x) = (panel, x);
        let (mut f0, mut f1) = (F32x4::zero(), F32x4::zero());
        let halves = black_box(2); // hidden, so that LLVM does not unroll into spills
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let zero = i32x4_splat(0);
                let (mut a0, mut a1, mut b0, mut b1) = (zero, zero, zero, zero);
                let (mut q, mut xq) = (w, x);
                for _ in 0..halves {
                    for j in 0..2 {
                        let (w0, w1) = (load(q, 32 * j), load(q, 32 * j + 16));
                        let (low, high) = (splat4(xq, 8 * j), splat4(xq, 8 * j + 4));
                        a0 = dot(low, v128_and(w0, mask), a0);
                        a1 = dot(low, v128_and(w1, mask), a1);
                        b0 = dot(high, v128_and(u16x8_shr(w0, 4), mask), b0);
                        b1 = dot(high, v128_and(u16x8_shr(w1, 4), mask), b1);
                    }
                    q = q.add(64);
                    xq = xq.add(16);
                }
                let acc = [i32x4_add(a0, b0), i32x4_add(a1, b1)];
                [f0, f1] = scale_q4(acc, w.add(Q4_D), x.add(BLOCK), 4, [f0, f1]);
                w = w.add(Q4_BLOCK);
                x = x.add(Self::Q4_X);
            }
        }
        finish([[f0, f1]])
    }

    #[inline(always)]
    unsafe fn q4_unpack(panel: *const u8, n_blocks: usize, out: *mut u8) {
        let mask = i8x16_splat(15);
        for b in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let (w, out) = (panel.add(b * Q4_BLOCK), out.add(b * UNPACKED));
                for i in 0..8 {
                    // Group i/2, half i%2: the low columns, then the high ones.
                    let (v, out) = (load(w, 16 * i), out.add(64 * (i / 2) + 16 * (i % 2)));
                    store(out, 0, v128_and(v, mask));
                    store(out, 32, v128_and(u16x8_shr(v, 4), mask));
                }
                store(out, UNPACKED - 32, load(w, Q4_D));
                store(out, UNPACKED - 16, load(w, Q4_M));
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_tile4(unpacked: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        let (mut w, mut x) = (unpacked, x);
        let mut sum = [[F32x4::zero(); 2]; 4];
        let groups = black_box(BLOCK / 4);
        for _ in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let mut acc = [[i32x4_splat(0); 2]; 4];
                let (mut q, mut xq) = (w, x);
                for _ in 0..groups {
                    let (w0, w1) = (load(q, 0), load(q, 16));
                    for (t, acc) in acc.iter_mut().enumerate() {
                        let x = splat4(xq, 4 * t);
                        *acc = [dot(x, w0, acc[0]), dot(x, w1, acc[1])];
                    }
                    q = q.add(32);
                    xq = xq.add(16);
                }
                for t in 0..4 {
                    let scales = w.add(UNPACKED - 32);
                    sum[t] = scale_q4(acc[t], scales, x.add(4 * BLOCK + 4 * t), 16, sum[t]);
                }
                w = w.add(UNPACKED);
                x = x.add(4 * Self::Q4_X);
            }
        }
        finish(sum)
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
                            acc[t] = [dot(w0, a, acc[t][0]), dot(w1, a, acc[t][1])];
                            if T == 1 {
                                acc_b[t] = [dot(w0, b, acc_b[t][0]), dot(w1, b, acc_b[t][1])];
                            } else {
                                acc[t] = [dot(w0, b, acc[t][0]), dot(w1, b, acc[t][1])];
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
                x = x.add(T * Self::Q8_X);
            }
        }
        finish(sum)
    }
}

/// `acc + a·b`, four products of a (i8) and b (0..=127) summed into each i32.
#[inline(always)]
fn dot(a: v128, b: v128, acc: v128) -> v128 {
    i32x4_relaxed_dot_i8x16_i7x16_add(a, b, acc)
}
