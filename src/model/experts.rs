//! A feed-forward layer that is a choice of experts for each token (Shazeer et al., 2017;
//! Jiang et al., 2024).

use super::buffers::{Buffers, Routing};
use super::config::{Config, Experts};
use super::forward::Forward;
use super::profile::Op;
use super::rows::{activate_gate, added, each_row, normed, product};
use super::weights::{ExpertsWeights, FeedForward};
use crate::Result;
use crate::kernels::{PANEL_ROWS, add_scaled, exp_scalar, scale};
use crate::ops::{Activations, Forms, Linear};

/// The least that weights are divided by: the smallest number of f16 that is not subnormal.
const LEAST_SUM: f32 = 6.103_515_6e-5;

impl Forward {
    /// x += Σ share(e) · down(e) · (act(gate(e)) ⊙ up(e)) over the experts e that the router
    /// chooses for a token, all from norm(x).
    pub(super) fn choose_experts(&mut self, layer: usize, n_tokens: usize) -> Result<()> {
        let Forward { config, weights, team, scratch, buffers, profile, .. } = self;
        let Buffers { x, y, input, gate, up, routing, .. } = buffers;
        let layer = &weights.layers[layer];
        let (FeedForward::Experts(own), Some(routing)) = (&layer.ffn, routing) else {
            return Ok(());
        };
        let (d, n_ff, linear) = (config.n_embd, config.n_ff, Linear { team, scratch });
        let Routing { shares, tokens, input: routed } = routing;

        normed(team, config, x, layer.ffn_norm.as_ref(), n_tokens, input_forms(own), input)?;
        profile.lap(Op::Norm);
        let stride = route(&linear, config, own, input, shares)?;
        profile.lap(Op::GateUp);
        for (e, [gate_weights, up_weights, down]) in own.experts.iter().enumerate() {
            let share = |token: usize| shares[token * stride + e];
            tokens.clear();
            tokens.extend((0..n_tokens).filter(|token| share(*token) != 0.0));
            if tokens.is_empty() {
                continue;
            }
            // One token's row is there as it is; of several, the expert's are gathered.
            let rows = if n_tokens == 1 {
                &*input
            } else {
                let forms = Forms::of([gate_weights.layout(), up_weights.layout()]);
                routed.produce(team, tokens.len(), d, forms, |_, first, rows| {
                    for (row, token) in rows.chunks_exact_mut(d).zip(&tokens[first..]) {
                        row.copy_from_slice(&input.rows()[token * d..][..d]);
                    }
                })?;
                &*routed
            };
            linear.run(rows, [product(gate_weights, gate), product(up_weights, up)])?;
            profile.lap(Op::GateUp);
            let forms = Forms::of([down.layout()]);
            routed.produce(team, tokens.len(), n_ff, forms, |_, first, rows| {
                let at = first * n_ff..first * n_ff + rows.len();
                rows.copy_from_slice(&gate[at.clone()]);
                activate_gate(config.activation, rows, &up[at]);
                for (row, token) in rows.chunks_exact_mut(n_ff).zip(&tokens[first..]) {
                    scale(row, share(*token) * config.residual_scale);
                }
            })?;
            profile.lap(Op::SiluMul);
            if n_tokens == 1 {
                linear.run(routed, [added(down, x)])?;
            } else {
                linear.run(routed, [product(down, y)])?;
                for (y, token) in y.chunks_exact(d).zip(&*tokens) {
                    add_scaled(&mut x[token * d..][..d], y, 1.0);
                }
            }
            profile.lap(Op::Down);
        }
        Ok(())
    }
}

/// Forms that the router and any expert read.
fn input_forms(own: &ExpertsWeights) -> Forms {
    let experts = own.experts.iter().flat_map(|[gate, up, _]| [gate.layout(), up.layout()]);
    Forms::of(experts.chain([own.router.layout()]))
}

/// Leaves in `shares` what each expert weighs for each token: a softmax over all, of which the
/// largest are kept and made to sum to 1. Returns the length of a row.
fn route(
    linear: &Linear,
    config: &Config,
    own: &ExpertsWeights,
    input: &Activations,
    shares: &mut [f32],
) -> Result<usize> {
    let Some(Experts { n, n_used }) = config.experts else { return Ok(0) };
    let stride = n.next_multiple_of(PANEL_ROWS);
    linear.run(input, [product(&own.router, shares)])?;
    let shares = &mut shares[..input.n_tokens() * stride];
    each_row(linear.team, shares, input.n_tokens(), |_, row| choose(&mut row[..n], n_used))?;
    Ok(stride)
}

/// Logits → shares, 0 but for the `n_used` largest.
fn choose(row: &mut [f32], n_used: usize) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|x| *x = exp_scalar(*x - max));
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|x| *x /= sum);
    // The share that the last one of the largest has, and how many of its equals are kept.
    let (mut bound, mut kept) = (f32::INFINITY, 0);
    while kept < n_used {
        let next = row.iter().copied().filter(|x| *x < bound).fold(f32::NEG_INFINITY, f32::max);
        if next == f32::NEG_INFINITY {
            break;
        }
        bound = next;
        kept += row.iter().filter(|x| **x == bound).count();
    }
    let mut surplus = kept.saturating_sub(n_used);
    for x in row.iter_mut().rev() {
        if *x < bound {
            *x = 0.0;
        } else if *x == bound && surplus > 0 {
            *x = 0.0;
            surplus -= 1;
        }
    }
    let sum = row.iter().sum::<f32>().max(LEAST_SUM);
    row.iter_mut().for_each(|x| *x /= sum);
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn the_largest_share_what_there_is() {
        let mut row = [0.0, 2.0, 1.0, 3.0];
        choose(&mut row, 2);
        let e = 1f32.exp();
        assert_eq!((row[0], row[2]), (0.0, 0.0));
        assert!((row[3] - e / (e + 1.0)).abs() < 1e-6 && (row[1] - 1.0 / (e + 1.0)).abs() < 1e-6);
        // Of equals, the first ones.
        let mut row = [1.0, 5.0, 5.0, 5.0];
        choose(&mut row, 2);
        assert_eq!(row, [0.0, 0.5, 0.5, 0.0]);
        let mut row = [1.0, 1.0];
        choose(&mut row, 2);
        assert_eq!(row, [0.5, 0.5]);
    }
}
