//! IQ2_S: 256 columns as f16 d, the lower eight bits of 32 places in a grid of eight
//! columns, 32 bytes of signs, the places' upper two bits in 8 bytes, 16 four-bit scales.
//! Weight = d·(scale + 1/2) / 4·(± level).

use super::affine::{Block, half_at};
use super::grids::{Grid, IQ2_LEVELS, IQ2_MAX, signed};
use super::iq2_xs::scales;

pub(super) const BYTES: usize = 2 + 32 + 32 + 8 + 8;

const GRID: Grid = Grid(include_bytes!("grids/iq2_s.bin"));

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<2> {
    let (low, signs) = (&bytes[2 + 4 * i..], &bytes[34 + 4 * i..]);
    let q = core::array::from_fn(|l| {
        let high = bytes[66 + i] >> (l / 8 * 2) & 3;
        let place = low[l / 8] as usize | (high as usize) << 8;
        signed(IQ2_MAX, IQ2_LEVELS[GRID.of_eight(place, l % 8)], signs[l / 8], l % 8)
    });
    Block { q, scales: scales(half_at(bytes, 0), bytes[74 + i]) }
}
