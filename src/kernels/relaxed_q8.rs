//! Relaxed SIMD for Q8, whose bytes use all eight bits: what the engine makes of a second
//! operand beyond 0..=127 decides the form of the activations.

use super::f32x4::{F32x4, HalfReader};
use super::lanes::{
    Q8_D, X_SCALE, finish, load, put_f32, quantise_block, scatter4, splat4, to_f32,
};
use super::level::{Level, Q8_BLOCK, Tile, block_of};
use super::relaxed::{Relaxed, Sums, bytes_of, dot};
use super::{BLOCK, PANEL_ROWS};
use core::arch::wasm32::*;
use core::hint::black_box;

/// Offset of the rows' sums in a Q8 block.
const Q8_SUM: usize = Q8_D + 2 * PANEL_ROWS;

/// What the engine's dot instruction makes of a second operand's bytes beyond 127.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Second {
    /// x86 with AVX-VNNI: 128..=255.
    Unsigned,
    /// Arm: they are negative.
    Signed,
}

impl Second {
    /// What makes any i8 a second operand.
    pub(super) fn offset(self) -> i32 {
        match self {
            Second::Unsigned => 128,
            Second::Signed => 0,
        }
    }
}

/// Whether the engine makes one instruction of the i32 dot, and which. Its result tells:
/// beyond the bounds that make it portable, x86 without AVX-VNNI saturates sums of two products
/// to i16.
#[inline(always)]
pub(super) fn dot_instruction() -> Option<Second> {
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

/// Symmetric form, all bytes `offset` (modulo 256) above the activations.
pub(super) fn quantise_whole<const T: usize>(
    x: &[f32],
    stride: usize,
    n_blocks: usize,
    offset: i8,
    out: &mut [u8],
) {
    for (b, out) in out.chunks_exact_mut(T * Relaxed::SYMMETRIC_X).take(n_blocks).enumerate() {
        for t in 0..T {
            let q = quantise_block(block_of(x, stride, t, b));
            let [low, high] = bytes_of(&q).map(|q| i8x16_add(q, i8x16_splat(offset)));
            scatter4::<T>(low, out, t);
            scatter4::<T>(high, &mut out[16 * T..], t);
            put_f32(out, BLOCK * T + 4 * t, q.d * X_SCALE);
        }
    }
}

/// Symmetric form, activations x as a and b, x + 127 = a + b, both in 0..=127.
pub(super) fn quantise_halves<const T: usize>(
    x: &[f32],
    stride: usize,
    n_blocks: usize,
    out: &mut [u8],
) {
    for (b, out) in out.chunks_exact_mut(T * Relaxed::SYMMETRIC_X).take(n_blocks).enumerate() {
        for t in 0..T {
            let q = quantise_block(block_of(x, stride, t, b));
            for (half, q) in bytes_of(&q).into_iter().enumerate() {
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

/// One token and `P` panels, where the dot product takes any byte: `x` is [`Second::offset`] above the
/// activations.
///
/// # Safety
/// As [`Level::q8_rows`], for each panel.
#[inline(always)]
pub(super) unsafe fn q8_rows<const P: usize>(
    panels: [*const u8; P],
    x: *const u8,
    n_blocks: usize,
    second: Second,
) -> Tile<P> {
    let (mut w, mut x) = (panels, x);
    let mut sum = [[F32x4::zero(); 2]; P];
    let pairs = black_box(BLOCK / 8);
    let reader = HalfReader::new();
    let offset = i32x4_splat(-second.offset());
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let (mut q, mut xq) = (w, x);
            let mut acc = w.map(|w| q8_offsets(w, offset));
            for _ in 0..pairs {
                for g in 0..2 {
                    let x = splat4(xq, 4 * g);
                    for (q, acc) in q.iter().zip(&mut acc) {
                        for i in 0..2 {
                            acc[i] = dot::<false>(load(*q, 32 * g + 16 * i), x, acc[i]);
                        }
                    }
                }
                q = q.map(|q| q.add(64));
                xq = xq.add(8);
            }
            let dx = F32x4::load_splat(x.add(BLOCK).cast());
            for ((w, acc), sum) in w.iter().zip(acc).zip(&mut sum) {
                for i in 0..2 {
                    let d = reader.read4(w.add(Q8_D + 8 * i).cast()).mul(dx);
                    sum[i] = to_f32(acc[i]).mul_add(d, sum[i]);
                }
            }
            w = w.map(|w| w.add(Q8_BLOCK));
            x = x.add(Relaxed::SYMMETRIC_X);
        }
    }
    finish(sum)
}

/// What a Q8 block's sums begin with: `offset` (that of the activations, negative) times the
/// sums of its rows.
///
/// # Safety
/// `block` must be valid for a block.
#[inline(always)]
unsafe fn q8_offsets(block: *const u8, offset: v128) -> [v128; 2] {
    // SAFETY: by the caller.
    [0, 8].map(|i| unsafe {
        i32x4_mul(i32x4_load_extend_i16x4(block.add(Q8_SUM + i).cast()), offset)
    })
}

/// Q8 where the dot product takes any byte, as [`q8_rows`].
///
/// # Safety
/// As [`Level::q8_tile4`].
#[inline(always)]
pub(super) unsafe fn q8_tile(
    panel: *const u8,
    x: *const u8,
    n_blocks: usize,
    second: Second,
) -> Tile<4> {
    let (mut w, mut x) = (panel, x);
    let mut sum = Sums::zero();
    let pairs = black_box(BLOCK / 8);
    let reader = HalfReader::new();
    let offset = i32x4_splat(-second.offset());
    for _ in 0..n_blocks {
        // SAFETY: the caller gives n_blocks blocks of each.
        unsafe {
            let mut acc = [q8_offsets(w, offset); 4];
            let (mut q, mut xq) = (w, x);
            for _ in 0..pairs {
                for g in 0..2 {
                    let (w0, w1) = (load(q, 32 * g), load(q, 32 * g + 16));
                    for (t, acc) in acc.iter_mut().enumerate() {
                        let x = splat4(xq, 4 * (4 * g + t));
                        *acc = [dot::<false>(w0, x, acc[0]), dot::<false>(w1, x, acc[1])];
                    }
                }
                q = q.add(64);
                xq = xq.add(32);
            }
            let [d0, d1] = [0, 8].map(|i| reader.read4(w.add(Q8_D + i).cast()));
            for (t, acc) in acc.into_iter().enumerate() {
                let dx = F32x4::load_splat(x.add(4 * BLOCK + 4 * t).cast());
                let [a0, a1] = acc.map(to_f32);
                sum.add(t, |sum| [a0.mul_add(d0.mul(dx), sum[0]), a1.mul_add(d1.mul(dx), sum[1])]);
            }
            w = w.add(Q8_BLOCK);
            x = x.add(4 * Relaxed::SYMMETRIC_X);
        }
    }
    finish(sum.0)
}

/// Q8 where the second operand must stay below 128: x + 127 = a + b.
///
/// # Safety
/// As [`Level::q8_tile4`].
#[inline(always)]
pub(super) unsafe fn q8_tile_in_halves<const T: usize>(
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
            let mut acc = [q8_offsets(w, offset); T];
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

/// Writes the two 64-bit lanes at `[lane][token]`.
#[inline(always)]
fn scatter8<const T: usize>(v: v128, out: &mut [u8], t: usize) {
    assert!(out.len() >= 16 * T && t < T);
    // SAFETY: checked above.
    unsafe {
        let p = out.as_mut_ptr().add(8 * t);
        v128_store64_lane::<0>(v, p.cast());
        v128_store64_lane::<1>(v, p.add(8 * T).cast());
    }
}
