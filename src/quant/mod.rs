//! GGML blocks to the packed layouts that the kernels run on.
//!
//! A [`Packed`] matrix lies in panels of 8 rows (see `kernels::level` and
//! `kernels::float` for the bytes). It is filled panel by panel as a file's rows
//! arrive, so that no tensor is ever held twice. One file per GGML block format:
//!
//! | GGML type | layout | loss |
//! |---|---|---|
//! | Q4_0 | Q4 without minima | none |
//! | Q4_1 | Q4 | none |
//! | Q4_K | Q4 | products of scales, rounded to f16 |
//! | Q2_K, Q3_K | Q4 with two scales a block | as Q4_K |
//! | Q5_0 | Q7 without minima | none |
//! | Q5_1 | Q7 | none |
//! | Q5_K | Q7 | as Q4_K |
//! | Q6_K | Q7 with two scales a block, without minima | as Q4_K |
//! | Q8_0, Q8_1 | Q8; Q7 without minima where the CPU takes its bytes | none |
//! | TQ1_0, TQ2_0, Q1_0, Q2_0 | Q4 | none |
//! | IQ1_S, IQ3_S | Q4 | as Q4_K |
//! | IQ1_M | Q4 with two scales a block | as Q4_K |
//! | IQ2_XXS, IQ3_XXS, IQ4_XS | Table4 | as Q4_K |
//! | IQ4_NL | Table4 | none |
//! | MXFP4 | Table4 | none for scales from 2^-24 to 2^15 |
//! | IQ2_XS, IQ2_S | Q7 with two scales a block | as Q4_K |
//! | NVFP4 | Q7 with two scales a block | none |
//! | F16 | F16 | none |
//! | F32, BF16 | F32 | none |
//! | Q8_K | F16, dequantised by candle | rounding to f16; takes the memory of f16 |

mod affine;
mod arena;
mod float16;
mod float32;
mod grids;
mod iq1_m;
mod iq1_s;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;
mod iq4_nl;
mod iq4_xs;
mod mxfp4;
mod nvfp4;
mod q1_0;
mod q2_0;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod symmetric;
mod table4;
mod tq1_0;
mod tq2_0;
mod via_candle;

use crate::gguf::GgmlType;
use crate::kernels::{
    BLOCK, Best, Centred8, Centred16, Centred32, Centred128, Level, Minima, PANEL_ROWS, Q8_BLOCK,
    TABLE4_BLOCK, q4_block, q7_block,
};
use crate::{Error, Result};
use affine::Bits;
use arena::Arena;
pub(crate) use table4::{E2m1, Iq2, Iq3, Iq4, Table};

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// 4 bits, blocks of 32 with scale and minimum.
    Q4,
    /// 4 bits, scale and minimum for 16.
    Q4Halves,
    /// 4 bits, 8 being zero, blocks of 32 with scale: Q4_0.
    Q4Centred,
    /// Bytes, 16 being zero, blocks of 32 with scale: Q5_0.
    Q5Centred,
    /// Bytes, 32 being zero, scale for 16: Q6_K.
    Q6Centred,
    /// Bytes, 128 being zero, blocks of 32 with scale: Q8_0 where the level takes bytes.
    Q8Centred,
    /// 7 bits, blocks of 32 with scale and minimum.
    Q7,
    /// 7 bits, scale and minimum for 16.
    Q7Halves,
    /// 8 bits, blocks of 32 with scale.
    Q8,
    /// 4 bits that are places in a table of levels, blocks of 32 with scale.
    Table4(Table),
    /// Half precision.
    F16,
    /// Single precision.
    F32,
}

/// Names of the types that [`layout_of`] accepts, for error messages.
pub(crate) const SUPPORTED: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1, \
     Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K, IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, \
     IQ4_NL, IQ4_XS, TQ1_0, TQ2_0, Q1_0, Q2_0, MXFP4, NVFP4";

/// The layout that a GGML type is packed into, `None` where it cannot be.
pub(crate) fn layout_of(dtype: GgmlType) -> Option<Layout> {
    use GgmlType::*;
    Some(match dtype {
        Q4_0 => Layout::Q4Centred,
        Q4_1 | Q4_K | IQ1_S | IQ3_S | TQ1_0 | TQ2_0 | Q1_0 | Q2_0 => Layout::Q4,
        Q2_K | Q3_K | IQ1_M => Layout::Q4Halves,
        Q5_0 => Layout::Q5Centred,
        Q5_1 | Q5_K => Layout::Q7,
        Q6_K => Layout::Q6Centred,
        IQ2_XS | IQ2_S | NVFP4 => Layout::Q7Halves,
        Q8_0 | Q8_1 if Best::takes_bytes() => Layout::Q8Centred,
        Q8_0 | Q8_1 => Layout::Q8,
        IQ2_XXS => Layout::Table4(Table::Iq2),
        IQ3_XXS => Layout::Table4(Table::Iq3),
        IQ4_NL | IQ4_XS => Layout::Table4(Table::Iq4),
        MXFP4 => Layout::Table4(Table::E2m1),
        F32 | BF16 => Layout::F32,
        F16 => Layout::F16,
        _ if via_candle::knows(dtype) => Layout::F16,
        _ => return None,
    })
}

/// Whether matrices of this type may lie so: Q8_0's in either of two ways.
fn holds(layout: Layout, dtype: GgmlType) -> bool {
    match dtype {
        GgmlType::Q8_0 | GgmlType::Q8_1 => matches!(layout, Layout::Q8 | Layout::Q8Centred),
        _ => layout_of(dtype) == Some(layout),
    }
}

impl Layout {
    /// Bytes of a panel of 8 rows: of a matrix that is in memory, they fit a `usize`.
    fn panel_bytes(self, n_cols: usize) -> usize {
        match self {
            Layout::Q4 => n_cols / BLOCK * q4_block::<Minima<1>>(),
            Layout::Q4Halves => n_cols / BLOCK * q4_block::<Minima<2>>(),
            Layout::Q4Centred => n_cols / BLOCK * q4_block::<Centred8>(),
            Layout::Q5Centred => n_cols / BLOCK * q7_block::<Centred16>(),
            Layout::Q6Centred => n_cols / BLOCK * q7_block::<Centred32>(),
            Layout::Q8Centred => n_cols / BLOCK * q7_block::<Centred128>(),
            Layout::Q7 => n_cols / BLOCK * q7_block::<Minima<1>>(),
            Layout::Q7Halves => n_cols / BLOCK * q7_block::<Minima<2>>(),
            Layout::Q8 => n_cols / BLOCK * Q8_BLOCK,
            Layout::Table4(_) => n_cols / BLOCK * TABLE4_BLOCK,
            Layout::F16 => n_cols * PANEL_ROWS * 2,
            Layout::F32 => n_cols * PANEL_ROWS * 4,
        }
    }
}

/// A weight matrix `[n_rows, n_cols]` in panels of 8 rows; the last one is filled up
/// with zeros.
pub(crate) struct Packed {
    layout: Layout,
    n_rows: usize,
    n_cols: usize,
    data: Arena,
}

impl Packed {
    /// Bytes that a matrix takes.
    pub(crate) fn bytes_for(layout: Layout, n_rows: u64, n_cols: u64) -> u64 {
        // All layouts take whole bytes for a block of 32 columns of a panel, or for one column.
        let unit = if matches!(layout, Layout::F16 | Layout::F32) { 1 } else { BLOCK };
        let panel = (n_cols / unit as u64).saturating_mul(layout.panel_bytes(unit) as u64);
        n_rows.div_ceil(PANEL_ROWS as u64).saturating_mul(panel)
    }

    /// All zero, to be filled by [`Packed::pack_panel`].
    pub(crate) fn zeroed(layout: Layout, n_rows: usize, n_cols: usize) -> Result<Packed> {
        let data = Arena::zeroed(Self::bytes_for(layout, n_rows as u64, n_cols as u64))?;
        Ok(Packed { layout, n_rows, n_cols, data })
    }

    /// Packs rows `8·panel ..` from `rows`, whole rows as the file has them: 8, or those
    /// that are left.
    pub(crate) fn pack_panel(&mut self, dtype: GgmlType, panel: usize, rows: &[u8]) -> Result<()> {
        debug_assert!(holds(self.layout, dtype));
        let bytes = self.layout.panel_bytes(self.n_cols);
        let out = &mut self.data.bytes_mut()[panel * bytes..][..bytes];
        let n = self.n_cols;
        use Bits::{Four, Seven};
        use GgmlType::*;
        match dtype {
            // Direct, or written out: most models are of these.
            F32 => float32::pack(rows, n, out),
            F16 => float16::pack(rows, n, out),
            BF16 => float32::pack_bf16(rows, n, out),
            Q4_0 => q4_0::pack(rows, n, out),
            Q4_1 => q4_1::pack(rows, n, out),
            // Columns of a block; bytes and scales follow from the format's own function.
            Q1_0 => affine::pack::<128, _, 1>(Four, rows, n, out, q1_0::block),
            Q2_0 => affine::pack::<64, _, 1>(Four, rows, n, out, q2_0::block),
            TQ1_0 => affine::pack::<256, _, 1>(Four, rows, n, out, tq1_0::block),
            TQ2_0 => affine::pack::<256, _, 1>(Four, rows, n, out, tq2_0::block),
            IQ1_S => affine::pack::<256, _, 1>(Four, rows, n, out, iq1_s::block),
            IQ1_M => affine::pack::<256, _, 2>(Four, rows, n, out, iq1_m::block),
            IQ3_S => affine::pack::<256, _, 1>(Four, rows, n, out, iq3_s::block),
            Q2_K => affine::pack::<256, _, 2>(Four, rows, n, out, q2_k::block),
            Q3_K => affine::pack::<256, _, 2>(Four, rows, n, out, q3_k::block),
            Q4_K => affine::pack::<256, _, 1>(Four, rows, n, out, q4_k::block),
            IQ2_XS => affine::pack::<256, _, 2>(Seven, rows, n, out, iq2_xs::block),
            IQ2_S => affine::pack::<256, _, 2>(Seven, rows, n, out, iq2_s::block),
            NVFP4 => affine::pack::<64, _, 2>(Seven, rows, n, out, nvfp4::block),
            Q5_0 => affine::pack_as::<Centred16, 32, _, 1>(Seven, rows, n, out, q5_0::block),
            Q5_1 => affine::pack::<32, _, 1>(Seven, rows, n, out, q5_1::block),
            Q5_K => affine::pack::<256, _, 1>(Seven, rows, n, out, q5_k::block),
            Q6_K => affine::pack_as::<Centred32, 256, _, 2>(Seven, rows, n, out, q6_k::block),
            IQ2_XXS => table4::pack::<256, _>(Table::Iq2, rows, n, out, iq2_xxs::block),
            IQ3_XXS => table4::pack::<256, _>(Table::Iq3, rows, n, out, iq3_xxs::block),
            IQ4_NL => table4::pack::<32, _>(Table::Iq4, rows, n, out, iq4_nl::block),
            IQ4_XS => table4::pack::<256, _>(Table::Iq4, rows, n, out, iq4_xs::block),
            MXFP4 => table4::pack::<32, _>(Table::E2m1, rows, n, out, mxfp4::block),
            Q8_0 => q8_0::pack(self.layout, rows, n, out, q8_0::block),
            Q8_1 => q8_0::pack(self.layout, rows, n, out, q8_0::block_q8_1),
            _ => via_candle::pack(dtype, rows, n, out)?,
        }
        Ok(())
    }

    /// The layout.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Rows, without those that fill up the last panel.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Columns.
    pub(crate) fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Panels of 8 rows.
    pub(crate) fn n_panels(&self) -> usize {
        self.n_rows.div_ceil(PANEL_ROWS)
    }

    /// Bytes in memory.
    pub(crate) fn n_bytes(&self) -> usize {
        self.data.bytes().len()
    }

    /// The panels of a range as bytes.
    pub(crate) fn panels(&self, range: core::ops::Range<usize>) -> &[u8] {
        let bytes = self.layout.panel_bytes(self.n_cols);
        &self.data.bytes()[range.start * bytes..range.end * bytes]
    }

    /// One row as f32: `out` has `n_cols` values.
    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        let (panel, r) = (row / PANEL_ROWS, row % PANEL_ROWS);
        let panel = self.panels(panel..panel + 1);
        match self.layout {
            Layout::Q4 => affine::unpack_row::<Minima<1>>(Bits::Four, panel, r, out),
            Layout::Q4Halves => affine::unpack_row::<Minima<2>>(Bits::Four, panel, r, out),
            Layout::Q4Centred => affine::unpack_row::<Centred8>(Bits::Four, panel, r, out),
            Layout::Q5Centred => affine::unpack_row::<Centred16>(Bits::Seven, panel, r, out),
            Layout::Q6Centred => affine::unpack_row::<Centred32>(Bits::Seven, panel, r, out),
            Layout::Q8Centred => affine::unpack_row::<Centred128>(Bits::Seven, panel, r, out),
            Layout::Q7 => affine::unpack_row::<Minima<1>>(Bits::Seven, panel, r, out),
            Layout::Q7Halves => affine::unpack_row::<Minima<2>>(Bits::Seven, panel, r, out),
            Layout::Q8 => symmetric::unpack_row(panel, r, out),
            Layout::Table4(table) => table4::unpack_row(table, panel, r, out),
            Layout::F16 => float16::unpack_row(panel, r, out),
            Layout::F32 => float32::unpack_row(panel, r, out),
        }
    }
}

/// A whole tensor of `n_cols` values as f32: for the vectors (norms, rope factors).
pub(crate) fn to_f32(dtype: GgmlType, bytes: &[u8], n_cols: usize) -> Result<Vec<f32>> {
    let Some(layout) = layout_of(dtype) else {
        return Err(Error::Internal { what: format!("no layout for {}", dtype.name()) });
    };
    let mut one_row = Packed::zeroed(layout, 1, n_cols)?;
    one_row.pack_panel(dtype, 0, bytes)?;
    let mut out = vec![0.0; n_cols];
    one_row.row(0, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests;
