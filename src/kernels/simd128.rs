//! Plain wasm SIMD: every engine since 2021 has it.
//!
//! There is no 8-bit dot product at this level, so activations are kept as i16 and
//! multiplied by `i32x4.dot_i16x8_s`. For Q4 the two bytes of a 16-bit lane hold the
//! columns (0, 4 | 1, 5) of a group, so masking and shifting 16-bit lanes yields the
//! pairs (0, 2), (4, 6), (1, 3), (5, 7): activations are stored in that order. The bytes
//! of Q7 come apart the same way, (0, 2), (1, 3) from one group and (4, 6), (5, 7) from the
//! next.

use super::f32x4::{F32x4, HalfReader, opaque};
use super::lanes::{
    Affine, Q4_D, Q7_D, Q8_D, X_SCALE, finish, load, put_f32, quantise_block, scatter4, scatter8,
    splat4, store, table4_unpack, to_f32,
};
use super::level::{Level, Q8_BLOCK, Tile, block_of, q4_block, q4_unpacked, q7_block};
use super::{BLOCK, PANEL_ROWS};
use core::arch::wasm32::*;
use core::hint::black_box;

/// Plain simd128.
pub(crate) struct Simd128;

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
    unsafe fn q4_rows<const H: usize, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: by the caller.
        panels.map(|panel| unsafe { q4_tile1::<H>(panel, x, n_blocks)[0] })
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
    unsafe fn q7_rows<const H: usize, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: by the caller.
        panels.map(|panel| unsafe { q7_tile::<1, H>(panel, x, n_blocks)[0] })
    }

    #[inline(always)]
    unsafe fn q7_tile4<const H: usize>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: by the caller.
        unsafe { q7_tile::<4, H>(panel, x, n_blocks) }
    }

    #[inline(always)]
    unsafe fn q8_rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: by the caller.
        panels.map(|panel| unsafe { q8_tile::<1>(panel, x, n_blocks)[0] })
    }

    #[inline(always)]
    unsafe fn q8_tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: by the caller.
        unsafe { q8_tile::<4>(panel, x, n_blocks) }
    }

    #[inline(always)]
    unsafe fn table4_unpack(levels: &[i8; 16], panel: *const u8, n_blocks: usize, out: *mut u8) {
        // SAFETY: by the caller.
        unsafe { table4_unpack(levels, panel, n_blocks, out) }
    }
}

/// One Q4 panel and one token.
///
/// # Safety
/// As [`Level::q4_rows`].
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
            x = x.add(Simd128::AFFINE_X);
        }
    }
    finish([sum])
}

/// # Safety
/// As [`Level::q7_tile4`].
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
            x = x.add(T * Simd128::AFFINE_X);
        }
    }
    finish(sum)
}

/// # Safety
/// As [`Level::q8_tile4`].
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
                    sum[t][half] = to_f32(i32x4_add(even, odd)).mul_add(d.mul(dx), sum[t][half]);
                }
            }
            w = w.add(Q8_BLOCK);
            x = x.add(T * Simd128::SYMMETRIC_X);
        }
    }
    finish(sum)
}

/// `acc + a·b`, pairs of i16 products summed into i32.
#[inline(always)]
fn dot(a: v128, b: v128, acc: v128) -> v128 {
    i32x4_add(i32x4_dot_i16x8(a, b), acc)
}
