//! Operations on single rows of f32.

use super::f32x4::F32x4;

/// out = x / sqrt(mean(x²) + eps) · weight (Zhang & Sennrich, 2019). All slices have one length.
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    assert!(x.len() == weight.len() && x.len() == out.len());
    let (x4, x_rest) = x.as_chunks::<4>();
    let mut squares = [F32x4::zero(); 2];
    for (i, x) in x4.iter().enumerate() {
        let x = F32x4::from_array(x);
        squares[i % 2] = x.mul_add(x, squares[i % 2]);
    }
    let rest: f32 = x_rest.iter().map(|x| x * x).sum();
    let mean = (squares[0].add(squares[1]).sum() + rest) / x.len() as f32;
    let r = 1.0 / (mean + eps).sqrt();
    let r4 = F32x4::splat(r);
    let (w4, w_rest) = weight.as_chunks::<4>();
    let (out4, out_rest) = out.as_chunks_mut::<4>();
    for ((out, x), w) in out4.iter_mut().zip(x4).zip(w4) {
        F32x4::from_array(x).mul(r4).mul(F32x4::from_array(w)).write(out);
    }
    for ((out, x), w) in out_rest.iter_mut().zip(x_rest).zip(w_rest) {
        *out = x * r * w;
    }
}

/// gate = silu(gate) · up, silu(x) = x / (1 + e^-x) (Shazeer, 2020).
pub(crate) fn silu_mul(gate: &mut [f32], up: &[f32]) {
    assert!(gate.len() == up.len());
    let one = F32x4::splat(1.0);
    let (gate4, gate_rest) = gate.as_chunks_mut::<4>();
    let (up4, up_rest) = up.as_chunks::<4>();
    for (gate, up) in gate4.iter_mut().zip(up4) {
        let g = F32x4::from_array(gate);
        let e = F32x4::zero().sub(g).exp();
        g.div(one.add(e)).mul(F32x4::from_array(up)).write(gate);
    }
    for (gate, up) in gate_rest.iter_mut().zip(up_rest) {
        *gate = *gate / (1.0 + (-*gate).exp()) * up;
    }
}

/// Rotates the pairs (0, 1), (2, 3) … of one head by the angles given as (cos, sin).
pub(crate) fn rotate_pairs(x: &mut [f32], angles: &[[f32; 2]]) {
    for (x, [cos, sin]) in x.as_chunks_mut::<2>().0.iter_mut().zip(angles) {
        let [a, b] = *x;
        *x = [a * cos - b * sin, a * sin + b * cos];
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
    let mut max = F32x4::splat(f32::NEG_INFINITY);
    for s in scores4.iter() {
        max = max.max(F32x4::from_array(s));
    }
    let max = max.max_lane();
    let mut sum = F32x4::zero();
    for s in scores4.iter_mut() {
        let e = F32x4::from_array(s).sub(F32x4::splat(max)).exp_or_zero();
        sum = sum.add(e);
        e.write(s);
    }
    (max, sum.sum())
}
