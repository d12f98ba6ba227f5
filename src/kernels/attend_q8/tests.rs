//! Each level against the scalar twin (bit for bit: the sums are integers), and the twin
//! against f64 products of the values that were quantised.

use super::*;
use crate::kernels::Best;
use crate::kernels::scalar::Scalar;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Keys and values of one head, filled position by position.
struct Cache {
    keys: Vec<u8>,
    key_scales: Vec<f32>,
    values: Vec<i8>,
    value_scales: Vec<f32>,
}

impl Cache {
    fn new<L: ByteLevel>(keys: &[f32], values: &[f32], head_dim: usize) -> Cache {
        let n = (keys.len() / head_dim).next_multiple_of(VALUE_GROUP);
        let mut cache = Cache {
            keys: vec![0xa5; n * head_dim],
            key_scales: vec![0.25; n],
            values: vec![-128; n * head_dim],
            value_scales: vec![0.25; n],
        };
        let rows = keys.chunks_exact(head_dim).zip(values.chunks_exact(head_dim));
        for (position, (key, value)) in rows.enumerate() {
            cache.key_scales[position] = put_key::<L>(key, position, &mut cache.keys);
            cache.value_scales[position] = put_value::<L>(value, position, &mut cache.values);
        }
        cache
    }

    fn key(&self, head_dim: usize, position: usize, i: usize) -> f64 {
        let at = position / 8 * 8 * head_dim + i / 4 * 32 + position % 8 * 4 + i % 4;
        (self.keys[at] as f64 - 128.0) * self.key_scales[position] as f64
    }

    fn value(&self, head_dim: usize, position: usize, i: usize) -> f64 {
        const G: usize = VALUE_GROUP;
        let panel = position / G * G * head_dim + i / 8 * 8 * G;
        let at = panel + position % G / 4 * 32 + i % 8 * 4 + position % 4;
        self.values[at] as f64 * self.value_scales[position] as f64
    }
}

/// What a level makes of queries, keys, values and the terms that the scores are taken for.
#[derive(Debug, PartialEq)]
struct Outcome {
    scores: Vec<f32>,
    terms: Vec<i8>,
    scales: Vec<f32>,
    out: Vec<f32>,
}

/// Queries lie `step` vectors apart; `n_keys` terms of each row are its scores' magnitudes.
fn run<L: ByteLevel>(
    cache: &Cache,
    queries: &[f32],
    head_dim: usize,
    step: usize,
    n_keys: usize,
) -> Outcome {
    let vectors = queries.len() / head_dim;
    let n = vectors.div_ceil(step);
    let mut bytes = vec![0; queries.len()];
    let scales: Vec<ByteScale> = queries
        .chunks_exact(head_dim)
        .zip(bytes.chunks_exact_mut(head_dim))
        .map(|(x, q)| quantise_query::<L>(x, q))
        .collect();
    let q = ByteQueries { bytes: &bytes, scales: &scales, step, n };
    let stride = (cache.key_scales.len() + 8).next_multiple_of(VALUE_GROUP);
    let mut scores = vec![0.0; n * stride];
    let keys = ByteVectors { bytes: &cache.keys[..], scales: &cache.key_scales };
    score_bytes::<L>(q, keys, head_dim, &mut scores, stride);
    let (mut terms, mut scales) = (vec![1; n * stride], vec![0.0; n * stride / VALUE_GROUP]);
    let mut p = ByteTerms { bytes: &mut terms, scales: &mut scales, stride };
    let mut weights = scores.clone();
    for (r, row) in weights.chunks_exact_mut(stride).enumerate() {
        let row = &mut row[..n_keys.next_multiple_of(PANEL_ROWS)];
        for (key, score) in row.iter_mut().enumerate() {
            *score = if key < n_keys { score.abs() } else { 0.0 };
        }
        quantise_terms::<L>(row, &cache.value_scales, r, &mut p);
    }
    let mut out = vec![f32::NAN; n * head_dim];
    weigh_bytes::<L>(&p, n, &cache.values, head_dim, &mut out);
    Outcome { scores, terms, scales, out }
}

fn random(rng: &mut StdRng, len: usize, kind: usize) -> Vec<f32> {
    (0..len)
        .map(|i| match kind {
            0 => rng.random_range(-2.0..2.0),
            1 => [-3.0, 3.0][rng.random_range(0..2)], // all at the bounds
            2 if i % 61 == 7 => 900.0,                // one dwarfs its vector
            2 => rng.random_range(-1.0..1.0),
            3 => rng.random_range(-1.0..1.0) * 1e-12,
            4 => 0.0,
            _ => rng.random_range(-1.0..1.0) * 1e8,
        })
        .collect()
}

fn sweep(mut check: impl FnMut(&Cache, [&[f32]; 3], usize, usize, usize)) {
    let mut rng = StdRng::seed_from_u64(12);
    for head_dim in [8, 64, 80, 96, 128, 256] {
        for (rows, step, n_keys) in
            [(1, 1, 1), (2, 1, 3), (3, 1, 8), (4, 2, 31), (5, 1, 33), (6, 3, 64), (8, 1, 127)]
        {
            for kind in 0..6 {
                let queries = random(&mut rng, ((rows - 1) * step + 1) * head_dim, kind);
                let keys = random(&mut rng, n_keys * head_dim, kind);
                let values = random(&mut rng, n_keys * head_dim, kind);
                let cache = Cache::new::<Best>(&keys, &values, head_dim);
                check(&cache, [&queries, &keys, &values], head_dim, step, n_keys);
            }
        }
    }
}

#[test]
fn what_is_put_is_near_what_it_was() {
    sweep(|cache, [_, keys, values], head_dim, _, n_keys| {
        for position in 0..n_keys {
            let of = |x: &[f32]| x[position * head_dim..][..head_dim].to_vec();
            for (vector, kept) in [
                (of(keys), &(|i| cache.key(head_dim, position, i)) as &dyn Fn(usize) -> f64),
                (of(values), &|i| cache.value(head_dim, position, i)),
            ] {
                let max = vector.iter().fold(0.0f32, |max, x| max.max(x.abs())) as f64;
                for (i, x) in vector.iter().enumerate() {
                    let error = (kept(i) - *x as f64).abs();
                    assert!(error <= max / 127.0 * 0.501, "{x} became {}", kept(i));
                }
            }
        }
    });
}

#[test]
fn products_are_close_to_f64() {
    sweep(|cache, [queries, ..], head_dim, step, n_keys| {
        let Outcome { scores, out, .. } = run::<Scalar>(cache, queries, head_dim, step, n_keys);
        let rows = queries.chunks_exact(head_dim).step_by(step);
        let stride = scores.len() / rows.len();
        for (r, query) in rows.enumerate() {
            let scores = &scores[r * stride..][..n_keys];
            let step_of_query = query.iter().fold(0.0f32, |m, x| m.max(x.abs())) as f64 / 127.0;
            for (position, score) in scores.iter().enumerate() {
                let key = |i| cache.key(head_dim, position, i);
                let exact: f64 = query.iter().enumerate().map(|(i, x)| *x as f64 * key(i)).sum();
                // Each value of the query is off by half a step at most.
                let all: f64 = (0..head_dim).map(|i| key(i).abs()).sum();
                let bound = all * step_of_query * 0.501 + exact.abs() * 1e-5;
                assert!((*score as f64 - exact).abs() <= bound, "{score} is not {exact}");
            }
            for (i, found) in out[r * head_dim..][..head_dim].iter().enumerate() {
                let (mut exact, mut bound) = (0.0, 0.0);
                for (g, group) in scores.chunks(VALUE_GROUP).enumerate() {
                    let value = |k: usize| cache.value(head_dim, g * VALUE_GROUP + k, i);
                    let scale = |k: usize| cache.value_scales[g * VALUE_GROUP + k] as f64;
                    let term = |k: usize| group[k].abs() as f64;
                    let all = 0..group.len();
                    exact += all.clone().map(|k| term(k) * value(k)).sum::<f64>();
                    let largest = all.clone().map(|k| term(k) * scale(k)).fold(0.0, f64::max);
                    // Of each term times its scale, likewise.
                    bound += largest / 127.0 * 0.501 * 127.0 * group.len() as f64;
                }
                assert!((*found as f64 - exact).abs() <= bound * 1.001 + 1e-30);
            }
        }
    });
}

/// A row's result is the same to the last bit alone and among others, and with more keys
/// behind those that it sees.
#[test]
fn rows_do_not_depend_on_each_other() {
    sweep(|cache, [queries, ..], head_dim, step, n_keys| {
        let together = run::<Best>(cache, queries, head_dim, step, n_keys);
        for (r, query) in queries.chunks_exact(head_dim).step_by(step).enumerate() {
            let alone = run::<Best>(cache, query, head_dim, 1, n_keys);
            let stride = alone.scores.len();
            assert_eq!(together.scores[r * stride..][..stride], alone.scores);
            assert_eq!(together.out[r * head_dim..][..head_dim], alone.out);
        }
    });
}

fn equals_scalar<L: ByteLevel>() {
    sweep(|cache, [queries, keys, values], head_dim, step, n_keys| {
        let own = Cache::new::<L>(keys, values, head_dim);
        let twin = Cache::new::<Scalar>(keys, values, head_dim);
        assert!(own.keys == twin.keys && own.values == twin.values);
        let found = run::<L>(cache, queries, head_dim, step, n_keys);
        assert_eq!(found, run::<Scalar>(cache, queries, head_dim, step, n_keys));
    });
}

#[cfg(target_arch = "wasm32")]
#[test]
fn simd128_equals_scalar() {
    equals_scalar::<crate::kernels::simd128::Simd128>();
}

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
#[test]
fn relaxed_equals_scalar() {
    equals_scalar::<crate::kernels::relaxed::Relaxed>();
}

#[test]
fn the_best_level_equals_scalar() {
    equals_scalar::<Best>();
}
