//! IQ1_M: 256 columns as the lower eight bits of 32 places in the grid of IQ1_S, a nibble
//! for each place (its upper three bits, and a sign of 1/8), and four u16 of four three-bit
//! scales each, whose upper four bits together are an f16 d.
//! Weight = d·(2·scale + 1)·(digit - 1 ± 1/8), which is d/4·(2·scale + 1) times one of
//! 0, 1, 4, 5, 8, 9 less 4.5.

use super::affine::Block;
use super::iq1_s::GRID;
use half::f16;

pub(super) const BYTES: usize = 32 + 16 + 8;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<2> {
    let (low, high) = (&bytes[4 * i..], &bytes[32 + 2 * i..]);
    let q = core::array::from_fn(|l| {
        let nibble = high[l / 16] >> (l / 8 % 2 * 4) & 15;
        let place = low[l / 8] as usize | (nibble as usize & 7) << 8;
        4 * GRID.of_eight(place, l % 8) as u8 + u8::from(nibble & 8 == 0)
    });
    let words: [u16; 4] =
        core::array::from_fn(|k| u16::from_le_bytes([bytes[48 + 2 * k], bytes[49 + 2 * k]]));
    let d = words.iter().rev().fold(0, |bits, word| bits << 4 | word >> 12);
    let d = f16::from_bits(d).to_f32();
    let scale = |part: usize| {
        let scale = words[i / 2] >> (i % 2 * 6 + part * 3) & 7;
        let d = d * (2 * scale + 1) as f32;
        (d / 4.0, -1.125 * d)
    };
    Block { q, scales: [scale(0), scale(1)] }
}
