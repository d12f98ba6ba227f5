//! Both wasm levels. Relaxed SIMD has one instruction for a word; what it makes of a key, which
//! is beyond 127, is the engine's choice, which is looked at.

use super::{ByteLevel, KEY_OFFSET, VALUE_GROUP, WORD};
use crate::kernels::PANEL_ROWS;
use crate::kernels::f32x4::F32x4;
use crate::kernels::lanes::{Rounder, load, splat4, sum_lanes, to_f32};
use crate::kernels::level::Tile;
use crate::kernels::simd128::Simd128;
#[cfg(target_feature = "relaxed-simd")]
use crate::kernels::{
    f32x4::opaque,
    relaxed::{Relaxed, dot},
    relaxed_q8::{Second, dot_instruction},
};
use core::arch::wasm32::*;
#[cfg(target_feature = "relaxed-simd")]
use core::hint::black_box;

impl ByteLevel for Simd128 {
    type KeyByte = ();

    fn key_byte() {}

    fn key_offset((): ()) -> i32 {
        KEY_OFFSET as i32
    }

    #[inline(always)]
    fn quantise_bytes(x: &[f32], inverse: f32, q: &mut [i8]) -> i32 {
        let (rounder, mut sum) = (Rounder::new(inverse), i32x4_splat(0));
        for (q, x) in q.as_chunks_mut::<8>().0.iter_mut().zip(x.as_chunks::<8>().0) {
            let [low, high] = [0, 1].map(|i| F32x4::from_array(&x.as_chunks::<4>().0[i]));
            let shorts = rounder.round(low, high);
            sum = i32x4_add(sum, i32x4_extadd_pairwise_i16x8(shorts));
            let bytes = i8x16_narrow_i16x8(shorts, shorts);
            // SAFETY: 8 bytes of a reference.
            unsafe { v128_store64_lane::<0>(bytes, q.as_mut_ptr().cast()) };
        }
        sum_lanes(sum)
    }

    #[inline(always)]
    unsafe fn key_tile<const R: usize>(
        q: *const i8,
        stride: usize,
        keys: *const u8,
        words: usize,
        (): (),
    ) -> Tile<R> {
        let widen = |v| [u16x8_extend_low_u8x16(v), u16x8_extend_high_u8x16(v)];
        // SAFETY: by the caller.
        unsafe { short_tile::<R>(q, stride, keys, words, widen) }
    }

    #[inline(always)]
    unsafe fn value_tile<const R: usize>(
        p: *const i8,
        stride: usize,
        values: *const i8,
    ) -> Tile<R> {
        let widen = |v| [i16x8_extend_low_i8x16(v), i16x8_extend_high_i8x16(v)];
        // SAFETY: by the caller.
        unsafe { short_tile::<R>(p, stride, values.cast(), VALUE_GROUP / WORD, widen) }
    }
}

/// By products of i16: `a` are rows, `b` words of 8 columns.
///
/// # Safety
/// As [`ByteLevel::key_tile`].
#[inline(always)]
unsafe fn short_tile<const R: usize>(
    a: *const i8,
    stride: usize,
    b: *const u8,
    words: usize,
    widen: impl Fn(v128) -> [v128; 2],
) -> Tile<R> {
    let mut tile = [[F32x4::zero(); 2]; R];
    for half in 0..2 {
        // Lanes (column 0, column 0, column 1, column 1) and (column 2, …).
        let mut acc = [[i32x4_splat(0); 2]; R];
        let (mut a, mut b) = (a, b.wrapping_add(16 * half));
        for _ in 0..words {
            // SAFETY: by the caller.
            unsafe {
                let columns = widen(load(b, 0));
                for (r, acc) in acc.iter_mut().enumerate() {
                    let row = i16x8_extend_low_i8x16(splat4(a.add(r * stride).cast(), 0));
                    for i in 0..2 {
                        acc[i] = i32x4_add(acc[i], i32x4_dot_i16x8(row, columns[i]));
                    }
                }
            }
            (a, b) = (a.wrapping_add(WORD), b.wrapping_add(WORD * PANEL_ROWS));
        }
        for (tile, [low, high]) in tile.iter_mut().zip(acc) {
            let even = i32x4_shuffle::<0, 2, 4, 6>(low, high);
            tile[half] = to_f32(i32x4_add(even, i32x4_shuffle::<1, 3, 5, 7>(low, high)));
        }
    }
    tile
}

#[cfg(target_feature = "relaxed-simd")]
impl ByteLevel for Relaxed {
    type KeyByte = Option<Second>;

    #[inline(always)]
    fn key_byte() -> Option<Second> {
        dot_instruction()
    }

    #[inline(always)]
    fn key_offset(byte: Option<Second>) -> i32 {
        match byte {
            Some(Second::Signed) => 0,
            _ => KEY_OFFSET as i32,
        }
    }

    #[inline(always)]
    fn quantise_bytes(x: &[f32], inverse: f32, q: &mut [i8]) -> i32 {
        Simd128::quantise_bytes(x, inverse, q)
    }

    #[inline(always)]
    unsafe fn key_tile<const R: usize>(
        q: *const i8,
        stride: usize,
        keys: *const u8,
        words: usize,
        byte: Option<Second>,
    ) -> Tile<R> {
        // SAFETY: by the caller.
        unsafe {
            match byte {
                Some(Second::Unsigned) => byte_tile::<R>(q, stride, keys, words, dot::<false>),
                Some(Second::Signed) => {
                    let sign = opaque(u8x16_splat(KEY_OFFSET));
                    byte_tile::<R>(q, stride, keys, words, |q, key, acc| {
                        dot::<false>(q, v128_xor(key, sign), acc)
                    })
                }
                // Three instructions that may saturate: products of i16 take as many.
                None => Simd128::key_tile::<R>(q, stride, keys, words, ()),
            }
        }
    }

    #[inline(always)]
    unsafe fn value_tile<const R: usize>(
        p: *const i8,
        stride: usize,
        values: *const i8,
    ) -> Tile<R> {
        // SAFETY: by the caller. Terms are below 128, and no sum of two products beyond i16.
        unsafe {
            byte_tile::<R>(p, stride, values.cast(), VALUE_GROUP / WORD, |p, value, acc| {
                dot::<false>(value, p, acc)
            })
        }
    }
}

/// By products of bytes.
///
/// # Safety
/// As [`ByteLevel::key_tile`].
#[cfg(target_feature = "relaxed-simd")]
#[inline(always)]
unsafe fn byte_tile<const R: usize>(
    a: *const i8,
    stride: usize,
    b: *const u8,
    words: usize,
    dot: impl Fn(v128, v128, v128) -> v128,
) -> Tile<R> {
    let mut acc = [[i32x4_splat(0); 2]; R];
    let (mut a, mut b) = (a, b);
    // Not to be unrolled: whole rows at once do not fit the registers.
    for _ in 0..black_box(words / 2) {
        // SAFETY: by the caller.
        unsafe {
            for w in 0..2 {
                let columns = [load(b, 32 * w), load(b, 32 * w + 16)];
                for (r, acc) in acc.iter_mut().enumerate() {
                    let row = splat4(a.add(r * stride).cast(), WORD * w);
                    *acc = [dot(row, columns[0], acc[0]), dot(row, columns[1], acc[1])];
                }
            }
        }
        (a, b) = (a.wrapping_add(2 * WORD), b.wrapping_add(2 * WORD * PANEL_ROWS));
    }
    acc.map(|acc| acc.map(to_f32))
}
