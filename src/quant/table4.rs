//! The layout Table4 (see `kernels::level` for its bytes): places in a table of 16 levels,
//! with a scale for 32 columns.

use super::affine::nibble;
use crate::kernels::{BLOCK, Levels, PANEL_ROWS, TABLE4_BLOCK};
use half::f16;

const D: usize = BLOCK / 2 * PANEL_ROWS;
const SUM: usize = D + 2 * PANEL_ROWS;

/// Whose levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// IQ2_XXS.
    Iq2,
    /// IQ3_XXS.
    Iq3,
    /// IQ4_NL and IQ4_XS.
    Iq4,
    /// MXFP4.
    E2m1,
}

/// Levels of the IQ2 formats; a place has 8 for its sign.
pub(crate) struct Iq2;
/// Levels of IQ3_XXS; a place has 8 for its sign.
pub(crate) struct Iq3;
/// Levels of GGML's IQ4 formats.
pub(crate) struct Iq4;
/// Twice the floats of 1 sign, 2 exponent and 1 mantissa bits.
pub(crate) struct E2m1;

impl Levels for Iq2 {
    const LEVELS: [i8; 16] = [8, 25, 43, 0, 0, 0, 0, 0, -8, -25, -43, 0, 0, 0, 0, 0];
}

impl Levels for Iq3 {
    const LEVELS: [i8; 16] = [4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62];
}

impl Levels for Iq4 {
    const LEVELS: [i8; 16] =
        [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
}

impl Levels for E2m1 {
    const LEVELS: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];
}

impl Table {
    fn levels(self) -> &'static [i8; 16] {
        match self {
            Table::Iq2 => &Iq2::LEVELS,
            Table::Iq3 => &Iq3::LEVELS,
            Table::Iq4 => &Iq4::LEVELS,
            Table::E2m1 => &E2m1::LEVELS,
        }
    }
}

/// 32 columns of a row: weight = d·levels[q].
pub(super) struct Block {
    pub(super) q: [u8; BLOCK],
    pub(super) d: f32,
}

/// Packs rows of GGML blocks of `LEN` columns in `BYTES` bytes; `read(block, i)` tells its
/// columns `32·i ..`.
pub(super) fn pack<const LEN: usize, const BYTES: usize>(
    table: Table,
    rows: &[u8],
    n_cols: usize,
    out: &mut [u8],
    read: impl Fn(&[u8; BYTES], usize) -> Block,
) {
    for (r, row) in rows.chunks_exact(n_cols / LEN * BYTES).enumerate() {
        let mut out = out.as_chunks_mut::<TABLE4_BLOCK>().0.iter_mut();
        for block in row.as_chunks::<BYTES>().0 {
            for (i, out) in out.by_ref().take(LEN / BLOCK).enumerate() {
                put(table, out, r, &read(block, i));
            }
        }
    }
}

fn put(table: Table, out: &mut [u8; TABLE4_BLOCK], r: usize, block: &Block) {
    for (j, eight) in block.q.as_chunks::<8>().0.iter().enumerate() {
        let bytes: [u8; 4] = core::array::from_fn(|c| eight[c] | eight[4 + c] << 4);
        out[(j * PANEL_ROWS + r) * 4..][..4].copy_from_slice(&bytes);
    }
    let sum: i16 = block.q.iter().map(|&q| table.levels()[q as usize] as i16).sum();
    // Scales of MXFP4 go from 2^-128 to 2^127, f16 from 2^-24 to 2^15, exactly. What is smaller
    // becomes 0, weights below 12 · 2^-25; of what no model has, the largest is as good as any.
    let d = f16::from_f32(block.d.min(f16::MAX.to_f32()));
    out[D + 2 * r..][..2].copy_from_slice(&d.to_le_bytes());
    out[SUM + 2 * r..][..2].copy_from_slice(&sum.to_le_bytes());
}

/// Row `r` of a panel as f32.
pub(super) fn unpack_row(table: Table, panel: &[u8], r: usize, out: &mut [f32]) {
    let blocks = panel.as_chunks::<TABLE4_BLOCK>().0;
    for (block, out) in blocks.iter().zip(out.as_chunks_mut::<BLOCK>().0) {
        let d = f16::from_le_bytes([block[D + 2 * r], block[D + 2 * r + 1]]).to_f32();
        for (column, out) in out.iter_mut().enumerate() {
            *out = d * table.levels()[nibble(block, r, column) as usize] as f32;
        }
    }
}

/// 32 nibbles from 16 bytes (byte i: columns i and i + 16), as GGML has them.
pub(super) fn nibbles(bytes: &[u8]) -> [u8; BLOCK] {
    core::array::from_fn(|l| bytes[l % 16] >> (l / 16 * 4) & 15)
}
