//! The layouts Q4 and Q7 (see `kernels::level` for their bytes): integers with a scale and
//! a minimum, or a scale alone, for each part of a block.

use crate::kernels::{BLOCK, Minima, PANEL_ROWS, Scales};
use half::f16;

/// 32 columns of a row: weight = d·q + m.
pub(super) struct Block<const H: usize> {
    /// In 0..16 for Q4, in 0..128 for Q7 with minima, in 0..256 without.
    pub(super) q: [u8; BLOCK],
    /// d and m of each of `H` parts; without minima m is not used.
    pub(super) scales: [(f32, f32); H],
}

/// How the integers of a block are kept.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Bits {
    /// As nibbles, in Q4.
    Four,
    /// As bytes, in Q7.
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

/// Packs rows of GGML blocks of `LEN` columns in `BYTES` bytes, with minima; `read(block, i)`
/// tells its columns `32·i ..`.
pub(super) fn pack<const LEN: usize, const BYTES: usize, const H: usize>(
    bits: Bits,
    rows: &[u8],
    n_cols: usize,
    out: &mut [u8],
    read: impl Fn(&[u8; BYTES], usize) -> Block<H>,
) {
    pack_as::<Minima<H>, LEN, BYTES, H>(bits, rows, n_cols, out, read);
}

/// The same with scales as `S` has them.
pub(super) fn pack_as<S: Scales, const LEN: usize, const BYTES: usize, const H: usize>(
    bits: Bits,
    rows: &[u8],
    n_cols: usize,
    out: &mut [u8],
    read: impl Fn(&[u8; BYTES], usize) -> Block<H>,
) {
    const { assert!(H == S::PARTS) };
    let out_bytes = bits.bytes() + S::BYTES;
    for (r, row) in rows.chunks_exact(n_cols / LEN * BYTES).enumerate() {
        let mut out = out.chunks_exact_mut(out_bytes);
        for block in row.as_chunks::<BYTES>().0 {
            for (i, out) in out.by_ref().take(LEN / BLOCK).enumerate() {
                put::<S, H>(bits, out, r, &read(block, i));
            }
        }
    }
}

fn put<S: Scales, const H: usize>(bits: Bits, out: &mut [u8], r: usize, block: &Block<H>) {
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
    for ((d, m), out) in block.scales.iter().zip(out_scales.chunks_exact_mut(S::BYTES / H)) {
        let values = if S::MINIMA { &[*d, *m][..] } else { &[*d] };
        for (out, value) in out.chunks_exact_mut(2 * PANEL_ROWS).zip(values) {
            out[2 * r..][..2].copy_from_slice(&f16::from_f32(*value).to_le_bytes());
        }
    }
}

/// Row `r` of a panel as f32.
pub(super) fn unpack_row<S: Scales>(bits: Bits, panel: &[u8], r: usize, out: &mut [f32]) {
    let half = |bytes: &[u8]| f16::from_le_bytes([bytes[2 * r], bytes[2 * r + 1]]).to_f32();
    let blocks = panel.chunks_exact(bits.bytes() + S::BYTES);
    for (block, out) in blocks.zip(out.chunks_exact_mut(BLOCK)) {
        let (q, scales) = block.split_at(bits.bytes());
        for (column, out) in out.iter_mut().enumerate() {
            let scales = &scales[column * S::PARTS / BLOCK * (S::BYTES / S::PARTS)..];
            let d = half(scales);
            let q = match bits {
                Bits::Four => nibble(q, r, column),
                Bits::Seven => q[(column / 4 * PANEL_ROWS + r) * 4 + column % 4],
            };
            *out = match S::MINIMA {
                true => d * q as f32 + half(&scales[2 * PANEL_ROWS..]),
                false => d * (i32::from(q) - (1 << S::CENTRE_LOG2)) as f32,
            };
        }
    }
}

/// The 4 bits of a column of row `r` in a block that begins with those of its panel.
pub(super) fn nibble(block: &[u8], r: usize, column: usize) -> u8 {
    let byte = block[(column / 8 * PANEL_ROWS + r) * 4 + column % 4];
    byte >> (column % 8 / 4 * 4) & 15
}

/// A little-endian f16 at `bytes[at..]`.
pub(super) fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}
