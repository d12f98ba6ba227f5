//! Q8_0: blocks of 32 as f16 d and 32 i8. Weight = d·q.

use crate::kernels::{BLOCK, PANEL_ROWS, Q8_BLOCK};
use half::f16;

const BYTES: usize = 2 + BLOCK;
const D: usize = BLOCK * PANEL_ROWS;
const SUM: usize = D + 2 * PANEL_ROWS;

pub(super) fn pack(rows: &[u8], n_cols: usize, out: &mut [u8]) {
    let n_blocks = n_cols / BLOCK;
    for (r, row) in rows.chunks_exact(n_blocks * BYTES).enumerate() {
        let blocks = row.as_chunks::<BYTES>().0;
        for (block, out) in blocks.iter().zip(out.as_chunks_mut::<Q8_BLOCK>().0) {
            let [d0, d1, ref q @ ..] = *block;
            for (g, q) in q.as_chunks::<4>().0.iter().enumerate() {
                out[(g * PANEL_ROWS + r) * 4..][..4].copy_from_slice(q);
            }
            let sum: i16 = q.iter().map(|&q| q as i8 as i16).sum();
            out[D + 2 * r..][..2].copy_from_slice(&[d0, d1]);
            out[SUM + 2 * r..][..2].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

/// Row `r` of a Q8 panel as f32.
pub(super) fn unpack_row(panel: &[u8], r: usize, out: &mut [f32]) {
    let blocks = panel.as_chunks::<Q8_BLOCK>().0;
    for (block, out) in blocks.iter().zip(out.as_chunks_mut::<BLOCK>().0) {
        let d = f16::from_le_bytes([block[D + 2 * r], block[D + 2 * r + 1]]).to_f32();
        for (g, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            for (c, out) in out.iter_mut().enumerate() {
                *out = d * (block[(g * PANEL_ROWS + r) * 4 + c] as i8) as f32;
            }
        }
    }
}
