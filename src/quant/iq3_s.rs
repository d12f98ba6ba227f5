//! IQ3_S: 256 columns as f16 d, the lower eight bits of 64 places in a grid of four columns,
//! their ninth bits in 8 bytes, 32 bytes of signs, 8 four-bit scales. The levels are the odd
//! numbers to 15: weight = d·(2·scale + 1)·(± level), and with its sign a level is one of 16
//! even steps.

use super::affine::{Block, half_at};
use super::grids::{Grid, signed};

pub(super) const BYTES: usize = 2 + 64 + 8 + 32 + 4;

const GRID: Grid = Grid(include_bytes!("grids/iq3_s.bin"));
const MAX: u8 = 15;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<1> {
    let (low, signs) = (&bytes[2 + 8 * i..], &bytes[74 + 4 * i..]);
    let q = core::array::from_fn(|l| {
        let place = low[l / 4] as usize | (bytes[66 + i] as usize >> (l / 4) & 1) << 8;
        let level = 2 * GRID.of_four(place, l % 4) as u8 + 1;
        signed(MAX, level, signs[l / 8], l % 8) / 2
    });
    let scale = bytes[106 + i / 2] >> (i % 2 * 4) & 15;
    let d = half_at(bytes, 0) * (2.0 * scale as f32 + 1.0);
    Block { q, scales: [(2.0 * d, -(MAX as f32) * d)] }
}
