//! The layouts Q4 and Q7 (see `kernels::level` for their bytes): integers with a scale and
//! a minimum for each part of a block.

use crate::kernels::{BLOCK, PANEL_ROWS, affine_scales, q4_block, q7_block};
use half::f16;

/// 32 columns of a row: weight = d·q + m.
pub(super) struct Block<const H: usize> {
    /// In 0..16 for Q4, in 0..128 for Q7.
    pub(super) q: [u8; BLOCK],
    /// d and m of each of `H` parts.
    pub(super) scales: [(f32, f32); H],
}

/// How the integers of a block are kept.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Bits {
    /// In Q4.
    Four,
    /// In Q7.
    Seven,
}

impl Bits {
    fn bytes(self) -> usize {
        match self {
            Bits::Four => BLOCK / 2 * PANEL_ROWS,
            Bits::Seven => BLOCK * PANEL_ROWS,
        }
    }
}

/// Packs rows of GGML blocks of `LEN` columns in `BYTES` bytes; `read(block, i)` tells its
/// columns `32·i ..`.
pub(super) fn pack<const LEN: usize, const BYTES: usize, const H: usize>(
    bits: Bits,
    rows: &[u8],
    n_cols: usize,
    out: &mut [u8],
    read: impl Fn(&[u8; BYTES], usize) -> Block<H>,
) {
    let out_bytes = bits.bytes() + affine_scales(H);
    for (r, row) in rows.chunks_exact(n_cols / LEN * BYTES).enumerate() {
        let mut out = out.chunks_exact_mut(out_bytes);
        for block in row.as_chunks::<BYTES>().0 {
            for (i, out) in out.by_ref().take(LEN / BLOCK).enumerate() {
                put(bits, out, r, &read(block, i));
            }
        }
    }
}

fn put<const H: usize>(bits: Bits, out: &mut [u8], r: usize, block: &Block<H>) {
    let (out_q, out_scales) = out.split_at_mut(bits.bytes());
    let groups = block.q.as_chunks::<4>().0;
    match bits {
        Bits::Four => {
            for (j, pair) in groups.as_chunks::<2>().0.iter().enumerate() {
                let [low, high] = *pair;
                let bytes: [u8; 4] = core::array::from_fn(|c| low[c] | high[c] << 4);
                out_q[(j * PANEL_ROWS + r) * 4..][..4].copy_from_slice(&bytes);
            }
        }
        Bits::Seven => {
            for (g, group) in groups.iter().enumerate() {
                out_q[(g * PANEL_ROWS + r) * 4..][..4].copy_from_slice(group);
            }
        }
    }
    for ((d, m), out) in block.scales.iter().zip(out_scales.chunks_exact_mut(affine_scales(1))) {
        let (out_d, out_m) = out.split_at_mut(2 * PANEL_ROWS);
        out_d[2 * r..][..2].copy_from_slice(&f16::from_f32(*d).to_le_bytes());
        out_m[2 * r..][..2].copy_from_slice(&f16::from_f32(*m).to_le_bytes());
    }
}

/// Row `r` of a panel as f32, its blocks being in `parts` parts.
pub(super) fn unpack_row(bits: Bits, parts: usize, panel: &[u8], r: usize, out: &mut [f32]) {
    let half = |bytes: &[u8]| f16::from_le_bytes([bytes[2 * r], bytes[2 * r + 1]]).to_f32();
    let bytes = match bits {
        Bits::Four => q4_block(parts),
        Bits::Seven => q7_block(parts),
    };
    for (block, out) in panel.chunks_exact(bytes).zip(out.chunks_exact_mut(BLOCK)) {
        let (q, scales) = block.split_at(bits.bytes());
        for (column, out) in out.iter_mut().enumerate() {
            let scales = &scales[column * parts / BLOCK * affine_scales(1)..];
            let (d, m) = (half(scales), half(&scales[2 * PANEL_ROWS..]));
            let q = match bits {
                Bits::Four => {
                    let byte = q[(column / 8 * PANEL_ROWS + r) * 4 + column % 4];
                    byte >> (column % 8 / 4 * 4) & 15
                }
                Bits::Seven => q[(column / 4 * PANEL_ROWS + r) * 4 + column % 4],
            };
            *out = d * q as f32 + m;
        }
    }
}

/// A little-endian f16 at `bytes[at..]`.
pub(super) fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}
