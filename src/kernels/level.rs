//! What an integer SIMD level has to provide.
//!
//! Packed layouts (made by `quant`), a panel being 8 rows and a block 32 columns, whose
//! scales may differ between its parts (see [`Scales`]):
//! - **Q4**: for j in 0..4, for half in 0..2, 16 bytes of 4 rows × 4 bytes (row
//!   `4·half + i`, byte c: low nibble column `8j + c`, high nibble column `8j + 4 + c`);
//!   then, for each part, 8 f16 scales d and 8 f16 minima m. Weight = d·q + m, q in 0..16;
//!   without minima ([`Centred`]) d·(q - centre).
//! - **Q7**: for g in 0..8, for half in 0..2, 4 rows × 4 columns `4g + c` of bytes; then
//!   scales as in Q4. Weight = d·q + m, q in 0..128; or d·(q - centre), q in 0..256 where
//!   the level [takes bytes](Level::takes_bytes).
//! - **Q8**: bytes as in Q7, but i8; then 8 f16 scales and 8 i16 sums of the row's 32
//!   weights. Weight = d·q.
//! - **Table4**: nibbles as in Q4, scales and sums as in Q8. Weight = d·levels[q], an i8.
//!
//! Activations are quantised per block of 32 to x ≈ d·q, q in -127..=127 (round to
//! nearest, ties to even), in panels of `T` tokens (1 for GEMV, 4 for GEMM). There are
//! two forms: *affine*, for Q4 and Q7, which also has d·Σq and Σq of the whole block and of
//! its halves, and *symmetric*, for Q8 and Table4. How a level lays them out is its own affair.

use super::f32x4::F32x4;
use super::{BLOCK, PANEL_ROWS};

/// What stands behind the integers of a Q4 or Q7 block.
pub(crate) trait Scales {
    /// Parts of a block that have scales of their own.
    const PARTS: usize;
    /// Whether they have minima.
    const MINIMA: bool;
    /// Without: the integer that stands for zero is two to this power.
    const CENTRE_LOG2: u32 = 0;
    /// Bytes for a panel.
    const BYTES: usize = Self::PARTS * PANEL_ROWS * if Self::MINIMA { 4 } else { 2 };
}

/// A scale and a minimum for each of `H` parts: 1 for 32 columns, 2 for 16 each.
pub(crate) struct Minima<const H: usize>;

impl<const H: usize> Scales for Minima<H> {
    const PARTS: usize = H;
    const MINIMA: bool = true;
}

/// A scale alone for each of `H` parts, and integers that are 2^`LOG2` too large.
pub(crate) struct Centred<const H: usize, const LOG2: u32>;

impl<const H: usize, const LOG2: u32> Scales for Centred<H, LOG2> {
    const PARTS: usize = H;
    const MINIMA: bool = false;
    const CENTRE_LOG2: u32 = LOG2;
}

/// Those of Q4_0, 16 of Q5_0, 32 of Q6_K, with a scale for 16 columns, and 128 of Q8_0.
pub(crate) type Centred8 = Centred<1, 3>;
pub(crate) type Centred16 = Centred<1, 4>;
pub(crate) type Centred32 = Centred<2, 5>;
pub(crate) type Centred128 = Centred<1, 7>;

/// Bytes of a Q4 block of one panel.
pub(crate) const fn q4_block<S: Scales>() -> usize {
    BLOCK / 2 * PANEL_ROWS + S::BYTES
}

/// Bytes of a Q7 block of one panel.
pub(crate) const fn q7_block<S: Scales>() -> usize {
    BLOCK * PANEL_ROWS + S::BYTES
}

/// Bytes of a Q8 block of one panel.
pub(crate) const Q8_BLOCK: usize = BLOCK * PANEL_ROWS + 4 * PANEL_ROWS;

/// Bytes of a Table4 block of one panel.
pub(crate) const TABLE4_BLOCK: usize = BLOCK / 2 * PANEL_ROWS + 4 * PANEL_ROWS;

/// 8 rows of a product, for each of `T` tokens or panels.
pub(crate) type Tile<const T: usize> = [[F32x4; 2]; T];

/// One SIMD level of the integer kernels.
pub(crate) trait Level {
    /// Bytes of one block of one token in affine form.
    const AFFINE_X: usize;
    /// Bytes of one block of one token in symmetric form.
    const SYMMETRIC_X: usize;
    /// Bytes that one Q4 weight takes when it is unpacked.
    const Q4_UNPACKED: usize;

    /// Whether Q7 may have bytes beyond 127.
    fn takes_bytes() -> bool {
        false
    }

    /// Quantises a panel of `T` tokens in affine form.
    ///
    /// `x` holds rows of `stride` floats of which the first `32 · n_blocks` count; rows
    /// beyond its end are taken as zero. `out` takes `T · n_blocks · AFFINE_X` bytes.
    fn quantise_affine<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]);

    /// The same in symmetric form.
    fn quantise_symmetric<const T: usize>(
        x: &[f32],
        stride: usize,
        n_blocks: usize,
        out: &mut [u8],
    );

    /// Products of `P` Q4 panels with one token.
    ///
    /// # Safety
    /// The panels and `x` must be valid for `n_blocks` blocks.
    unsafe fn q4_rows<S: Scales, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P>;

    /// Unpacks one Q4 panel for [`Level::q4_tile4`]; its scales stay as they are.
    ///
    /// # Safety
    /// `panel` must be valid for `n_blocks` blocks, `out` for [`q4_unpacked`] times as many.
    unsafe fn q4_unpack<S: Scales>(panel: *const u8, n_blocks: usize, out: *mut u8);

    /// Product of one unpacked Q4 panel with a panel of four tokens.
    ///
    /// # Safety
    /// `unpacked` and `x` must be valid for `n_blocks` blocks.
    unsafe fn q4_tile4<S: Scales>(unpacked: *const u8, x: *const u8, n_blocks: usize) -> Tile<4>;

    /// Products of `P` Q7 panels with one token.
    ///
    /// # Safety
    /// The panels and `x` must be valid for `n_blocks` blocks.
    unsafe fn q7_rows<S: Scales, const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P>;

    /// Product of one Q7 panel with a panel of four tokens.
    ///
    /// # Safety
    /// `panel` and `x` must be valid for `n_blocks` blocks.
    unsafe fn q7_tile4<S: Scales>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4>;

    /// Products of `P` Q8 panels with one token.
    ///
    /// # Safety
    /// The panels and `x` must be valid for `n_blocks` blocks.
    unsafe fn q8_rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P>;

    /// Product of one Q8 panel with a panel of four tokens.
    ///
    /// # Safety
    /// `panel` and `x` must be valid for `n_blocks` blocks.
    unsafe fn q8_tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4>;

    /// Makes Q8 blocks of one Table4 panel.
    ///
    /// # Safety
    /// `panel` must be valid for `n_blocks` blocks, `out` for as many of Q8.
    unsafe fn table4_unpack(levels: &[i8; 16], panel: *const u8, n_blocks: usize, out: *mut u8);
}

/// Bytes of one unpacked Q4 block of a panel.
pub(crate) const fn q4_unpacked<L: Level, S: Scales>() -> usize {
    BLOCK * PANEL_ROWS * L::Q4_UNPACKED + S::BYTES
}

/// Largest magnitude and scale of one block: returns (d, 1/d) with d = max|x| / 127, or zeros.
#[inline(always)]
pub(crate) fn block_scale(max: f32) -> (f32, f32) {
    let d = max / 127.0;
    // Of a subnormal scale the inverse is infinite.
    if d >= f32::MIN_POSITIVE { (d, 1.0 / d) } else { (0.0, 0.0) }
}

/// Rows of a token panel: `Some(block)` where the token is there, for block `b`.
#[inline(always)]
pub(crate) fn block_of(x: &[f32], stride: usize, token: usize, b: usize) -> Option<&[f32; BLOCK]> {
    x.get(token * stride + b * BLOCK..)?.first_chunk()
}
