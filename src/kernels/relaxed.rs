//! Relaxed SIMD: 8-bit dot products.
//!
//! What a second operand's byte beyond 0..=127 means is the engine's choice. Nibbles and Q7
//! keep below. For Q8 the choice is looked at ([`dot_instruction`]), and activations are
//! written so that it does not matter: as they are where bytes are signed, plus 128 where
//! they are not. The integers that come out are the same.
//!
//! `i32x4.relaxed_dot_i8x16_i7x16_add_s` is one instruction where the CPU has VNNI or SDOT,
//! and three elsewhere, which may saturate. There, products of nibbles are better summed as
//! i16, which takes two and cannot overflow within a block: 8 · 2 · 15 · 127 < 2^15; and for
//! Q8 the activation x is written as x + 127 = a + b with both in 0..=127, two dots.

use super::f32x4::{F32x4, HalfReader, opaque};
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
        match dot_instruction() {
            Some(second) => quantise_whole::<T>(x, stride, n_blocks, second.offset() as i8, out),
            None => quantise_halves::<T>(x, stride, n_blocks, out),
        }
    }

    #[inline(always)]
    unsafe fn q4_tile1<const H: usize>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<1> {
        // SAFETY: by the caller.
        unsafe {
            match dot_instruction() {
                Some(_) => q4_tile1::<H, false>(panel, x, n_blocks),
                None => q4_tile1::<H, true>(panel, x, n_blocks),
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_unpack<const H: usize>(panel: *const u8, n_blocks: usize, out: *mut u8) {
        let mask = opaque(i8x16_splat(15));
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
            match dot_instruction() {
                Some(_) => byte_tile::<4, H, false>(unpacked, x, n_blocks),
                None => byte_tile::<4, H, true>(unpacked, x, n_blocks),
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
        // SAFETY: by the caller; the form of x is that of `quantise_symmetric`.
        unsafe {
            match dot_instruction() {
                Some(second) => q8_tile::<T>(panel, x, n_blocks, second),
                None => q8_tile_in_halves::<T>(panel, x, n_blocks),
            }
        }
    }

    #[inline(always)]
    unsafe fn table4_unpack(levels: &[i8; 16], panel: *const u8, n_blocks: usize, out: *mut u8) {
        // SAFETY: by the caller.
        unsafe { table4_unpack(levels, panel, n_blocks, out) }
    }

    #[inline(always)]
    fn symmetric_stride() -> usize {
        match dot_instruction() {
            Some(_) => BLOCK + 4,
            None => Self::SYMMETRIC_X,
        }
    }
}

/// Symmetric form, all bytes `offset` (modulo 256) above the activations.
fn quantise_whole<const T: usize>(
    x: &[f32],
    stride: usize,
    n_blocks: usize,
    offset: i8,
    out: &mut [u8],
) {
    for (b, out) in out.chunks_exact_mut(T * Relaxed::SYMMETRIC_X).take(n_blocks).enumerate() {
        for t in 0..T {
            let q = quantise_block(block_of(x, stride, t, b));
            let [low, high] = q.q.map(|q| i8x16_add(q, i8x16_splat(offset)));
            scatter4::<T>(low, out, t);
            scatter4::<T>(high, &mut out[16 * T..], t);
            put_f32(out, BLOCK * T + 4 * t, q.d * X_SCALE);
        }
    }
}

/// Symmetric form, activations x as a and b, x + 127 = a + b, both in 0..=127.
fn quantise_halves<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]) {
    for (b, out) in out.chunks_exact_mut(T * Relaxed::SYMMETRIC_X).take(n_blocks).enumerate() {
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
    let mask = opaque(i8x16_splat(15));
    let (mut w, mut x) = (panel, x);
    let mut sum = [F32x4::zero(); 2];
    let rounds = black_box(2 / H); // hidden, so that LLVM does not unroll into spills
    let reader = HalfReader::new();
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
                let scales = Affine::of::<1, H>(reader, w.add(Q4_D), x.add(BLOCK), 0, part);
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
    let mut sum = Sums::<T>::zero();
    let pairs = black_box(BLOCK / 8 / H);
    let reader = HalfReader::new();
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
                    let scales = Affine::of::<T, H>(reader, w.add(Q7_D), x.add(T * BLOCK), t, part);
                    sum.add(t, |sum| scales.add(both, sum));
                }
            }
            w = w.add(q7_block(H));
            x = x.add(T * Relaxed::AFFINE_X);
        }
    }
    finish(sum.0)
}

/// Q8 where the dot product takes any byte: `x` is [`Second::offset`] above the activations.
///
/// # Safety
/// As [`Level::q8_tile`].
#[inline(always)]
unsafe fn q8_tile<const T: usize>(
    panel: *const u8,
    x: *const u8,
    n_blocks: usize,
    second: Second,
) -> Tile<T> {
    let (mut w, mut x) = (panel, x);
    let mut sum = Sums::<T>::zero();
    let pairs = black_box(BLOCK / 8);
    let offset = i32x4_splat(-second.offset());
    let reader = HalfReader::new();
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let [s0, s1] = [0, 8].map(|i| i32x4_load_extend_i16x4(w.add(Q8_SUM + i).cast()));
            let mut acc = [[i32x4_mul(s0, offset), i32x4_mul(s1, offset)]; T];
            // One token leaves registers free: a second chain of sums hides latency.
            let mut acc_b = [[i32x4_splat(0); 2]; T];
            let (mut q, mut xq) = (w, x);
            for _ in 0..pairs {
                for g in 0..2 {
                    let (w0, w1) = (load(q, 32 * g), load(q, 32 * g + 16));
                    for t in 0..T {
                        let x = splat4(xq, 4 * (T * g + t));
                        let acc = if T == 1 && g == 1 { &mut acc_b[t] } else { &mut acc[t] };
                        *acc = [dot::<false>(w0, x, acc[0]), dot::<false>(w1, x, acc[1])];
                    }
                }
                q = q.add(64);
                xq = xq.add(8 * T);
            }
            let [d0, d1] = [0, 8].map(|i| reader.read4(w.add(Q8_D + i).cast()));
            for t in 0..T {
                let dx = F32x4::load_splat(x.add(BLOCK * T + 4 * t).cast());
                let [mut a0, mut a1] = acc[t];
                if T == 1 {
                    (a0, a1) = (i32x4_add(a0, acc_b[t][0]), i32x4_add(a1, acc_b[t][1]));
                }
                sum.add(t, |sum| {
                    [to_f32(a0).mul_add(d0.mul(dx), sum[0]), to_f32(a1).mul_add(d1.mul(dx), sum[1])]
                });
            }
            w = w.add(Q8_BLOCK);
            x = x.add(T * Relaxed::SYMMETRIC_X);
        }
    }
    finish(sum.0)
}

/// Q8 where the second operand must stay below 128: x + 127 = a + b.
///
/// # Safety
/// As [`Level::q8_tile`].
#[inline(always)]
unsafe fn q8_tile_in_halves<const T: usize>(
    panel: *const u8,
    x: *const u8,
    n_blocks: usize,
) -> Tile<T> {
    let (mut w, mut x) = (panel, x);
    let mut sum = [[F32x4::zero(); 2]; T];
    let groups = black_box(BLOCK / 4);
    let offset = i32x4_splat(-127);
    let reader = HalfReader::new();
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let [s0, s1] = [0, 8].map(|i| i32x4_load_extend_i16x4(w.add(Q8_SUM + i).cast()));
            let mut acc = [[i32x4_mul(s0, offset), i32x4_mul(s1, offset)]; T];
            let (mut q, mut xq) = (w, x);
            for _ in 0..groups {
                let (w0, w1) = (load(q, 0), load(q, 16));
                for (t, acc) in acc.iter_mut().enumerate() {
                    for half in 0..2 {
                        let x = splat4(xq, 8 * t + 4 * half);
                        *acc = [dot::<false>(w0, x, acc[0]), dot::<false>(w1, x, acc[1])];
                    }
                }
                q = q.add(32);
                xq = xq.add(8 * T);
            }
            let [d0, d1] = [0, 8].map(|i| reader.read4(w.add(Q8_D + i).cast()));
            for t in 0..T {
                let dx = F32x4::load_splat(x.add(2 * BLOCK * T + 4 * t).cast());
                sum[t] = [
                    to_f32(acc[t][0]).mul_add(d0.mul(dx), sum[t][0]),
                    to_f32(acc[t][1]).mul_add(d1.mul(dx), sum[t][1]),
                ];
            }
            w = w.add(Q8_BLOCK);
            x = x.add(T * Relaxed::SYMMETRIC_X);
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

/// What the engine's dot instruction makes of a second operand's bytes beyond 127.
#[derive(Clone, Copy, PartialEq)]
enum Second {
    /// x86 with VNNI: 128..=255.
    Unsigned,
    /// Arm: they are negative.
    Signed,
}

impl Second {
    /// What makes any i8 a second operand.
    fn offset(self) -> i32 {
        match self {
            Second::Unsigned => 128,
            Second::Signed => 0,
        }
    }
}

/// Whether the engine makes one instruction of the i32 dot, and which. Its result tells:
/// beyond the bounds that make it portable, x86 without VNNI saturates sums of two products
/// to i16.
#[inline(always)]
fn dot_instruction() -> Option<Second> {
    let beyond = black_box(i8x16_splat(-1)); // 255 where bytes are unsigned
    let dot = i32x4_relaxed_dot_i8x16_i7x16_add(i8x16_splat(127), beyond, i32x4_splat(0));
    match i32x4_extract_lane::<0>(dot) {
        UNSIGNED => Some(Second::Unsigned),
        SIGNED => Some(Second::Signed),
        _ => None,
    }
}

const UNSIGNED: i32 = 4 * 127 * 255;
const SIGNED: i32 = -4 * 127;

/// Sums of a tile. With several tokens they stay in memory between blocks, as the integer
/// sums need the registers: left to itself, V8 would spill those, in the innermost loop.
struct Sums<const T: usize>(Tile<T>);

impl<const T: usize> Sums<T> {
    #[inline(always)]
    fn zero() -> Self {
        Sums([[F32x4::zero(); 2]; T])
    }

    #[inline(always)]
    fn add(&mut self, t: usize, f: impl Fn([F32x4; 2]) -> [F32x4; 2]) {
        let sum = &mut self.0[t];
        if T == 1 {
            *sum = f(*sum);
            return;
        }
        // SAFETY: both are of a reference.
        unsafe {
            let before = [0, 1].map(|i| core::ptr::read_volatile(&sum[i]));
            for (sum, after) in sum.iter_mut().zip(f(before)) {
                core::ptr::write_volatile(sum, after);
            }
        }
    }
}
