//! What candle knows and no layout here fits: it dequantises the blocks, and the values are
//! kept as f16.

use super::float16;
use crate::gguf::GgmlType;
use crate::{Error, Result};
use candle_core::quantized::k_quants::{BlockQ8K, GgmlType as Block};

/// Whether [`pack`] takes this type.
pub(super) fn knows(dtype: GgmlType) -> bool {
    dtype == GgmlType::Q8_K
}

pub(super) fn pack(dtype: GgmlType, rows: &[u8], n_cols: usize, out: &mut [u8]) -> Result<()> {
    match dtype {
        GgmlType::Q8_K => pack_as::<BlockQ8K>(rows, n_cols, out),
        _ => return Err(Error::Internal { what: format!("no layout for {}", dtype.name()) }),
    }
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
