//! Q4_0: blocks of 32 as f16 d and 16 bytes of nibbles. Weight = d·(q - 8).

use super::q4_1::put_nibbles;
use crate::kernels::{BLOCK, Centred8, PANEL_ROWS, q4_block};

const BYTES: usize = 2 + BLOCK / 2;
const D: usize = BLOCK / 2 * PANEL_ROWS;
const OUT: usize = q4_block::<Centred8>();

pub(super) fn pack(rows: &[u8], n_cols: usize, out: &mut [u8]) {
    let n_blocks = n_cols / BLOCK;
    for (r, row) in rows.chunks_exact(n_blocks * BYTES).enumerate() {
        let blocks = row.as_chunks::<BYTES>().0;
        for (block, out) in blocks.iter().zip(out.as_chunks_mut::<OUT>().0) {
            let [d0, d1, ref q @ ..] = *block;
            put_nibbles(out, r, q);
            out[D + 2 * r..][..2].copy_from_slice(&[d0, d1]);
        }
    }
}
