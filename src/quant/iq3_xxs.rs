//! IQ3_XXS: 256 columns as f16 d, 64 places in a grid of four columns, and eight times four
//! times seven signs and a four-bit scale. Weight = d·(scale + 1/2) / 2·(± level).

use super::affine::{Block, half_at};
use super::grids::{Grid, eight_signs, signed};

pub(super) const BYTES: usize = 2 + 64 + 32;

const GRID: Grid = Grid(include_bytes!("grids/iq3_xxs.bin"));
const LEVELS: [u8; 8] = [4, 12, 20, 28, 36, 44, 52, 62];
const MAX: u8 = 62;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<1> {
    let (places, rest) = (&bytes[2 + 8 * i..], &bytes[66 + 4 * i..]);
    let rest = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
    let q = core::array::from_fn(|l| {
        let level = LEVELS[GRID.of_four(places[l / 4] as usize, l % 4)];
        signed(MAX, level, eight_signs(rest >> (l / 8 * 7)), l % 8)
    });
    let d = half_at(bytes, 0) * ((rest >> 28) as f32 + 0.5) / 2.0;
    Block { q, scales: [(d, -(MAX as f32) * d)] }
}
