//! The plain twin.

use super::{ByteLevel, KEY_OFFSET, VALUE_GROUP, WORD};
use crate::kernels::PANEL_ROWS;
use crate::kernels::f32x4::F32x4;
use crate::kernels::level::Tile;
use crate::kernels::scalar::{Scalar, to_f32};

impl ByteLevel for Scalar {
    type KeyByte = ();

    fn key_byte() {}

    fn key_offset((): ()) -> i32 {
        KEY_OFFSET as i32
    }

    fn quantise_bytes(x: &[f32], inverse: f32, q: &mut [i8]) -> i32 {
        let mut sum = 0;
        for (q, x) in q.as_chunks_mut().0.iter_mut().zip(x.as_chunks().0) {
            let x = F32x4::from_array(x).mul(F32x4::splat(inverse)).round_ties_even();
            *q = x.to_array().map(|x| x as i8);
            sum += q.iter().map(|q| *q as i32).sum::<i32>();
        }
        sum
    }

    unsafe fn key_tile<const R: usize>(
        q: *const i8,
        stride: usize,
        keys: *const u8,
        words: usize,
        (): (),
    ) -> Tile<R> {
        // SAFETY: by the caller.
        unsafe { sums(q, stride, keys, words, |key| key as i16) }
    }

    unsafe fn value_tile<const R: usize>(
        p: *const i8,
        stride: usize,
        values: *const i8,
    ) -> Tile<R> {
        // SAFETY: by the caller.
        unsafe { sums(p, stride, values, VALUE_GROUP / WORD, |value| value as i16) }
    }
}

/// Products of rows of `a` with 8 columns, word by word.
///
/// # Safety
/// As [`ByteLevel::key_tile`].
unsafe fn sums<const R: usize, T: Copy>(
    a: *const i8,
    stride: usize,
    b: *const T,
    words: usize,
    widen: impl Fn(T) -> i16,
) -> Tile<R> {
    const COLUMNS: usize = WORD * PANEL_ROWS;
    // SAFETY: by the caller.
    let (a, b) = unsafe {
        let a = core::slice::from_raw_parts(a, (R - 1) * stride + WORD * words);
        (a, core::slice::from_raw_parts(b, COLUMNS * words))
    };
    core::array::from_fn(|r| {
        let mut lanes = [0i32; COLUMNS];
        for (a, b) in a[r * stride..].as_chunks::<WORD>().0.iter().zip(b.as_chunks::<COLUMNS>().0) {
            for i in 0..COLUMNS {
                lanes[i] += (a[i % WORD] as i16).wrapping_mul(widen(b[i])) as i32; // |a·b| < 2^15
            }
        }
        to_f32(core::array::from_fn(|c| lanes[WORD * c..][..WORD].iter().sum()))
    })
}
