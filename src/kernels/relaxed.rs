//! Relaxed SIMD: 8-bit dot products.
//!
//! What a second operand's byte beyond 0..=127 means is the engine's choice. Nibbles and Q7
//! keep below, unless bytes are known to have no sign ([`Level::takes_bytes`]).
//! For Q8 the choice is looked at ([`dot_instruction`]), and activations are
//! written so that it does not matter: as they are where bytes are signed, plus 128 where
//! they are not. The integers that come out are the same.
//!
//! `i32x4.relaxed_dot_i8x16_i7x16_add_s` is one instruction where the CPU has VNNI or SDOT,
//! and three elsewhere, which may saturate. There, products of nibbles are better summed as
//! i16, which takes two and cannot overflow within a block: 8 · 2 · 15 · 127 < 2^15; and for
//! Q8 the activation x is written as x + 127 = a + b with both in 0..=127, two dots.

use super::BLOCK;
use super::f32x4::{F32x4, HalfReader, opaque};
use super::lanes::{
    Affine, Q4_D, Q7_D, QuantisedBlock, finish, load, quantise_block, scatter4, splat4, store,
    table4_unpack,
};
use super::level::{Level, Scales, Tile, block_of, q4_block, q4_unpacked, q7_block};
use super::relaxed_q8::{
    Second, dot_instruction, q8_rows, q8_tile, q8_tile_in_halves, quantise_halves, quantise_whole,
};
use core::arch::wasm32::*;
use core::hint::black_box;

/// Relaxed SIMD.
pub(crate) struct Relaxed;

impl Level for Relaxed {
    const AFFINE_X: usize = BLOCK + Affine::BYTES;
    const SYMMETRIC_X: usize = 2 * BLOCK + 4;
    const Q4_UNPACKED: usize = 1;

    fn takes_bytes() -> bool {
        dot_instruction() == Some(Second::Unsigned)
    }

    fn quantise_affine<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]) {
        for (b, out) in out.chunks_exact_mut(T * Self::AFFINE_X).take(n_blocks).enumerate() {
            for t in 0..T {
                let q = quantise_block(block_of(x, stride, t, b));
                let [low, high] = bytes_of(&q);
                scatter4::<T>(low, out, t);
                scatter4::<T>(high, &mut out[16 * T..], t);
                Affine::put::<T>(&q, 1, &mut out[BLOCK * T..], t);
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
    unsafe fn q4_rows<S: Scales, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: by the caller.
        unsafe {
            match dot_instruction() {
                Some(_) => q4_rows::<S, false, P>(panels, x, n_blocks),
                None => q4_rows::<S, true, P>(panels, x, n_blocks),
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_unpack<S: Scales>(panel: *const u8, n_blocks: usize, out: *mut u8) {
        let mask = opaque(i8x16_splat(15));
        for b in 0..n_blocks {
            // SAFETY: the caller gives n_blocks blocks of each.
            unsafe {
                let w = panel.add(b * q4_block::<S>());
                let out = out.add(b * q4_unpacked::<Self, S>());
                for i in 0..8 {
                    // Group i/2, half i%2: the low columns, then the high ones.
                    let (v, out) = (load(w, 16 * i), out.add(64 * (i / 2) + 16 * (i % 2)));
                    store(out, 0, v128_and(v, mask));
                    store(out, 32, v128_and(u16x8_shr(v, 4), mask));
                }
                for i in 0..S::BYTES / 16 {
                    store(out, Q7_D + 16 * i, load(w, Q4_D + 16 * i));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn q4_tile4<S: Scales>(unpacked: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: by the caller; unpacked Q4 is what Q7 is.
        unsafe {
            match dot_instruction() {
                Some(_) => byte_tile::<S, false>(unpacked, x, n_blocks),
                None => byte_tile::<S, true>(unpacked, x, n_blocks),
            }
        }
    }

    #[inline(always)]
    unsafe fn q7_rows<S: Scales, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: by the caller.
        unsafe { byte_rows::<S, P>(panels, x, n_blocks) }
    }

    #[inline(always)]
    unsafe fn q7_tile4<S: Scales>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: by the caller.
        unsafe { byte_tile::<S, false>(panel, x, n_blocks) }
    }

    #[inline(always)]
    unsafe fn q8_rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: by the caller; the form of x is that of `quantise_symmetric`.
        unsafe {
            match dot_instruction() {
                Some(second) => q8_rows::<P>(panels, x, n_blocks, second),
                None => panels.map(|panel| q8_tile_in_halves::<1>(panel, x, n_blocks)[0]),
            }
        }
    }

    #[inline(always)]
    unsafe fn q8_tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: as above.
        unsafe {
            match dot_instruction() {
                Some(second) => q8_tile(panel, x, n_blocks, second),
                None => q8_tile_in_halves::<4>(panel, x, n_blocks),
            }
        }
    }

    #[inline(always)]
    unsafe fn table4_unpack(levels: &[i8; 16], panel: *const u8, n_blocks: usize, out: *mut u8) {
        // SAFETY: by the caller.
        unsafe { table4_unpack(levels, panel, n_blocks, out) }
    }
}

/// One token and `P` panels, read side by side: memory streams faster in two places, and four
/// chains of sums hide latency. With `SHORT`, sums of a block's products are i16.
///
/// # Safety
/// As [`Level::q4_rows`], for each panel.
#[inline(always)]
unsafe fn q4_rows<S: Scales, const SHORT: bool, const P: usize>(
    panels: [*const u8; P],
    x: *const u8,
    n_blocks: usize,
) -> Tile<P> {
    let mask = opaque(i8x16_splat(15));
    let (mut w, mut x) = (panels, x);
    let mut sum = [[F32x4::zero(); 2]; P];
    let rounds = black_box(4 / S::PARTS); // hidden, so that LLVM does not unroll into spills
    let reader = HalfReader::new();
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let (mut q, mut xq) = (w, x);
            for part in 0..S::PARTS {
                let start = Affine::start::<1, S>(x.add(BLOCK), 0, part);
                let mut acc = [[first::<SHORT>(start); 2]; P];
                for _ in 0..rounds {
                    let (low, high) = (splat4(xq, 0), splat4(xq, 4));
                    for (q, acc) in q.iter_mut().zip(&mut acc) {
                        for i in 0..2 {
                            let w = load(*q, 16 * i);
                            acc[i] = dot::<SHORT>(low, v128_and(w, mask), acc[i]);
                            let w = v128_and(u16x8_shr(w, 4), mask);
                            acc[i] = dot::<SHORT>(high, w, acc[i]);
                        }
                        *q = q.add(32);
                    }
                    xq = xq.add(8);
                }
                for ((w, acc), sum) in w.iter().zip(acc).zip(&mut sum) {
                    let scales = Affine::of::<1, S>(reader, w.add(Q4_D), x.add(BLOCK), 0, part);
                    *sum = scales.add(acc.map(|acc| total::<SHORT>(acc, start)), *sum);
                }
            }
            w = w.map(|w| w.add(q4_block::<S>()));
            x = x.add(Relaxed::AFFINE_X);
        }
    }
    finish(sum)
}

/// The same for weights that are bytes in 0..=127, or up to 255 where the level takes them.
///
/// # Safety
/// As [`Level::q7_rows`], for each panel.
#[inline(always)]
unsafe fn byte_rows<S: Scales, const P: usize>(
    panels: [*const u8; P],
    x: *const u8,
    n_blocks: usize,
) -> Tile<P> {
    let (mut w, mut x) = (panels, x);
    let mut sum = [[F32x4::zero(); 2]; P];
    let pairs = black_box(BLOCK / 8 / S::PARTS);
    let reader = HalfReader::new();
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let (mut q, mut xq) = (w, x);
            for part in 0..S::PARTS {
                let mut acc = [[Affine::start::<1, S>(x.add(BLOCK), 0, part); 2]; P];
                for _ in 0..pairs {
                    for g in 0..2 {
                        let x = splat4(xq, 4 * g);
                        for (q, acc) in q.iter().zip(&mut acc) {
                            for i in 0..2 {
                                acc[i] = dot::<false>(x, load(*q, 32 * g + 16 * i), acc[i]);
                            }
                        }
                    }
                    q = q.map(|q| q.add(64));
                    xq = xq.add(8);
                }
                for ((w, acc), sum) in w.iter().zip(acc).zip(&mut sum) {
                    let scales = Affine::of::<1, S>(reader, w.add(Q7_D), x.add(BLOCK), 0, part);
                    *sum = scales.add(acc, *sum);
                }
            }
            w = w.map(|w| w.add(q7_block::<S>()));
            x = x.add(Relaxed::AFFINE_X);
        }
    }
    finish(sum)
}

/// Weights that are bytes in 0..=127; with `SHORT` in 0..=15, and sums of a block's
/// products are i16.
///
/// # Safety
/// As [`Level::q7_tile4`].
#[inline(always)]
unsafe fn byte_tile<S: Scales, const SHORT: bool>(
    panel: *const u8,
    x: *const u8,
    n_blocks: usize,
) -> Tile<4> {
    let (mut w, mut x) = (panel, x);
    let mut sum = Sums::zero();
    let pairs = black_box(BLOCK / 8 / S::PARTS);
    let reader = HalfReader::new();
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let (mut q, mut xq) = (w, x);
            for part in 0..S::PARTS {
                let start = |t| Affine::start::<4, S>(x.add(4 * BLOCK), t, part);
                let mut acc = [0, 1, 2, 3].map(|t| [first::<SHORT>(start(t)); 2]);
                for _ in 0..pairs {
                    for g in 0..2 {
                        let (w0, w1) = (load(q, 32 * g), load(q, 32 * g + 16));
                        for (t, acc) in acc.iter_mut().enumerate() {
                            let x = splat4(xq, 4 * (4 * g + t));
                            *acc = [dot::<SHORT>(x, w0, acc[0]), dot::<SHORT>(x, w1, acc[1])];
                        }
                    }
                    q = q.add(64);
                    xq = xq.add(32);
                }
                for (t, acc) in acc.into_iter().enumerate() {
                    let acc = acc.map(|acc| total::<SHORT>(acc, start(t)));
                    let scales = Affine::of::<4, S>(reader, w.add(Q7_D), x.add(4 * BLOCK), t, part);
                    sum.add(t, |sum| scales.add(acc, sum));
                }
            }
            w = w.add(q7_block::<S>());
            x = x.add(4 * Relaxed::AFFINE_X);
        }
    }
    finish(sum.0)
}

/// A block of activations as i8.
#[inline(always)]
pub(super) fn bytes_of(block: &QuantisedBlock) -> [v128; 2] {
    let [a, b, c, d] = block.q;
    [i8x16_narrow_i16x8(a, b), i8x16_narrow_i16x8(c, d)]
}

/// `acc + a·b`, products of a (i8) and b (0..=127, or what the engine takes): four summed into each i32, or two into
/// each i16.
#[inline(always)]
pub(super) fn dot<const SHORT: bool>(a: v128, b: v128, acc: v128) -> v128 {
    match SHORT {
        true => i16x8_add(i16x8_relaxed_dot_i8x16_i7x16(a, b), acc),
        false => i32x4_relaxed_dot_i8x16_i7x16_add(a, b, acc),
    }
}

/// What a chain of [`dot`] begins with. In i16 `start` has no room beside the products.
#[inline(always)]
fn first<const SHORT: bool>(start: v128) -> v128 {
    if SHORT { i32x4_splat(0) } else { start }
}

/// A chain of [`dot`] as i32, with `start`.
#[inline(always)]
fn total<const SHORT: bool>(acc: v128, start: v128) -> v128 {
    if SHORT { i32x4_add(i32x4_extadd_pairwise_i16x8(acc), start) } else { acc }
}

/// Sums of a tile, which stay in memory between blocks, as the integer sums need the
/// registers: left to itself, V8 would spill those, in the innermost loop.
pub(super) struct Sums(pub(super) Tile<4>);

impl Sums {
    #[inline(always)]
    pub(super) fn zero() -> Self {
        Sums([[F32x4::zero(); 2]; 4])
    }

    #[inline(always)]
    pub(super) fn add(&mut self, t: usize, f: impl Fn([F32x4; 2]) -> [F32x4; 2]) {
        let sum = &mut self.0[t];
        // SAFETY: both are of a reference.
        unsafe {
            let before = [0, 1].map(|i| core::ptr::read_volatile(&sum[i]));
            for (sum, after) in sum.iter_mut().zip(f(before)) {
                core::ptr::write_volatile(sum, after);
            }
        }
    }
}
