//! The head: from the last hidden states to logits.

use super::buffers::{Buffers, MAX_HEAD};
use super::forward::Forward;
use super::profile::Op;
use super::rows::{normed, product};
use crate::Result;
use crate::kernels::{PANEL_ROWS, add_scaled, scale, soft_cap};
use crate::ops::{Forms, Linear};
use std::ops::Range;

impl Forward {
    /// Logits `[n, n_vocab padded to whole panels]` of some (at most [`MAX_HEAD`]) of the
    /// tokens that were last run.
    pub(crate) fn logits(&mut self, tokens: Range<usize>) -> Result<Logits<'_>> {
        assert!(tokens.len() <= MAX_HEAD);
        let Forward { config, weights, team, scratch, buffers, profile, .. } = self;
        let head = weights.head();
        let stride = head.n_panels() * PANEL_ROWS;
        buffers.make_room_for_logits(tokens.len(), stride)?;
        let Buffers { x, input, logits, .. } = buffers;
        let x = &x[tokens.start * config.n_embd..];
        let forms = Forms::of([head.layout()]);
        normed(team, config, x, Some(&weights.output_norm), tokens.len(), forms, input)?;
        profile.lap(Op::Norm);
        Linear { team, scratch }.run(input, [product(head, logits)])?;
        let rows = &mut logits[..tokens.len() * stride];
        for row in rows.chunks_exact_mut(stride).map(|row| &mut row[..config.n_vocab]) {
            if let Some(bias) = &weights.output_bias {
                add_scaled(row, bias, 1.0);
            }
            if config.logit_scale != 1.0 {
                scale(row, config.logit_scale);
            }
            if let Some(cap) = config.logit_cap {
                soft_cap(row, cap);
            }
        }
        profile.lap(Op::Head);
        Ok(Logits { rows, stride, n_vocab: config.n_vocab })
    }

    /// Row `i` of the logits that were last computed: `[n_vocab]`.
    pub(crate) fn logits_row(&self, i: usize) -> &[f32] {
        let stride = self.weights.head().n_panels() * PANEL_ROWS;
        &self.buffers.logits[i * stride..][..self.config.n_vocab]
    }
}

/// The logits of a few tokens.
pub(crate) struct Logits<'a> {
    rows: &'a [f32],
    stride: usize,
    n_vocab: usize,
}

impl<'a> Logits<'a> {
    /// A row `[n_vocab]` for each token.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let n_vocab = self.n_vocab;
        self.rows.chunks_exact(self.stride).map(move |row| &row[..n_vocab])
    }

    /// The last token's row `[n_vocab]`.
    pub(crate) fn last(&self) -> &'a [f32] {
        &self.rows[self.rows.len() - self.stride..][..self.n_vocab]
    }
}
