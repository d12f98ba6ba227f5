//! F16: panels `[n_cols][8]` of IEEE binary16.

use crate::kernels::PANEL_ROWS;
use half::f16;

pub(super) fn pack(rows: &[u8], n_cols: usize, out: &mut [u8]) {
    for (r, row) in rows.chunks_exact(n_cols * 2).enumerate() {
        for (value, out) in row.as_chunks::<2>().0.iter().zip(columns(out)) {
            out[2 * r..][..2].copy_from_slice(value);
        }
    }
}

/// Row `r` of the panel from f32 values, rounded to nearest.
pub(super) fn pack_row_f32(row: &[f32], r: usize, out: &mut [u8]) {
    for (value, out) in row.iter().zip(columns(out)) {
        out[2 * r..][..2].copy_from_slice(&f16::from_f32(*value).to_le_bytes());
    }
}

pub(super) fn unpack_row(panel: &[u8], r: usize, out: &mut [f32]) {
    for (column, out) in panel.as_chunks::<{ 2 * PANEL_ROWS }>().0.iter().zip(out) {
        *out = f16::from_le_bytes([column[2 * r], column[2 * r + 1]]).to_f32();
    }
}

fn columns(panel: &mut [u8]) -> impl Iterator<Item = &mut [u8; 2 * PANEL_ROWS]> {
    panel.as_chunks_mut().0.iter_mut()
}
