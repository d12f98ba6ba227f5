//! What the forward pass does with the rows of a chunk, one for each token.

use super::config::{Activation, Config, Norm, QkNorm};
use super::weights::{NormWeights, Product};
use crate::Result;
use crate::kernels::{
    add_scaled, centre, gelu, inverse_rms, multiply_by, rms_norm, scale_by, silu, silu_mul,
};
use crate::ops::{self, Activations, Forms, Linear};
use crate::quant::Packed;
use crate::team::{Parts, Team, share};

/// input = norm(x) for each token; x itself without a norm.
pub(super) fn normed(
    team: &Team,
    config: &Config,
    x: &[f32],
    norm: Option<&NormWeights>,
    n_tokens: usize,
    forms: Forms,
    input: &mut Activations,
) -> Result<()> {
    let d = config.n_embd;
    input.produce(team, n_tokens, d, forms, |_, t, rows| {
        for (row, x) in rows.chunks_exact_mut(d).zip(x[t * d..].chunks_exact(d)) {
            match (norm, config.norm) {
                (None, _) => row.copy_from_slice(x),
                (Some(norm), Norm::Rms) => rms_norm(x, &norm.weight, config.norm_eps, row),
                (Some(norm), Norm::Layer) => {
                    row.copy_from_slice(x);
                    norm_in_place(config, row, &norm.weight, norm.bias.as_deref());
                }
            }
        }
    })
}

/// row = norm(row).
pub(super) fn norm_in_place(
    config: &Config,
    row: &mut [f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) {
    if config.norm == Norm::Layer {
        centre(row);
    }
    scale_by(row, inverse_rms(row, config.norm_eps), weight);
    if let Some(bias) = bias {
        add_scaled(row, bias, 1.0);
    }
}

/// `f(token, row)` for the rows of a chunk, shared among the threads.
pub(super) fn each_row(
    team: &Team,
    rows: &mut [f32],
    n_tokens: usize,
    f: impl Fn(usize, &mut [f32]) + Sync,
) -> Result<()> {
    let width = rows.len() / n_tokens;
    let n = if n_tokens > 1 { team.len() } else { 1 };
    let parts = Parts::new(rows, width, 1, n);
    team.run_if(n_tokens > 1, |tid| {
        let first = share(n_tokens, 1, tid, n).start;
        for (i, row) in parts.take(tid).chunks_exact_mut(width).enumerate() {
            f(first + i, row);
        }
    })
}

/// rows += bias, if there is one; what is in `rows` behind the tokens' stays.
pub(super) fn add_bias(
    team: &Team,
    rows: &mut [f32],
    n_tokens: usize,
    bias: Option<&[f32]>,
) -> Result<()> {
    let Some(bias) = bias else { return Ok(()) };
    let rows = &mut rows[..n_tokens * bias.len()];
    each_row(team, rows, n_tokens, |_, row| add_scaled(row, bias, 1.0))
}

/// x += scale · norm(W · input + bias). `y` is scratch, used where that is more than a product.
pub(super) fn add_product(
    linear: &Linear,
    config: &Config,
    input: &Activations,
    own: &Product,
    norm: Option<&NormWeights>,
    y: &mut [f32],
    x: &mut [f32],
) -> Result<()> {
    let scale = config.residual_scale;
    if own.bias.is_none() && norm.is_none() && scale == 1.0 {
        return linear.run(input, [added(&own.weights, x)]);
    }
    linear.run(input, [product(&own.weights, y)])?;
    let (d, n_tokens) = (config.n_embd, input.n_tokens());
    let (team, n) = (linear.team, if n_tokens > 1 { linear.team.len() } else { 1 });
    let ys = Parts::new(&mut y[..n_tokens * d], d, 1, n);
    let xs = Parts::new(&mut x[..n_tokens * d], d, 1, n);
    team.run_if(n_tokens > 1, |tid| {
        let rows = ys.take(tid).chunks_exact_mut(d);
        for (y, x) in rows.zip(xs.take(tid).chunks_exact_mut(d)) {
            if let Some(bias) = own.bias() {
                add_scaled(y, bias, 1.0);
            }
            if let Some(norm) = norm {
                norm_in_place(config, y, &norm.weight, norm.bias.as_deref());
            }
            add_scaled(x, y, scale);
        }
    })
}

/// The norm of a token's queries or keys.
pub(super) fn norm_heads(config: &Config, weight: &[f32], row: &mut [f32]) {
    match config.qk_norm {
        QkNorm::None => {}
        QkNorm::Whole => norm_in_place(config, row, weight, None),
        QkNorm::Heads => {
            for head in row.chunks_exact_mut(config.head_dim) {
                norm_in_place(config, head, weight, None);
            }
        }
        QkNorm::EachHead => {
            let weights = weight.chunks_exact(config.head_dim);
            for (head, weight) in row.chunks_exact_mut(config.head_dim).zip(weights) {
                norm_in_place(config, head, weight, None);
            }
        }
    }
}

/// gate = act(gate) ⊙ up.
pub(super) fn activate_gate(activation: Activation, gate: &mut [f32], up: &[f32]) {
    match activation {
        Activation::Silu => silu_mul(gate, up),
        Activation::Gelu => {
            gelu(gate);
            multiply_by(gate, up);
        }
    }
}

/// row = act(row).
pub(super) fn activate(activation: Activation, row: &mut [f32]) {
    match activation {
        Activation::Silu => silu(row),
        Activation::Gelu => gelu(row),
    }
}

/// out = W · x.
pub(super) fn product<'a>(weights: &'a Packed, out: &'a mut [f32]) -> ops::Product<'a> {
    ops::Product { weights, out, add: false }
}

/// out += W · x.
pub(super) fn added<'a>(weights: &'a Packed, out: &'a mut [f32]) -> ops::Product<'a> {
    ops::Product { weights, out, add: true }
}
