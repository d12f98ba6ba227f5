//! IQ2_XXS: 256 columns as f16 d and eight times 8 bytes: four places in a grid of eight
//! columns, then four times seven signs and a four-bit scale.
//! Weight = d·(scale + 1/2) / 4·(± level).

use super::affine::half_at;
use super::grids::{Grid, eight_signs};
use super::table4::Block;

pub(super) const BYTES: usize = 2 + 64;

const GRID: Grid = Grid(include_bytes!("grids/iq2_xxs.bin"));

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block {
    let own = &bytes[2 + 8 * i..];
    let rest = u32::from_le_bytes([own[4], own[5], own[6], own[7]]);
    let q = core::array::from_fn(|l| {
        let sign = eight_signs(rest >> (l / 8 * 7)) >> (l % 8) & 1;
        GRID.of_eight(own[l / 8] as usize, l % 8) as u8 | sign << 3
    });
    Block { q, d: half_at(bytes, 0) * ((rest >> 28) as f32 + 0.5) / 4.0 }
}
