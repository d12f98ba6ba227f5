//! IQ3_XXS: 256 columns as f16 d, 64 places in a grid of four columns, and eight times four
//! times seven signs and a four-bit scale. Weight = d·(scale + 1/2) / 2·(± level).

use super::affine::half_at;
use super::grids::{Grid, eight_signs};
use super::table4::Block;

pub(super) const BYTES: usize = 2 + 64 + 32;

const GRID: Grid = Grid(include_bytes!("grids/iq3_xxs.bin"));

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block {
    let (places, rest) = (&bytes[2 + 8 * i..], &bytes[66 + 4 * i..]);
    let rest = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
    let q = core::array::from_fn(|l| {
        let sign = eight_signs(rest >> (l / 8 * 7)) >> (l % 8) & 1;
        GRID.of_four(places[l / 4] as usize, l % 4) as u8 | sign << 3
    });
    Block { q, d: half_at(bytes, 0) * ((rest >> 28) as f32 + 0.5) / 2.0 }
}
