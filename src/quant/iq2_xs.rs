//! IQ2_XS: 256 columns as f16 d, 32 u16 (nine bits: a place in a grid of eight columns;
//! seven: their signs), 16 four-bit scales. Weight = d·(scale + 1/2) / 4·(± level).

use super::affine::{Block, half_at};
use super::grids::{Grid, IQ2_LEVELS, IQ2_MAX, eight_signs, signed};

pub(super) const BYTES: usize = 2 + 64 + 8;

const GRID: Grid = Grid(include_bytes!("grids/iq2_xs.bin"));

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<2> {
    let own = &bytes[2 + 8 * i..];
    let q = core::array::from_fn(|l| {
        let word = u16::from_le_bytes([own[l / 8 * 2], own[l / 8 * 2 + 1]]);
        let level = IQ2_LEVELS[GRID.of_eight((word & 511) as usize, l % 8)];
        signed(IQ2_MAX, level, eight_signs(word as u32 >> 9), l % 8)
    });
    Block { q, scales: scales(half_at(bytes, 0), bytes[66 + i]) }
}

/// d and m of two parts from a byte of scales.
pub(super) fn scales(d: f32, byte: u8) -> [(f32, f32); 2] {
    [byte & 15, byte >> 4].map(|scale| {
        let d = d * (scale as f32 + 0.5) / 4.0;
        (d, -(IQ2_MAX as f32) * d)
    })
}
