//! Formats without a layout of their own: candle dequantises their blocks, and the
//! values are kept as f16.

use super::float16;
use crate::gguf::GgmlType;
use crate::{Error, Result};
use candle_core::quantized::k_quants::{
    BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, GgmlType as Block,
};

/// Whether [`pack`] takes this type.
pub(super) fn knows(dtype: GgmlType) -> bool {
    matches!(
        dtype,
        GgmlType::Q5_0
            | GgmlType::Q5_1
            | GgmlType::Q2_K
            | GgmlType::Q3_K
            | GgmlType::Q4_K
            | GgmlType::Q5_K
            | GgmlType::Q6_K
    )
}

pub(super) fn pack(dtype: GgmlType, rows: &[u8], n_cols: usize, out: &mut [u8]) -> Result<()> {
    let pack = match dtype {
        GgmlType::Q5_0 => pack_as::<BlockQ5_0>,
        GgmlType::Q5_1 => pack_as::<BlockQ5_1>,
        GgmlType::Q2_K => pack_as::<BlockQ2K>,
        GgmlType::Q3_K => pack_as::<BlockQ3K>,
        GgmlType::Q4_K => pack_as::<BlockQ4K>,
        GgmlType::Q5_K => pack_as::<BlockQ5K>,
        GgmlType::Q6_K => pack_as::<BlockQ6K>,
        _ => return Err(Error::Internal { what: format!("no layout for {}", dtype.name()) }),
    };
    pack(rows, n_cols, out);
    Ok(())
}

fn pack_as<B: Block>(rows: &[u8], n_cols: usize, out: &mut [u8]) {
    let row_bytes = n_cols / B::BLCK_SIZE * size_of::<B>();
    let mut blocks = vec![B::zeros(); n_cols / B::BLCK_SIZE];
    let mut values = vec![0.0; n_cols];
    for (r, row) in rows.chunks_exact(row_bytes).enumerate() {
        super::arena::copy_blocks(row, &mut blocks);
        B::to_float(&blocks, &mut values);
        float16::pack_row_f32(&values, r, out);
    }
}
