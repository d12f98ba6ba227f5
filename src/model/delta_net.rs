//! A layer that learns from its tokens: the gated delta net (Yang et al., 2025) as Qwen 3.5 has
//! it, behind a short convolution of queries, keys and values.

use super::buffers::{Buffers, RecurrentBuffers};
use super::config::{Config, DeltaNet, Mixer as MixerKind};
use super::forward::Forward;
use super::profile::Op;
use super::rows::{add_bias, add_product, each_row, normed, product};
use super::short_conv::convolve;
use super::weights::{DeltaNetWeights, Mixer};
use crate::Result;
use crate::kernels::{
    PANEL_ROWS, delta_rule, exp_scalar, inverse_rms, scale, scale_by, silu, silu_mul,
};
use crate::ops::Linear;
use crate::team::{Parts, Team, share};

impl Forward {
    /// x += out · (norm(S q) ⊙ silu(gate)) with S moved by keys and values, all from norm(x).
    pub(super) fn delta_net(&mut self, layer: usize, n_tokens: usize) -> Result<()> {
        let Forward { config, weights, recurrent, team, scratch, buffers, profile, .. } = self;
        let Buffers { x, y, input, recurrent: own_buffers, .. } = buffers;
        let (MixerKind::DeltaNet(shape), layer) =
            (config.layers[layer].mixer, &weights.layers[layer])
        else {
            return Ok(());
        };
        let Mixer::DeltaNet(own) = &layer.mixer else { return Ok(()) };
        let linear = Linear { team, scratch };
        let (width, n_channels) = (shape.value_width(), shape.qkv_width());
        let state = recurrent.layer_mut(own.state);
        let (history, state) = state.split_at_mut((shape.taps - 1) * n_channels);

        let forms = own.input_forms();
        normed(team, config, x, layer.mixer_norm.as_ref(), n_tokens, forms, input)?;
        profile.lap(Op::Norm);
        let RecurrentBuffers { window, mixed, gate, beta, alpha, heads } = own_buffers;
        let (before, new) = window.split_at_mut(history.len());
        before.copy_from_slice(history);
        linear.run(
            input,
            [
                product(&own.qkv.weights, new),
                product(&own.gate.weights, gate),
                product(&own.beta.weights, beta),
                product(&own.alpha.weights, alpha),
            ],
        )?;
        add_bias(team, new, n_tokens, own.qkv.bias())?;
        add_bias(team, gate, n_tokens, own.gate.bias())?;
        profile.lap(Op::Qkv);
        let (window, mixed) = (&*window, &mut mixed[..n_tokens * n_channels]);
        each_row(team, mixed, n_tokens, |token, row| {
            convolve(&window[token * n_channels..], &own.taps, row);
            silu(row);
            unit_queries_and_keys(config, shape, row);
        })?;
        history.copy_from_slice(&window[n_tokens * n_channels..][..history.len()]);
        profile.lap(Op::Rope);
        let heads = &mut heads[..n_tokens * width];
        let moves = Moves { shape, own, mixed, beta, alpha };
        moves.run(team, config.norm_eps, state, heads)?;
        let head_of = |token: usize, h: usize| &heads[(h * n_tokens + token) * shape.head_dim..];
        input.produce(team, n_tokens, width, own.output.input_forms(), |_, first, rows| {
            rows.copy_from_slice(&gate[first * width..][..rows.len()]);
            for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                for (h, gate) in row.chunks_exact_mut(shape.head_dim).enumerate() {
                    silu_mul(gate, &head_of(first + i, h)[..shape.head_dim]);
                }
            }
        })?;
        profile.lap(Op::Attention);
        add_product(&linear, config, input, &own.output, layer.mixer_post_norm.as_ref(), y, x)?;
        profile.lap(Op::AttentionOutput);
        Ok(())
    }
}

/// Queries and keys of length 1, the queries divided by √head_dim as well.
fn unit_queries_and_keys(config: &Config, shape: DeltaNet, row: &mut [f32]) {
    let n = shape.head_dim as f32;
    let heads = row.chunks_exact_mut(shape.head_dim).take(2 * shape.n_k_heads);
    for (h, head) in heads.enumerate() {
        let length = inverse_rms(head, config.norm_eps / n) / n.sqrt();
        scale(head, if h < shape.n_k_heads { length / n.sqrt() } else { length });
    }
}

/// What moves the states of a chunk.
struct Moves<'a> {
    shape: DeltaNet,
    own: &'a DeltaNetWeights,
    /// Queries, keys and values: `[n_tokens, qkv_width]`
    mixed: &'a [f32],
    /// `[n_tokens, n_v_heads]`, in whole panels.
    beta: &'a [f32],
    /// `[n_tokens, n_v_heads]`, in whole panels.
    alpha: &'a [f32],
}

impl Moves<'_> {
    /// Moves the states `[n_v_heads, head_dim, head_dim]` token by token, each thread those of
    /// its heads, and leaves the normed results in `out`: `[n_v_heads, n_tokens, head_dim]`.
    fn run(&self, team: &Team, eps: f32, states: &mut [f32], out: &mut [f32]) -> Result<()> {
        let DeltaNet { n_v_heads, head_dim, .. } = self.shape;
        let (n, out_len) = (team.len(), out.len() / n_v_heads);
        let states = Parts::new(states, head_dim * head_dim, 1, n);
        let out = Parts::new(out, out_len, 1, n);
        team.run(|tid| {
            let heads = share(n_v_heads, 1, tid, n);
            let states = states.take(tid).chunks_exact_mut(head_dim * head_dim);
            for ((h, state), out) in heads.zip(states).zip(out.take(tid).chunks_exact_mut(out_len))
            {
                for (token, out) in out.chunks_exact_mut(head_dim).enumerate() {
                    let (qkv, decay, beta) = self.of(token, h);
                    delta_rule(state, qkv, decay, beta, out);
                    scale_by(out, inverse_rms(out, eps), &self.own.norm);
                }
            }
        })
    }

    /// Query, key and value of a token's head, what its state fades by and how much it learns.
    fn of(&self, token: usize, h: usize) -> ([&[f32]; 3], f32, f32) {
        let DeltaNet { n_k_heads, n_v_heads, head_dim, .. } = self.shape;
        let row = &self.mixed[token * self.shape.qkv_width()..];
        let k_head = h % n_k_heads;
        let qkv = [k_head, n_k_heads + k_head, 2 * n_k_heads + h];
        let at = token * n_v_heads.next_multiple_of(PANEL_ROWS) + h;
        let bias = |product: &super::weights::Product| product.bias().map_or(0.0, |bias| bias[h]);
        let beta = self.beta[at] + bias(&self.own.beta);
        let alpha = self.alpha[at] + bias(&self.own.alpha) + self.own.decay_bias[h];
        let decay = exp_scalar(self.own.decay[h] * softplus(alpha));
        (qkv.map(|i| &row[i * head_dim..][..head_dim]), decay, 1.0 / (1.0 + exp_scalar(-beta)))
    }
}

/// ln(1 + e^x).
fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { f64::from(x).exp().ln_1p() as f32 }
}
