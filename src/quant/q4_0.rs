//! Q4_0: blocks of 32 as f16 d and 16 bytes of nibbles. Weight = d·(q - 8), which is
//! d·q + m with m = -8·d, exact in f16 as long as it does not overflow.

use super::q4_1::put;
use crate::kernels::BLOCK;
use half::f16;

const BYTES: usize = 2 + BLOCK / 2;

pub(super) fn pack(rows: &[u8], n_cols: usize, out: &mut [u8]) {
    let n_blocks = n_cols / BLOCK;
    for (r, row) in rows.chunks_exact(n_blocks * BYTES).enumerate() {
        let blocks = row.as_chunks::<BYTES>().0;
        for (block, out) in blocks.iter().zip(out.as_chunks_mut().0) {
            let [d0, d1, ref q @ ..] = *block;
            let m = f16::from_f32(-8.0 * f16::from_le_bytes([d0, d1]).to_f32());
            put(out, r, [d0, d1], m.to_le_bytes(), q);
        }
    }
}
