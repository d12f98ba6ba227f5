//! Q4_1: blocks of 32 as f16 d, f16 m, 16 bytes of nibbles (byte i: columns i and
//! i + 16). Weight = d·q + m. Packed without a detour: most of a model is of this kind.

use crate::kernels::{BLOCK, Minima, PANEL_ROWS, q4_block};

const BYTES: usize = 4 + BLOCK / 2;
const OUT: usize = q4_block::<Minima<1>>();
const D: usize = BLOCK / 2 * PANEL_ROWS;
const M: usize = D + 2 * PANEL_ROWS;
const LOW: u32 = 0x0f0f_0f0f;

pub(super) fn pack(rows: &[u8], n_cols: usize, out: &mut [u8]) {
    let n_blocks = n_cols / BLOCK;
    for (r, row) in rows.chunks_exact(n_blocks * BYTES).enumerate() {
        let blocks = row.as_chunks::<BYTES>().0;
        for (block, out) in blocks.iter().zip(out.as_chunks_mut::<OUT>().0) {
            let [d0, d1, m0, m1, ref q @ ..] = *block;
            put_nibbles(out, r, q);
            out[D + 2 * r..][..2].copy_from_slice(&[d0, d1]);
            out[M + 2 * r..][..2].copy_from_slice(&[m0, m1]);
        }
    }
}

/// Puts the nibbles of a block of row `r`, in the order of GGML, into their place.
#[inline(always)]
pub(super) fn put_nibbles<const N: usize>(out: &mut [u8; N], r: usize, q: &[u8; 16]) {
    let word = |i: usize| u32::from_le_bytes([q[4 * i], q[4 * i + 1], q[4 * i + 2], q[4 * i + 3]]);
    let (w0, w1, w2, w3) = (word(0), word(1), word(2), word(3));
    let groups = [
        (w0 & LOW) | ((w1 & LOW) << 4),
        (w2 & LOW) | ((w3 & LOW) << 4),
        ((w0 >> 4) & LOW) | (w1 & !LOW),
        ((w2 >> 4) & LOW) | (w3 & !LOW),
    ];
    for (j, group) in groups.into_iter().enumerate() {
        out[(j * PANEL_ROWS + r) * 4..][..4].copy_from_slice(&group.to_le_bytes());
    }
}
