//! What an integer SIMD level has to provide, and the loops over panels that
//! are the same for all of them.
//!
//! Packed layouts (made by `quant`), a panel being 8 rows and a block 32 columns:
//! - **Q4**, 160 bytes a block: for j in 0..4, for half in 0..2, 16 bytes of 4 rows × 4
//!   bytes (row `4·half + i`, byte c: low nibble column `8j + c`, high nibble column
//!   `8j + 4 + c`); then 8 f16 scales d and 8 f16 minima m. Weight = d·q + m, q in 0..16.
//! - **Q8**, 288 bytes a block: for g in 0..8, for half in 0..2, 4 rows × 4 columns `4g + c`
//!   of i8; then 8 f16 scales and 8 i16 sums of the row's 32 weights. Weight = d·q.
//!
//! Activations are quantised per block of 32 to x ≈ d·q, q in -127..=127 (round to
//! nearest, ties to even), in panels of `T` tokens (1 for GEMV, 4 for GEMM). How a
//! level lays them out is its own affair.

use super::f32x4::F32x4;
use super::stripe::Stripe;
use super::{BLOCK, PANEL_ROWS, PANEL_TOKENS};

/// Bytes of a Q4 block of one panel.
pub(crate) const Q4_BLOCK: usize = 160;
/// Bytes of a Q8 block of one panel.
pub(crate) const Q8_BLOCK: usize = 288;

/// 8 rows of a product, for each of `T` tokens.
pub(crate) type Tile<const T: usize> = [[F32x4; 2]; T];

/// Activations of one or more tokens, quantised: `[panels of T tokens][k / 32 blocks]`.
#[derive(Clone, Copy)]
pub(crate) struct Quantised<'a> {
    /// In the level's own layout.
    pub(crate) bytes: &'a [u8],
    /// Blocks in a row: k / 32.
    pub(crate) n_blocks: usize,
}

/// One SIMD level of the integer kernels.
pub(crate) trait Level {
    /// Bytes of one block of one token quantised for Q4 weights.
    const Q4_X: usize;
    /// Bytes of one block of one token quantised for Q8 weights.
    const Q8_X: usize;
    /// Bytes of one unpacked Q4 block of a panel (scratch of the GEMM).
    const Q4_UNPACKED: usize;

    /// Quantises a panel of `T` tokens for Q4 weights.
    ///
    /// `x` holds rows of `stride` floats of which the first `32 · n_blocks` count; rows
    /// beyond its end are taken as zero. `out` takes `T · n_blocks · Q4_X` bytes.
    fn quantise_q4<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]);

    /// The same for Q8 weights and `Q8_X`.
    fn quantise_q8<const T: usize>(x: &[f32], stride: usize, n_blocks: usize, out: &mut [u8]);

    /// Product of one Q4 panel `[n_blocks][Q4_BLOCK]` with one token.
    ///
    /// # Safety
    /// `panel` and `x` must be valid for `n_blocks` blocks.
    unsafe fn q4_tile1(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<1>;

    /// Unpacks one Q4 panel for [`Level::q4_tile4`].
    ///
    /// # Safety
    /// `panel` must be valid for `n_blocks` blocks, `out` for `n_blocks · Q4_UNPACKED` bytes.
    unsafe fn q4_unpack(panel: *const u8, n_blocks: usize, out: *mut u8);

    /// Product of one unpacked Q4 panel with a panel of four tokens.
    ///
    /// # Safety
    /// `unpacked` and `x` must be valid for `n_blocks` blocks.
    unsafe fn q4_tile4(unpacked: *const u8, x: *const u8, n_blocks: usize) -> Tile<4>;

    /// Product of one Q8 panel with a panel of `T` tokens.
    ///
    /// # Safety
    /// `panel` and `x` must be valid for `n_blocks` blocks.
    unsafe fn q8_tile<const T: usize>(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<T>;
}

/// Largest magnitude and scale of one block: returns (d, 1/d) with d = max|x| / 127.
#[inline(always)]
pub(crate) fn block_scale(max: f32) -> (f32, f32) {
    let d = max / 127.0;
    (d, if d > 0.0 { 1.0 / d } else { 0.0 })
}

/// Adds a tile of 8 values to `out`, or stores it.
#[inline(always)]
pub(crate) fn put(out: &mut [f32], tile: [F32x4; 2], add: bool) {
    for (out, tile) in out.as_chunks_mut::<4>().0.iter_mut().zip(tile) {
        let sum = if add { tile.add(F32x4::from_array(out)) } else { tile };
        sum.write(out);
    }
}

/// y = W·x (or y += W·x) for the whole panels of Q4 weights in `w`, one token.
///
/// `w` is `[panels][n_blocks][Q4_BLOCK]`, `y` is `[panels · 8]`.
#[inline(never)]
pub(crate) fn gemv_q4<L: Level>(w: &[u8], x: Quantised, y: &mut [f32], add: bool) {
    let panel_bytes = x.n_blocks * Q4_BLOCK;
    assert!(w.len() == y.len() / PANEL_ROWS * panel_bytes);
    assert!(x.bytes.len() >= x.n_blocks * L::Q4_X);
    for (w, y) in w.chunks_exact(panel_bytes).zip(y.chunks_exact_mut(PANEL_ROWS)) {
        // SAFETY: the chunk is one panel, and x was checked above.
        let [tile] = unsafe { L::q4_tile1(w.as_ptr(), x.bytes.as_ptr(), x.n_blocks) };
        put(y, tile, add);
    }
}

/// y = W·x (or y += W·x) for the whole panels of Q8 weights in `w`, one token.
#[inline(never)]
pub(crate) fn gemv_q8<L: Level>(w: &[u8], x: Quantised, y: &mut [f32], add: bool) {
    let panel_bytes = x.n_blocks * Q8_BLOCK;
    assert!(w.len() == y.len() / PANEL_ROWS * panel_bytes);
    assert!(x.bytes.len() >= x.n_blocks * L::Q8_X);
    for (w, y) in w.chunks_exact(panel_bytes).zip(y.chunks_exact_mut(PANEL_ROWS)) {
        // SAFETY: the chunk is one panel, and x was checked above.
        let [tile] = unsafe { L::q8_tile::<1>(w.as_ptr(), x.bytes.as_ptr(), x.n_blocks) };
        put(y, tile, add);
    }
}

/// Y = X·Wᵀ (or Y += X·Wᵀ) for Q4 weights: `y` has a row for each token and the
/// columns of the panels in `w`. `scratch` holds one unpacked panel:
/// `n_blocks · Q4_UNPACKED` bytes.
#[inline(never)]
pub(crate) fn gemm_q4<L: Level>(
    w: &[u8],
    x: Quantised,
    y: &mut Stripe,
    scratch: &mut [u8],
    add: bool,
) {
    let panel_bytes = x.n_blocks * Q4_BLOCK;
    let x_bytes = PANEL_TOKENS * x.n_blocks * L::Q4_X;
    let n_tokens = y.n_rows();
    assert!(w.len() == y.columns().len() / PANEL_ROWS * panel_bytes);
    assert!(x.bytes.len() >= n_tokens.div_ceil(PANEL_TOKENS) * x_bytes);
    assert!(scratch.len() >= x.n_blocks * L::Q4_UNPACKED);
    for (p, w) in w.chunks_exact(panel_bytes).enumerate() {
        // SAFETY: the chunk is one panel; scratch was checked above.
        unsafe { L::q4_unpack(w.as_ptr(), x.n_blocks, scratch.as_mut_ptr()) };
        for (t, x_panel) in token_panels(x.bytes, x_bytes, n_tokens) {
            // SAFETY: scratch holds the unpacked panel, the chunk is one panel of tokens.
            let tile = unsafe { L::q4_tile4(scratch.as_ptr(), x_panel.as_ptr(), x.n_blocks) };
            put_tokens(y, t, n_tokens, p, tile, add);
        }
    }
}

/// Y = X·Wᵀ (or Y += X·Wᵀ) for Q8 weights.
#[inline(never)]
pub(crate) fn gemm_q8<L: Level>(w: &[u8], x: Quantised, y: &mut Stripe, add: bool) {
    let panel_bytes = x.n_blocks * Q8_BLOCK;
    let x_bytes = PANEL_TOKENS * x.n_blocks * L::Q8_X;
    let n_tokens = y.n_rows();
    assert!(w.len() == y.columns().len() / PANEL_ROWS * panel_bytes);
    assert!(x.bytes.len() >= n_tokens.div_ceil(PANEL_TOKENS) * x_bytes);
    for (p, w) in w.chunks_exact(panel_bytes).enumerate() {
        for (t, x_panel) in token_panels(x.bytes, x_bytes, n_tokens) {
            // SAFETY: the chunks are one panel of weights and one of tokens.
            let tile =
                unsafe { L::q8_tile::<PANEL_TOKENS>(w.as_ptr(), x_panel.as_ptr(), x.n_blocks) };
            put_tokens(y, t, n_tokens, p, tile, add);
        }
    }
}

/// (first token, bytes) of each panel of four tokens.
fn token_panels(x: &[u8], bytes: usize, n: usize) -> impl Iterator<Item = (usize, &[u8])> {
    (0..n).step_by(PANEL_TOKENS).zip(x.chunks_exact(bytes))
}

/// Puts a tile into rows `t..t+4` (those below `n_tokens`), columns of panel `p`.
#[inline(always)]
pub(crate) fn put_tokens<const T: usize>(
    y: &mut Stripe,
    t: usize,
    n_tokens: usize,
    p: usize,
    tile: Tile<T>,
    add: bool,
) {
    for (i, tile) in tile.into_iter().enumerate() {
        if t + i < n_tokens {
            put(&mut y.row_mut(t + i)[p * PANEL_ROWS..][..PANEL_ROWS], tile, add);
        }
    }
}

/// Rows of a token panel: `Some(block)` where the token is there, for block `b`.
#[inline(always)]
pub(crate) fn block_of(x: &[f32], stride: usize, token: usize, b: usize) -> Option<&[f32; BLOCK]> {
    x.get(token * stride + b * BLOCK..)?.first_chunk()
}
