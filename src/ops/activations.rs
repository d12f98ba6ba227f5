//! The input of matrix products: rows of f32, and what the integer kernels read.

use crate::Result;
use crate::kernels::{BLOCK, Best, Level, PANEL_TOKENS, Quantised};
use crate::kv_cache::{filled, zeros};
use crate::quant::Layout;
use crate::team::{Parts, Team};
use std::sync::{Mutex, PoisonError};

/// In which quantised forms the matrices behind an input read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forms {
    affine: bool,
    symmetric: bool,
}

impl Forms {
    /// The forms that these layouts read. F16 and F32 read the f32 rows.
    pub(crate) fn of(layouts: impl IntoIterator<Item = Layout>) -> Forms {
        let mut forms = Forms::default();
        for layout in layouts {
            match layout {
                Layout::Q4
                | Layout::Q4Halves
                | Layout::Q4Centred
                | Layout::Q7
                | Layout::Q7Halves
                | Layout::Q5Centred
                | Layout::Q6Centred
                | Layout::Q8Centred => forms.affine = true,
                Layout::Q8 | Layout::Table4(_) => forms.symmetric = true,
                Layout::F16 | Layout::F32 => {}
            }
        }
        forms
    }
}

/// Activations `[n_tokens, width]` in f32 and, as asked for, quantised.
///
/// One token is quantised by itself (for GEMV), more in panels of four (for GEMM).
pub(crate) struct Activations {
    n_tokens: usize,
    width: usize,
    rows: Vec<f32>,
    affine: Vec<u8>,
    symmetric: Vec<u8>,
}

impl Activations {
    /// Room for `max_tokens` rows of up to `max_width` values.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub(crate) fn new(max_tokens: usize, max_width: usize) -> Result<Activations> {
        let tokens = max_tokens.next_multiple_of(PANEL_TOKENS);
        let blocks = tokens * max_width.div_ceil(BLOCK);
        Ok(Activations {
            n_tokens: 0,
            width: 0,
            rows: zeros(tokens * max_width)?,
            affine: filled(blocks * Best::AFFINE_X)?,
            symmetric: filled(blocks * Best::SYMMETRIC_X)?,
        })
    }

    /// Makes the rows of `n_tokens` tokens, then quantises them: [`Activations::produce_units`]
    /// of four tokens.
    pub(crate) fn produce(
        &mut self,
        team: &Team,
        n_tokens: usize,
        width: usize,
        forms: Forms,
        fill: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Result<()> {
        self.produce_units(team, n_tokens, width, PANEL_TOKENS, forms, fill)
    }

    /// Makes the rows of `n_tokens` tokens, then quantises them.
    ///
    /// `fill(tid, first_token, rows)` computes up to `unit` rows (whole panels of four) from a
    /// token on; threads take such units as they get to them, since their cost differs.
    pub(crate) fn produce_units(
        &mut self,
        team: &Team,
        n_tokens: usize,
        width: usize,
        unit: usize,
        forms: Forms,
        fill: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Result<()> {
        (self.n_tokens, self.width) = (n_tokens, width);
        let n_blocks = width / BLOCK;
        let rows = &mut self.rows[..n_tokens * width];
        if n_tokens == 1 {
            fill(0, 0, rows);
            quantise::<1>(rows, width, forms, &mut self.affine, &mut self.symmetric);
            return Ok(());
        }
        let affine_panel = (PANEL_TOKENS * n_blocks * Best::AFFINE_X).max(1);
        let symmetric_panel = (PANEL_TOKENS * n_blocks * Best::SYMMETRIC_X).max(1);
        let panels = unit / PANEL_TOKENS;
        let units = rows
            .chunks_mut(unit * width)
            .zip(self.affine.chunks_mut(panels * affine_panel))
            .zip(self.symmetric.chunks_mut(panels * symmetric_panel))
            .enumerate()
            .rev(); // later tokens' attention takes longer: the end shall be short
        let queue = Mutex::new(units);
        team.run(|tid| {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((i, ((rows, affine), symmetric))) = next else { break };
                fill(tid, i * unit, rows);
                let panels = rows
                    .chunks(PANEL_TOKENS * width)
                    .zip(affine.chunks_mut(affine_panel))
                    .zip(symmetric.chunks_mut(symmetric_panel));
                for ((rows, affine), symmetric) in panels {
                    quantise::<PANEL_TOKENS>(rows, width, forms, affine, symmetric);
                }
            }
        })
    }

    /// One token's row, for `n` threads that make it and quantise it, each whole blocks.
    pub(crate) fn one_token(&mut self, width: usize, forms: Forms, n: usize) -> OneToken<'_> {
        assert!(width.is_multiple_of(BLOCK));
        (self.n_tokens, self.width) = (1, width);
        let n_blocks = width / BLOCK;
        let Activations { rows, affine, symmetric, .. } = self;
        OneToken {
            rows: Parts::new(&mut rows[..width], BLOCK, 1, n),
            affine: Parts::new(&mut affine[..n_blocks * Best::AFFINE_X], Best::AFFINE_X, 1, n),
            symmetric: Parts::new(
                &mut symmetric[..n_blocks * Best::SYMMETRIC_X],
                Best::SYMMETRIC_X,
                1,
                n,
            ),
            forms,
        }
    }

    /// Bytes in memory.
    pub(crate) fn n_bytes(&self) -> usize {
        4 * self.rows.len() + self.affine.len() + self.symmetric.len()
    }

    /// Tokens at present.
    pub(crate) fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// Values in a row at present.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The rows: `[n_tokens, width]`.
    pub(crate) fn rows(&self) -> &[f32] {
        &self.rows[..self.n_tokens * self.width]
    }

    /// As weights with a minimum read them.
    pub(crate) fn affine(&self) -> Quantised<'_> {
        Quantised { bytes: &self.affine, n_blocks: self.width / BLOCK }
    }

    /// As weights without a minimum read them.
    pub(crate) fn symmetric(&self) -> Quantised<'_> {
        Quantised { bytes: &self.symmetric, n_blocks: self.width / BLOCK }
    }
}

/// One token's row in the making.
pub(crate) struct OneToken<'a> {
    rows: Parts<'a, f32>,
    affine: Parts<'a, u8>,
    symmetric: Parts<'a, u8>,
    forms: Forms,
}

impl OneToken<'_> {
    /// Makes and quantises a thread's part: the one that [`share`](crate::team::share) gives
    /// of the row in blocks.
    pub(crate) fn fill(&self, tid: usize, make: impl FnOnce(&mut [f32])) {
        let row = self.rows.take(tid);
        make(row);
        let (affine, symmetric) = (self.affine.take(tid), self.symmetric.take(tid));
        quantise::<1>(row, row.len(), self.forms, affine, symmetric);
    }
}

fn quantise<const T: usize>(
    rows: &[f32],
    width: usize,
    forms: Forms,
    affine: &mut [u8],
    symmetric: &mut [u8],
) {
    if forms.affine {
        Best::quantise_affine::<T>(rows, width, width / BLOCK, affine);
    }
    if forms.symmetric {
        Best::quantise_symmetric::<T>(rows, width, width / BLOCK, symmetric);
    }
}
