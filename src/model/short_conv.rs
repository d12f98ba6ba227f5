//! A layer that mixes tokens by a short convolution between two gates (LFM2; Liquid AI, 2025).

use super::buffers::{Buffers, RecurrentBuffers};
use super::forward::Forward;
use super::profile::Op;
use super::rows::{add_bias, add_product, each_row, normed, product};
use super::weights::Mixer;
use crate::Result;
use crate::kernels::{add_products, multiply_by};
use crate::ops::Linear;

impl Forward {
    /// x += out · (c ⊙ conv(b ⊙ z)), b, c and z all from norm(x).
    pub(super) fn convolve(&mut self, layer: usize, n_tokens: usize) -> Result<()> {
        let Forward { config, weights, recurrent, team, scratch, buffers, profile, .. } = self;
        let Buffers { x, y, input, recurrent: RecurrentBuffers { window, mixed, .. }, .. } =
            buffers;
        let layer = &weights.layers[layer];
        let Mixer::ShortConv(own) = &layer.mixer else { return Ok(()) };
        let (d, linear) = (config.n_embd, Linear { team, scratch });
        let history = recurrent.layer_mut(own.state);

        let forms = own.input.input_forms();
        normed(team, config, x, layer.mixer_norm.as_ref(), n_tokens, forms, input)?;
        profile.lap(Op::Norm);
        linear.run(input, [product(&own.input.weights, mixed)])?;
        add_bias(team, mixed, n_tokens, own.input.bias())?;
        profile.lap(Op::Qkv);
        let gate = |token: usize, i: usize| &mixed[(3 * token + i) * d..][..d];
        let (before, new) = window.split_at_mut(history.len());
        before.copy_from_slice(history);
        each_row(team, &mut new[..n_tokens * d], n_tokens, |token, row| {
            row.copy_from_slice(gate(token, 0));
            multiply_by(row, gate(token, 2));
        })?;
        let window = &*window;
        input.produce(team, n_tokens, d, own.output.input_forms(), |_, first, rows| {
            for (i, row) in rows.chunks_exact_mut(d).enumerate() {
                convolve(&window[(first + i) * d..], &own.taps, row);
                multiply_by(row, gate(first + i, 1));
            }
        })?;
        history.copy_from_slice(&window[n_tokens * d..][..history.len()]);
        profile.lap(Op::Attention);
        add_product(&linear, config, input, &own.output, layer.mixer_post_norm.as_ref(), y, x)?;
        profile.lap(Op::AttentionOutput);
        Ok(())
    }
}

/// out = Σ taps[i] ⊙ rows[i], for each channel: `taps` is `[n, channels]`, `rows` begins with
/// the oldest row that is seen, `out` is `[channels]`.
pub(super) fn convolve(rows: &[f32], taps: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let channels = out.len();
    for (row, tap) in rows.chunks_exact(channels).zip(taps.chunks_exact(channels)) {
        add_products(out, row, tap);
    }
}
