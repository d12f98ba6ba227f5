//! What the IQ formats below 4 bits have in common: a few columns together are one place in
//! a grid of those combinations that occur most, and signs are kept apart.
//!
//! A grid is part of its format. Here it is a file of u16, one for each place: eight
//! columns of 2 bits or four of 3 bits, the first lowest, each counting the format's levels.
//! `tests/fixtures/formats/make.py` writes them, from the PyPI package `gguf`.

/// A grid's bytes.
pub(super) struct Grid(pub(super) &'static [u8]);

impl Grid {
    /// Level `j` of eight at a place, in 0..4.
    pub(super) fn of_eight(&self, place: usize, j: usize) -> usize {
        (self.entry(place) >> (2 * j) & 3) as usize
    }

    /// Level `j` of four at a place, in 0..8.
    pub(super) fn of_four(&self, place: usize, j: usize) -> usize {
        (self.entry(place) >> (3 * j) & 7) as usize
    }

    fn entry(&self, place: usize) -> u16 {
        u16::from_le_bytes([self.0[2 * place], self.0[2 * place + 1]])
    }
}

/// The signs of eight columns, of which seven are given: an even number is negative.
pub(super) fn eight_signs(seven: u32) -> u8 {
    let seven = (seven & 127) as u8;
    seven | (seven.count_ones() as u8 & 1) << 7
}

/// `level`, negative where bit `j` of `signs` is set, above -`max`.
pub(super) fn signed(max: u8, level: u8, signs: u8, j: usize) -> u8 {
    if signs >> j & 1 == 1 { max - level } else { max + level }
}

/// The levels of IQ2_XXS, IQ2_XS and IQ2_S.
pub(super) const IQ2_LEVELS: [u8; 3] = [8, 25, 43];
/// The largest of them.
pub(super) const IQ2_MAX: u8 = 43;
