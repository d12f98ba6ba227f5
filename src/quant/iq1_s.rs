//! IQ1_S: 256 columns as f16 d, the lower eight bits of 32 places in a grid of eight ternary
//! columns, and 8 u16: the upper three bits of four places, a three-bit scale, and a sign of
//! 1/8. Weight = d·(2·scale + 1)·(digit - 1 ± 1/8).

use super::affine::{Block, half_at};
use super::grids::Grid;

pub(super) const BYTES: usize = 2 + 32 + 16;

/// IQ1_M has the same.
pub(super) const GRID: Grid = Grid(include_bytes!("grids/iq1_s.bin"));

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<1> {
    let (low, high) = (&bytes[2 + 4 * i..], &bytes[34 + 2 * i..]);
    let high = u16::from_le_bytes([high[0], high[1]]);
    let q = core::array::from_fn(|l| {
        let place = low[l / 8] as usize | (high as usize >> (l / 8 * 3) & 7) << 8;
        GRID.of_eight(place, l % 8) as u8
    });
    let d = half_at(bytes, 0) * (2 * (high >> 12 & 7) + 1) as f32;
    let shift = if high >> 15 == 1 { -1.125 } else { -0.875 };
    Block { q, scales: [(d, shift * d)] }
}
