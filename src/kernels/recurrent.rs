//! The steps of layers that keep a state instead of keys and values.

use super::f32x4::F32x4;

/// sum += a · b, value by value.
pub(crate) fn add_products(sum: &mut [f32], a: &[f32], b: &[f32]) {
    assert!(sum.len() == a.len() && sum.len() == b.len());
    let (sum4, sum_rest) = sum.as_chunks_mut::<4>();
    let ((a4, a_rest), (b4, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for ((sum, a), b) in sum4.iter_mut().zip(a4).zip(b4) {
        F32x4::from_array(a).mul_add(F32x4::from_array(b), F32x4::from_array(sum)).write(sum);
    }
    for ((sum, a), b) in sum_rest.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += a * b;
    }
}

/// One step of the gated delta rule (Yang et al., 2025): the state S, a map from keys to values,
/// fades, and what it holds under the key is moved towards the value.
///
/// S ← S · decay; S ← S + β (v - S k) kᵀ; out = S q.
///
/// `state` is `[n, n]`, a row for each component of values; all else is `[n]`, n a multiple of 4.
pub(crate) fn delta_rule(
    state: &mut [f32],
    [q, k, v]: [&[f32]; 3],
    decay: f32,
    beta: f32,
    out: &mut [f32],
) {
    let n = v.len();
    assert!(state.len() == n * n && q.len() == n && k.len() == n && out.len() == n);
    assert!(n.is_multiple_of(4));
    let (q4, k4) = (q.as_chunks::<4>().0, k.as_chunks::<4>().0);
    for ((row, v), out) in state.chunks_exact_mut(n).zip(v).zip(out) {
        let row4 = row.as_chunks_mut::<4>().0;
        let mut found = F32x4::zero();
        for (s, k) in row4.iter().zip(k4) {
            found = F32x4::from_array(s).mul_add(F32x4::from_array(k), found);
        }
        let change = F32x4::splat(beta * (v - decay * found.sum()));
        let (decay, mut read) = (F32x4::splat(decay), F32x4::zero());
        for ((s, k), q) in row4.iter_mut().zip(k4).zip(q4) {
            let new = F32x4::from_array(k).mul_add(change, F32x4::from_array(s).mul(decay));
            read = new.mul_add(F32x4::from_array(q), read);
            new.write(s);
        }
        *out = read.sum();
    }
}
