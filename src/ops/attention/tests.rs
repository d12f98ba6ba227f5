//! Attention against softmax(q·Kᵀ · scale)·V in f64, for every type of cache: awkward widths,
//! groups, numbers of keys, windows and caps; and each token alone against the same among
//! others.

use super::*;
use crate::kv_cache::KvCache;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const N_KEYS: usize = 277;
const TYPES: [(KvType, f64); 3] = [(KvType::F32, 1e-5), (KvType::F16, 1e-3), (KvType::Q8, 0.03)];

struct Case {
    shape: AttentionShape,
    window: usize,
    n_keys: usize,
    /// `[n_keys, n_kv_heads, head_dim]`, and `[n_keys, n_heads, head_dim]` of queries.
    keys: Vec<f32>,
    values: Vec<f32>,
    queries: Vec<f32>,
}

impl Case {
    fn new(
        n_keys: usize,
        head_dim: usize,
        n_kv_heads: usize,
        group: usize,
        window: usize,
        cap: Option<f32>,
    ) -> Case {
        let mut rng = StdRng::seed_from_u64((head_dim + group) as u64);
        let mut random = |len: usize| (0..len).map(|_| rng.random_range(-1.0..1.0)).collect();
        let n_heads = n_kv_heads * group;
        // Sharp enough that some keys matter more than others.
        let scores = Scores { scale: 8.0 / (head_dim as f32).sqrt(), cap };
        Case {
            shape: AttentionShape { n_heads, n_kv_heads, head_dim, scores },
            window,
            n_keys,
            keys: random(n_keys * n_kv_heads * head_dim),
            values: random(n_keys * n_kv_heads * head_dim),
            queries: random(n_keys * n_heads * head_dim),
        }
    }

    fn width(&self) -> usize {
        self.shape.n_heads * self.shape.head_dim
    }

    fn cache(&self, kv_type: KvType) -> KvCache {
        let AttentionShape { n_kv_heads, head_dim, .. } = self.shape;
        let mut cache = KvCache::new(kv_type, 1, n_kv_heads, head_dim, self.n_keys).unwrap();
        let (team, width) = (Team::new(1), n_kv_heads * head_dim);
        let layer = cache.layer_mut(0);
        store_keys_values(&team, layer, &self.keys, &self.values, head_dim, width, 0).unwrap();
        cache
    }

    /// Positions `start .. start + n`, in one go.
    fn run(&self, cache: &mut KvCache, start: usize, n: usize, n_threads: usize) -> Vec<f32> {
        let (team, layer) = (Team::new(n_threads), cache.layer_mut(0));
        let mut attention =
            Attention::new(self.shape, layer.kv_type(), self.n_keys + 64, n_threads).unwrap();
        let mut queries = self.queries[start * self.width()..(start + n) * self.width()].to_vec();
        let mut out = Activations::new(n, self.width()).unwrap();
        let view = View { cache: layer, start, window: self.window };
        attention.run(&team, &mut queries, view, Forms::default(), &mut out, |_, _| {}).unwrap();
        out.rows().to_vec()
    }

    /// One head of the token at `position`.
    fn exact(&self, position: usize, head: usize) -> Vec<f64> {
        let AttentionShape { n_heads, n_kv_heads, head_dim, scores } = self.shape;
        let row = |x: &[f32], heads: usize, position: usize, head: usize| -> Vec<f64> {
            let row = &x[(position * heads + head) * head_dim..][..head_dim];
            row.iter().map(|x| *x as f64).collect()
        };
        let q = row(&self.queries, n_heads, position, head);
        let kv_head = head / (n_heads / n_kv_heads);
        let mut out = vec![0.0; head_dim];
        let mut sum = 0.0;
        for key in (position + 1).saturating_sub(self.window)..position + 1 {
            let k = row(&self.keys, n_kv_heads, key, kv_head);
            let score = q.iter().zip(&k).map(|(q, k)| q * k).sum::<f64>() * scores.scale as f64;
            let capped = scores.cap.map_or(score, |cap| cap as f64 * (score / cap as f64).tanh());
            let term = capped.exp();
            sum += term;
            let value = row(&self.values, n_kv_heads, key, kv_head);
            out.iter_mut().zip(&value).for_each(|(out, v)| *out += term * v);
        }
        out.iter().map(|out| out / sum).collect()
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let all = usize::MAX;
    [
        (64, 3, 3, all, None),
        (80, 2, 1, all, None),
        (96, 1, 2, 5, None),
        (128, 1, 8, 150, Some(2.0)),
        (256, 1, 4, all, Some(5.0)),
        (64, 1, 5, 129, None),
        (8, 2, 6, all, None),
        (64, 1, 7, 1, None),
    ]
    .into_iter()
    .map(|(head_dim, n_kv_heads, group, window, cap)| {
        Case::new(N_KEYS, head_dim, n_kv_heads, group, window, cap)
    })
}

#[test]
fn it_is_close_to_f64() {
    for case in cases() {
        let head_dim = case.shape.head_dim;
        for (kv_type, limit) in TYPES {
            let cache = &mut case.cache(kv_type);
            for (start, n) in [(0, 1), (0, 9), (127, 1), (126, 4), (140, 23), (N_KEYS - 1, 1)] {
                let found = case.run(cache, start, n, 1);
                for (i, found) in found.chunks_exact(head_dim).enumerate() {
                    let (token, head) = (i / case.shape.n_heads, i % case.shape.n_heads);
                    let exact = case.exact(start + token, head);
                    for (found, exact) in found.iter().zip(exact) {
                        let error = (*found as f64 - exact).abs();
                        assert!(error < limit, "{kv_type:?} {head_dim} {start}: off by {error}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_token_is_the_same_alone_and_among_others() {
    for case in cases() {
        for (kv_type, _) in TYPES {
            let cache = &mut case.cache(kv_type);
            let alone: Vec<Vec<f32>> =
                (0..N_KEYS).map(|position| case.run(cache, position, 1, 1)).collect();
            for (start, n) in [(0, 2), (125, 4), (250, 3), (0, 5), (100, 33), (0, N_KEYS)] {
                let together = case.run(cache, start, n, 1);
                for (t, row) in together.chunks_exact(case.width()).enumerate() {
                    assert_eq!(row, alone[start + t], "{kv_type:?}, {t} of {n} from {start}");
                }
            }
        }
    }
}

/// What is left in the cache behind a token, of an answer that was cut back, is not seen.
#[test]
fn what_lies_behind_is_not_seen() {
    for case in cases() {
        for (kv_type, _) in TYPES {
            let AttentionShape { n_kv_heads, head_dim, .. } = case.shape;
            let cache = &mut case.cache(kv_type);
            let before = case.run(cache, 130, 3, 1);
            for (h, mut head) in cache.layer_mut(0).heads_mut().enumerate() {
                assert!(h < n_kv_heads);
                for position in 133..N_KEYS {
                    head.store(position, &vec![9e30; head_dim], &vec![f32::INFINITY; head_dim]);
                }
            }
            assert_eq!(case.run(cache, 130, 3, 1), before, "{kv_type:?}");
        }
    }
}

/// Threads do not change a bit, also where they share out the joining of blocks. (wasm tests
/// have one.)
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn threads_change_nothing() {
    let long = Case::new(KEY_BLOCK * MANY_BLOCKS + 61, 64, 3, 3, usize::MAX, None);
    for case in cases().chain([long]) {
        for (kv_type, _) in TYPES {
            let cache = &mut case.cache(kv_type);
            for (start, n) in [(case.n_keys - 1, 1), (case.n_keys - 4, 4), (200, 4), (20, 40)] {
                let one = case.run(cache, start, n, 1);
                for n_threads in [2, 3, 8] {
                    let found = case.run(cache, start, n, n_threads);
                    assert_eq!(found, one, "{kv_type:?}, {n_threads} threads");
                }
            }
        }
    }
}
