//! The layout Q8 (see `kernels::level` for its bytes): i8 with a scale for 32 columns.

use crate::kernels::{BLOCK, PANEL_ROWS, Q8_BLOCK};
use half::f16;

const D: usize = BLOCK * PANEL_ROWS;
const SUM: usize = D + 2 * PANEL_ROWS;

/// 32 columns of a row: weight = d·q.
pub(super) struct Block {
    pub(super) q: [i8; BLOCK],
    pub(super) d: f32,
}

/// Packs rows of GGML blocks of `LEN` columns in `BYTES` bytes; `read(block, i)` tells its
/// columns `32·i ..`.
pub(super) fn pack<const LEN: usize, const BYTES: usize>(
    rows: &[u8],
    n_cols: usize,
    out: &mut [u8],
    read: impl Fn(&[u8; BYTES], usize) -> Block,
) {
    for (r, row) in rows.chunks_exact(n_cols / LEN * BYTES).enumerate() {
        let mut out = out.as_chunks_mut::<Q8_BLOCK>().0.iter_mut();
        for block in row.as_chunks::<BYTES>().0 {
            for (i, out) in out.by_ref().take(LEN / BLOCK).enumerate() {
                put(out, r, &read(block, i));
            }
        }
    }
}

fn put(out: &mut [u8; Q8_BLOCK], r: usize, block: &Block) {
    for (g, q) in block.q.as_chunks::<4>().0.iter().enumerate() {
        out[(g * PANEL_ROWS + r) * 4..][..4].copy_from_slice(&q.map(|q| q as u8));
    }
    let sum: i16 = block.q.iter().map(|&q| q as i16).sum();
    out[D + 2 * r..][..2].copy_from_slice(&f16::from_f32(block.d).to_le_bytes());
    out[SUM + 2 * r..][..2].copy_from_slice(&sum.to_le_bytes());
}

/// Row `r` of a panel as f32.
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
