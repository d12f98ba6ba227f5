//! Operations on single rows of f32.

use super::f32x4::{Exp, F32x4};

/// e^x, rounded from f64: libraries differ in the last bits, which are cut off here, so
/// that host and browser compute the same.
pub(crate) fn exp_scalar(x: f32) -> f32 {
    f64::from(x).exp() as f32
}

/// out = x / sqrt(mean(x²) + eps) · weight (Zhang & Sennrich, 2019). All slices have one length.
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    assert!(x.len() == weight.len() && x.len() == out.len());
    let r = inverse_rms(x, eps);
    let r4 = F32x4::splat(r);
    let (x4, x_rest) = x.as_chunks::<4>();
    let (w4, w_rest) = weight.as_chunks::<4>();
    let (out4, out_rest) = out.as_chunks_mut::<4>();
    for ((out, x), w) in out4.iter_mut().zip(x4).zip(w4) {
        F32x4::from_array(x).mul(r4).mul(F32x4::from_array(w)).write(out);
    }
    for ((out, x), w) in out_rest.iter_mut().zip(x_rest).zip(w_rest) {
        *out = x * r * w;
    }
}

/// 1 / sqrt(mean(x²) + eps).
#[inline(always)]
pub(crate) fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    let (x4, x_rest) = x.as_chunks::<4>();
    let mut squares = [F32x4::zero(); 2];
    for (i, x) in x4.iter().enumerate() {
        let x = F32x4::from_array(x);
        squares[i % 2] = x.mul_add(x, squares[i % 2]);
    }
    let rest: f32 = x_rest.iter().map(|x| x * x).sum();
    let mean = (squares[0].add(squares[1]).sum() + rest) / x.len() as f32;
    1.0 / (mean + eps).sqrt()
}

/// row = row · factor · weight, value by value.
pub(crate) fn scale_by(row: &mut [f32], factor: f32, weight: &[f32]) {
    assert!(row.len() == weight.len());
    for (x, w) in row.iter_mut().zip(weight) {
        *x *= factor * w;
    }
}

/// row -= mean(row) (the first half of layer norm; Ba et al., 2016).
pub(crate) fn centre(row: &mut [f32]) {
    let mean = row.iter().sum::<f32>() / row.len() as f32;
    row.iter_mut().for_each(|x| *x -= mean);
}

/// gate = silu(gate) · up, silu(x) = x / (1 + e^-x) (Shazeer, 2020).
pub(crate) fn silu_mul(gate: &mut [f32], up: &[f32]) {
    assert!(gate.len() == up.len());
    let (exp, one) = (Exp::new(), F32x4::splat(1.0));
    let (gate4, gate_rest) = gate.as_chunks_mut::<4>();
    let (up4, up_rest) = up.as_chunks::<4>();
    for (gate, up) in gate4.iter_mut().zip(up4) {
        let g = F32x4::from_array(gate);
        let e = exp.of(F32x4::zero().sub(g));
        g.div(one.add(e)).mul(F32x4::from_array(up)).write(gate);
    }
    for (gate, up) in gate_rest.iter_mut().zip(up_rest) {
        *gate = *gate / (1.0 + exp_scalar(-*gate)) * up;
    }
}

/// row = gelu(row), gelu(x) = x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) (Hendrycks &
/// Gimpel, 2016): the form that GGUF models are run with, whatever they were trained with.
pub(crate) fn gelu(row: &mut [f32]) {
    let (exp, one) = (Exp::new(), F32x4::splat(1.0));
    // x · sigmoid(2u), u being what the tangent is taken of.
    let (c1, c3) = (F32x4::splat(GELU), F32x4::splat(0.044_715 * GELU));
    let (row4, rest) = row.as_chunks_mut::<4>();
    for row in row4 {
        let x = F32x4::from_array(row);
        let u = x.mul(x).mul_add(c3, c1).mul(x);
        x.div(one.add(exp.of(F32x4::zero().sub(u)))).write(row);
    }
    for x in rest {
        let u = (*x * *x * 0.044_715 * GELU + GELU) * *x;
        *x /= 1.0 + exp_scalar(-u);
    }
}

/// 2 · √(2/π).
const GELU: f32 = 1.595_769;

/// row = silu(row).
pub(crate) fn silu(row: &mut [f32]) {
    let (exp, one) = (Exp::new(), F32x4::splat(1.0));
    let (row4, rest) = row.as_chunks_mut::<4>();
    for row in row4 {
        let x = F32x4::from_array(row);
        x.div(one.add(exp.of(F32x4::zero().sub(x)))).write(row);
    }
    for x in rest {
        *x /= 1.0 + exp_scalar(-*x);
    }
}

/// row = row · sigmoid(gate).
pub(crate) fn sigmoid_mul(row: &mut [f32], gate: &[f32]) {
    assert!(row.len() == gate.len());
    let (exp, one) = (Exp::new(), F32x4::splat(1.0));
    let (row4, rest) = row.as_chunks_mut::<4>();
    let (gate4, gate_rest) = gate.as_chunks::<4>();
    for (row, gate) in row4.iter_mut().zip(gate4) {
        let e = exp.of(F32x4::zero().sub(F32x4::from_array(gate)));
        F32x4::from_array(row).div(one.add(e)).write(row);
    }
    for (x, gate) in rest.iter_mut().zip(gate_rest) {
        *x /= 1.0 + exp_scalar(-gate);
    }
}

/// row = cap · tanh(row / cap): never beyond ±cap (Bello et al., 2016).
pub(crate) fn soft_cap(row: &mut [f32], cap: f32) {
    let (one, two) = (F32x4::splat(1.0), F32x4::splat(2.0));
    let (cap4, to_exponent) = (F32x4::splat(cap), F32x4::splat(2.0 / cap));
    let (row4, rest) = row.as_chunks_mut::<4>();
    let exp = Exp::new();
    for row in row4 {
        let e = exp.of(F32x4::from_array(row).mul(to_exponent));
        one.sub(two.div(one.add(e))).mul(cap4).write(row);
    }
    for x in rest {
        *x = cap * f64::from(*x / cap).tanh() as f32;
    }
}

/// row *= other, value by value.
pub(crate) fn multiply_by(row: &mut [f32], other: &[f32]) {
    assert!(row.len() == other.len());
    for (x, other) in row.iter_mut().zip(other) {
        *x *= other;
    }
}

/// Rotates the pairs (0, 1), (2, 3) … of one head by the angles given as (cos, sin).
pub(crate) fn rotate_pairs(x: &mut [f32], angles: &[[f32; 2]]) {
    for (x, [cos, sin]) in x.as_chunks_mut::<2>().0.iter_mut().zip(angles) {
        let [a, b] = *x;
        *x = [a * cos - b * sin, a * sin + b * cos];
    }
}

/// Rotates the pairs (0, n), (1, n + 1) … of one head, n being the number of angles.
pub(crate) fn rotate_halves(x: &mut [f32], angles: &[[f32; 2]]) {
    let (low, high) = x.split_at_mut(angles.len());
    for ((a, b), [cos, sin]) in low.iter_mut().zip(high).zip(angles) {
        (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
    }
}

/// row *= factor.
pub(crate) fn scale(row: &mut [f32], factor: f32) {
    let (row4, rest) = row.as_chunks_mut::<4>();
    for row in row4 {
        F32x4::from_array(row).mul(F32x4::splat(factor)).write(row);
    }
    for x in rest {
        *x *= factor;
    }
}

/// sum += row · factor.
pub(crate) fn add_scaled(sum: &mut [f32], row: &[f32], factor: f32) {
    assert!(sum.len() == row.len());
    let (sum4, sum_rest) = sum.as_chunks_mut::<4>();
    let (row4, row_rest) = row.as_chunks::<4>();
    for (sum, row) in sum4.iter_mut().zip(row4) {
        F32x4::from_array(row).mul_add(F32x4::splat(factor), F32x4::from_array(sum)).write(sum);
    }
    for (sum, row) in sum_rest.iter_mut().zip(row_rest) {
        *sum += row * factor;
    }
}

/// Replaces scores by e^(score - max) and returns (max, sum of them). Scores that are
/// -inf become 0. The length must be a multiple of 4, and one score finite.
pub(crate) fn softmax_terms(scores: &mut [f32]) -> (f32, f32) {
    let (scores4, rest) = scores.as_chunks_mut::<4>();
    assert!(rest.is_empty());
    // Four at once: one would wait for the last.
    let (quads, rest) = scores4.as_chunks::<4>();
    let mut max = [F32x4::splat(f32::NEG_INFINITY); 4];
    for s in quads {
        max = core::array::from_fn(|i| max[i].max(F32x4::from_array(&s[i])));
    }
    for s in rest {
        max[0] = max[0].max(F32x4::from_array(s));
    }
    let max = max[0].max(max[1]).max(max[2].max(max[3])).max_lane();
    let (exp, mut sum) = (Exp::new(), F32x4::zero());
    for s in scores4.iter_mut() {
        let e = exp.of_or_zero(F32x4::from_array(s).sub(F32x4::splat(max)));
        sum = sum.add(e);
        e.write(s);
    }
    (max, sum.sum())
}
