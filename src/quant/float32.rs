//! F32 and BF16: panels `[n_cols][8]` of f32. BF16 is f32 without its low half.

use crate::kernels::PANEL_ROWS;

pub(super) fn pack(rows: &[u8], n_cols: usize, out: &mut [u8]) {
    for (r, row) in rows.chunks_exact(n_cols * 4).enumerate() {
        for (value, out) in row.as_chunks::<4>().0.iter().zip(columns(out)) {
            out[4 * r..][..4].copy_from_slice(value);
        }
    }
}

pub(super) fn pack_bf16(rows: &[u8], n_cols: usize, out: &mut [u8]) {
    for (r, row) in rows.chunks_exact(n_cols * 2).enumerate() {
        for (value, out) in row.as_chunks::<2>().0.iter().zip(columns(out)) {
            out[4 * r..][..4].copy_from_slice(&[0, 0, value[0], value[1]]);
        }
    }
}

pub(super) fn unpack_row(panel: &[u8], r: usize, out: &mut [f32]) {
    for (column, out) in panel.as_chunks::<{ 4 * PANEL_ROWS }>().0.iter().zip(out) {
        let at = 4 * r;
        *out = f32::from_le_bytes([column[at], column[at + 1], column[at + 2], column[at + 3]]);
    }
}

fn columns(panel: &mut [u8]) -> impl Iterator<Item = &mut [u8; 4 * PANEL_ROWS]> {
    panel.as_chunks_mut().0.iter_mut()
}
