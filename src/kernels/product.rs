//! Products of packed integer weights with quantised activations: the loops over panels,
//! the same for every layout and level.

use super::f32x4::F32x4;
use super::level::{Level, Q8_BLOCK, Scales, TABLE4_BLOCK, Tile, q4_block, q4_unpacked, q7_block};
use super::stripe::Stripe;
use super::{PANEL_ROWS, PANEL_TOKENS};
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// Activations of one or more tokens, quantised: `[panels of T tokens][k / 32 blocks]`.
#[derive(Clone, Copy)]
pub(crate) struct Quantised<'a> {
    /// In the level's own layout, in the form that the weights read.
    pub(crate) bytes: &'a [u8],
    /// Blocks in a row: k / 32.
    pub(crate) n_blocks: usize,
}

/// An integer layout of weights, as a level multiplies it.
pub(crate) trait Weights<L: Level> {
    /// Bytes of a block of one panel.
    const BLOCK: usize;
    /// Bytes of a block of one token in the form that these weights read.
    const X: usize;
    /// Bytes of scratch that [`Weights::prepare`] writes for a block.
    const SCRATCH: usize = 0;

    /// Products of `P` panels with one token.
    ///
    /// # Safety
    /// The panels and `x` must be valid for `n_blocks` blocks.
    unsafe fn rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P>;

    /// Makes a panel ready for [`Weights::tile4`]; returns where it stands then.
    ///
    /// # Safety
    /// `panel` must be valid for `n_blocks` blocks, `scratch` for as many of `SCRATCH` bytes.
    unsafe fn prepare(panel: *const u8, _n_blocks: usize, _scratch: *mut u8) -> *const u8 {
        panel
    }

    /// Product of one prepared panel with a panel of four tokens.
    ///
    /// # Safety
    /// `panel` and `x` must be valid for `n_blocks` blocks.
    unsafe fn tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4>;
}

/// 4 bits without a sign, and their scales.
pub(crate) struct Q4<S>(PhantomData<S>);
/// 7 bits without a sign, and their scales.
pub(crate) struct Q7<S>(PhantomData<S>);
/// 8 bits with a sign.
pub(crate) struct Q8;
/// 4 bits that are places in the table of `T`.
pub(crate) struct Table4<T>(PhantomData<T>);

/// Blocks of a [`Table4`] that are summed together, by [`Weights::rows`] as by
/// [`Weights::tile4`]: so a token comes to the same alone and among others.
const BATCH: usize = 8;

/// What the nibbles of a [`Table4`] mean.
pub(crate) trait Levels {
    /// Levels, to be multiplied by a block's scale.
    const LEVELS: [i8; 16];
}

// SAFETY of all that follows: by the caller, as the trait's functions demand.
impl<L: Level, S: Scales> Weights<L> for Q4<S> {
    const BLOCK: usize = q4_block::<S>();
    const X: usize = L::AFFINE_X;
    const SCRATCH: usize = q4_unpacked::<L, S>();

    #[inline(always)]
    unsafe fn rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: as above.
        unsafe { L::q4_rows::<S, P>(panels, x, n_blocks) }
    }

    #[inline(always)]
    unsafe fn prepare(panel: *const u8, n_blocks: usize, scratch: *mut u8) -> *const u8 {
        // SAFETY: as above.
        unsafe { L::q4_unpack::<S>(panel, n_blocks, scratch) };
        scratch
    }

    #[inline(always)]
    unsafe fn tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: as above.
        unsafe { L::q4_tile4::<S>(panel, x, n_blocks) }
    }
}

impl<L: Level, S: Scales> Weights<L> for Q7<S> {
    const BLOCK: usize = q7_block::<S>();
    const X: usize = L::AFFINE_X;

    #[inline(always)]
    unsafe fn rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: as above.
        unsafe { L::q7_rows::<S, P>(panels, x, n_blocks) }
    }

    #[inline(always)]
    unsafe fn tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: as above.
        unsafe { L::q7_tile4::<S>(panel, x, n_blocks) }
    }
}

impl<L: Level> Weights<L> for Q8 {
    const BLOCK: usize = Q8_BLOCK;
    const X: usize = L::SYMMETRIC_X;

    #[inline(always)]
    unsafe fn rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        // SAFETY: as above.
        unsafe { L::q8_rows::<P>(panels, x, n_blocks) }
    }

    #[inline(always)]
    unsafe fn tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        // SAFETY: as above.
        unsafe { L::q8_tile4(panel, x, n_blocks) }
    }
}

impl<L: Level, T: Levels> Weights<L> for Table4<T> {
    const BLOCK: usize = TABLE4_BLOCK;
    const X: usize = L::SYMMETRIC_X;
    const SCRATCH: usize = Q8_BLOCK;

    /// A few blocks at a time become Q8, near enough to stay in the first cache.
    #[inline(always)]
    unsafe fn rows<const P: usize>(
        panels: [*const u8; P],
        x: *const u8,
        n_blocks: usize,
    ) -> Tile<P> {
        let mut q8 = MaybeUninit::<[[u8; Q8_BLOCK]; BATCH]>::uninit();
        panels.map(|panel| {
            let mut sum = [F32x4::zero(); 2];
            for b in (0..n_blocks).step_by(BATCH) {
                let n = BATCH.min(n_blocks - b);
                let q8 = q8.as_mut_ptr().cast::<u8>();
                // SAFETY: blocks b..b+n are within the caller's; q8 has room for n, and is
                // written before it is read.
                let [rows] = unsafe {
                    L::table4_unpack(&T::LEVELS, panel.add(b * TABLE4_BLOCK), n, q8);
                    L::q8_rows([q8.cast_const()], x.add(b * L::SYMMETRIC_X), n)
                };
                sum = [sum[0].add(rows[0]), sum[1].add(rows[1])];
            }
            sum
        })
    }

    #[inline(always)]
    unsafe fn prepare(panel: *const u8, n_blocks: usize, scratch: *mut u8) -> *const u8 {
        // SAFETY: as above.
        unsafe { L::table4_unpack(&T::LEVELS, panel, n_blocks, scratch) };
        scratch
    }

    #[inline(always)]
    unsafe fn tile4(panel: *const u8, x: *const u8, n_blocks: usize) -> Tile<4> {
        let mut sum = [[F32x4::zero(); 2]; 4];
        for b in (0..n_blocks).step_by(BATCH) {
            let n = BATCH.min(n_blocks - b);
            // SAFETY: as above, blocks b..b+n; the panel is Q8 by now.
            let tile =
                unsafe { L::q8_tile4(panel.add(b * Q8_BLOCK), x.add(b * 4 * L::SYMMETRIC_X), n) };
            for (sum, tile) in sum.iter_mut().zip(tile) {
                *sum = [sum[0].add(tile[0]), sum[1].add(tile[1])];
            }
        }
        sum
    }
}

/// Whole panels of a matrix, and the rows of its product that are theirs.
#[derive(Default)]
pub(crate) struct Piece<'a> {
    /// `[panels][n_blocks][W::BLOCK]`
    pub(crate) w: &'a [u8],
    /// `[panels · 8]`
    pub(crate) y: &'a mut [f32],
}

impl<'a> Piece<'a> {
    fn n_panels(&self) -> usize {
        self.y.len() / PANEL_ROWS
    }

    /// Takes the first panels away.
    #[inline(always)]
    fn split_off(&mut self, n_panels: usize, panel_bytes: usize) -> Piece<'a> {
        let (y, y_left) = core::mem::take(&mut self.y).split_at_mut(n_panels * PANEL_ROWS);
        let (w, w_left) = self.w.split_at(n_panels * panel_bytes);
        *self = Piece { w: w_left, y: y_left };
        Piece { w, y }
    }
}

/// The most pieces of one [`gemv`].
pub(crate) const MAX_PIECES: usize = 4;

/// The panels of some pieces, one after the other.
struct Panels<'a> {
    pieces: [Piece<'a>; MAX_PIECES],
    panel_bytes: usize,
}

impl<'a> Panels<'a> {
    /// Takes the first half away, the smaller one.
    fn split_off_half(&mut self) -> Panels<'a> {
        let Panels { pieces, panel_bytes } = self;
        let mut left = pieces.iter().map(Piece::n_panels).sum::<usize>() / 2;
        let pieces = pieces.each_mut().map(|piece| {
            let n = left.min(piece.n_panels());
            left -= n;
            piece.split_off(n, *panel_bytes)
        });
        Panels { pieces, panel_bytes: *panel_bytes }
    }
}

impl<'a> Iterator for Panels<'a> {
    type Item = Piece<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Piece<'a>> {
        let piece = self.pieces.iter_mut().find(|piece| !piece.y.is_empty())?;
        Some(piece.split_off(1, self.panel_bytes))
    }
}

/// y = W·x (or y += W·x) for pieces of one or more matrices, one token.
#[inline(never)]
pub(crate) fn gemv<L: Level, W: Weights<L>>(pieces: [Piece; MAX_PIECES], x: Quantised, add: bool) {
    let panel_bytes = x.n_blocks * W::BLOCK;
    assert!(pieces.iter().all(|p| p.w.len() == p.n_panels() * panel_bytes));
    assert!(x.bytes.len() >= x.n_blocks * W::X);
    let (x, n_blocks) = (x.bytes.as_ptr(), x.n_blocks);
    // Two panels side by side, far from each other: memory streams faster in two places, but
    // takes its time to begin, so the places are those of all pieces together.
    let mut far = Panels { pieces, panel_bytes };
    let near = far.split_off_half();
    for (near, far) in near.zip(&mut far) {
        // SAFETY: each piece is one panel, and x was checked above.
        let tiles = unsafe { W::rows([near.w.as_ptr(), far.w.as_ptr()], x, n_blocks) };
        put(near.y, tiles[0], add);
        put(far.y, tiles[1], add);
    }
    if let Some(odd) = far.next() {
        // SAFETY: as above.
        let [rows] = unsafe { W::rows([odd.w.as_ptr()], x, n_blocks) };
        put(odd.y, rows, add);
    }
}

/// Y = X·Wᵀ (or Y += X·Wᵀ): `y` has a row for each token and the columns of the panels in
/// `w`. `scratch` holds `n_blocks · W::SCRATCH` bytes.
#[inline(never)]
pub(crate) fn gemm<L: Level, W: Weights<L>>(
    w: &[u8],
    x: Quantised,
    y: &mut Stripe,
    scratch: &mut [u8],
    add: bool,
) {
    let panel_bytes = x.n_blocks * W::BLOCK;
    let x_bytes = PANEL_TOKENS * x.n_blocks * W::X;
    let n_tokens = y.n_rows();
    assert!(w.len() == y.columns().len() / PANEL_ROWS * panel_bytes);
    assert!(x.bytes.len() >= n_tokens.div_ceil(PANEL_TOKENS) * x_bytes);
    assert!(scratch.len() >= x.n_blocks * W::SCRATCH);
    for (p, w) in w.chunks_exact(panel_bytes).enumerate() {
        // SAFETY: the chunk is one panel; scratch was checked above.
        let w = unsafe { W::prepare(w.as_ptr(), x.n_blocks, scratch.as_mut_ptr()) };
        let tokens = (0..n_tokens).step_by(PANEL_TOKENS);
        for (t, x_panel) in tokens.zip(x.bytes.chunks_exact(x_bytes)) {
            // SAFETY: w is the prepared panel, the chunk is one panel of tokens.
            let tile = unsafe { W::tile4(w, x_panel.as_ptr(), x.n_blocks) };
            put_tokens(y, t, n_tokens, p, tile, add);
        }
    }
}

/// Adds a tile of 8 values to `out`, or stores it.
#[inline(always)]
pub(crate) fn put(out: &mut [f32], tile: [F32x4; 2], add: bool) {
    for (out, tile) in out.as_chunks_mut::<4>().0.iter_mut().zip(tile) {
        let sum = if add { tile.add(F32x4::from_array(out)) } else { tile };
        sum.write(out);
    }
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
