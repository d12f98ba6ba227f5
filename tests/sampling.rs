//! The sampler from outside: distributions, reproducibility, odd logits, cost.

#![cfg(not(target_arch = "wasm32"))] // counts with an allocator of its own

mod allocations;

use pagelm::sampling::{Dry, Mirostat, Sampler, SamplingParams, Xtc, log_softmax_at, top_logprobs};

/// Everything off, temperature 1.
fn open() -> SamplingParams {
    SamplingParams { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() }
}

fn mirostat(version: u8, tau: f32) -> Mirostat {
    Mirostat { version, tau, eta: 0.1 }
}

fn sampler(params: SamplingParams, n_vocab: usize) -> Sampler {
    Sampler::new(params, n_vocab).unwrap()
}

/// A ragged landscape of logits, the same everywhere.
fn landscape(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919 % 1013) as f32 / 1013.0 - 0.5) * 12.0).collect()
}

#[test]
fn temperature_0_is_greedy_whatever_else_is_set() {
    let mut logits = landscape(300);
    logits[123] = 9.0;
    logits[200] = 9.0;
    for params in [
        SamplingParams::greedy(),
        SamplingParams { temperature: 0.0, ..open() },
        SamplingParams { temperature: 0.0, top_k: 3, top_p: 0.1, min_p: 0.9, seed: 7, ..open() },
    ] {
        let choice = sampler(params, 300).sample(&logits, &[]);
        assert_eq!((choice.token, choice.logprob), (123, log_softmax_at(&logits, 123)));
    }
    let params = SamplingParams { repetition_penalty: 2.0, ..SamplingParams::greedy() };
    assert_eq!(sampler(params.clone(), 300).sample(&logits, &[5, 123]).token, 200);
    assert_eq!(sampler(params.clone(), 300).sample(&logits, &[123, 200]).token, {
        let rest = |i: &u32| *i != 123 && *i != 200;
        let best = |a: &u32, b: &u32| logits[*a as usize].total_cmp(&logits[*b as usize]);
        (0..300).filter(rest).rev().max_by(best).unwrap()
    });
    let forgets = SamplingParams { repeat_last_n: 1, ..params };
    assert_eq!(sampler(forgets, 300).sample(&logits, &[123, 5]).token, 123);
}

#[test]
fn the_logprob_is_the_models_own() {
    let logits = landscape(300);
    let params = SamplingParams { temperature: 3.0, repetition_penalty: 1.9, top_k: 5, ..open() };
    let mut sampler = sampler(params, 300);
    for _ in 0..20 {
        let choice = sampler.sample(&logits, &[1, 2, 3]);
        assert_eq!(choice.logprob, log_softmax_at(&logits, choice.token));
    }
}

/// Pearson's statistic for `draws` against the probabilities in `expected`.
fn chi_square(params: SamplingParams, logits: &[f32], expected: &[f64], draws: usize) -> f64 {
    let mut sampler = sampler(params, logits.len());
    let mut counts = vec![0u32; logits.len()];
    for _ in 0..draws {
        counts[sampler.sample_token(logits, &[]) as usize] += 1;
    }
    let mut sum = 0.0;
    for (count, share) in counts.iter().zip(expected) {
        if *share == 0.0 {
            assert_eq!(*count, 0);
            continue;
        }
        let mean = share * draws as f64;
        sum += (f64::from(*count) - mean).powi(2) / mean;
    }
    sum
}

fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let weights: Vec<f64> = logits.iter().map(|&l| (f64::from(l) / temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

#[test]
fn draws_follow_the_probabilities() {
    let logits = [0.3, -1.0, 2.0, f32::NEG_INFINITY, 1.1, 0.0, -0.4, 1.9];
    let without_last = |keep: &[usize], temperature: f64| {
        let kept: Vec<f32> =
            (0..8).map(|i| if keep.contains(&i) { logits[i] } else { f32::NEG_INFINITY }).collect();
        softmax(&kept, temperature)
    };
    let all = [0, 1, 2, 4, 5, 6, 7];
    // (parameters, ids that stay, temperature); 0.1 % points of chi-square with
    // n − 1 degrees of freedom: 22.46 for 7 ids, 13.82 for 3.
    for (params, keep, limit) in [
        (open(), &all[..], 22.46),
        (SamplingParams { temperature: 0.7, ..open() }, &all, 22.46),
        (SamplingParams { temperature: 2.5, seed: 3, ..open() }, &all, 22.46),
        (SamplingParams { top_k: 3, ..open() }, &[2, 4, 7], 13.82),
        (SamplingParams { top_p: 0.75, temperature: 1.7, ..open() }, &[2, 4, 7], 13.82),
        (SamplingParams { min_p: 0.4, temperature: 0.5, ..open() }, &[2, 4, 7], 13.82),
    ] {
        let expected = without_last(keep, f64::from(params.temperature));
        let statistic = chi_square(params.clone(), &logits, &expected, 40_000);
        assert!(statistic < limit, "{statistic} for {params:?}");
        // The same draws do not pass for another distribution.
        let other = without_last(keep, f64::from(params.temperature) * 1.15);
        assert!(chi_square(params, &logits, &other, 40_000) > limit);
    }
}

#[test]
fn typical_xtc_and_penalties_leave_what_they_say() {
    // Probabilities 0.6, 0.2, 0.1, 0.1.
    let logits = [0.6f32, 0.2, 0.1, 0.1].map(f32::ln);
    let with = |logit_bias: Vec<(u32, f32)>| SamplingParams { logit_bias, ..open() };
    let xtc = |probability| Xtc { probability, threshold: 0.15 };
    let ln = f32::ln;
    // (parameters, the probabilities of what is drawn); 16.27 is the 0.1 % point of
    // chi-square with 3 degrees of freedom.
    for (params, expected) in [
        (SamplingParams { typical_p: 0.1, ..open() }, [0.0, 1.0, 0.0, 0.0]),
        (SamplingParams { typical_p: 0.5, ..open() }, [0.75, 0.25, 0.0, 0.0]),
        (SamplingParams { typical_p: 0.8, top_k: 1, ..open() }, [1.0, 0.0, 0.0, 0.0]),
        (SamplingParams { typical_p: 0.75, top_p: 0.7, ..open() }, [1.0, 0.0, 0.0, 0.0]),
        (SamplingParams { xtc: xtc(1.0), ..open() }, [0.0, 0.5, 0.25, 0.25]),
        (SamplingParams { xtc: xtc(0.5), ..open() }, [0.3, 0.35, 0.175, 0.175]),
        (with(vec![(0, -100.0), (1, ln(2.0))]), [0.0, 2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0]),
        (with(vec![(2, 100.0)]), [0.0, 0.0, 1.0, 0.0]),
    ] {
        let statistic = chi_square(params.clone(), &logits, &expected, 20_000);
        assert!(statistic < 16.27, "{statistic} for {params:?}");
    }
    let penalised = SamplingParams {
        frequency_penalty: 0.5,
        presence_penalty: 1.0,
        ..SamplingParams::greedy()
    };
    // 0.6 against 0.2 is 1.1 apart; once is 1.5 off.
    let greedy = |prompt: usize, history: &[u32]| {
        sampler(penalised.clone(), 4).after_prompt(prompt).sample_token(&logits, history)
    };
    assert_eq!((greedy(0, &[0]), greedy(1, &[0]), greedy(1, &[0, 0])), (1, 0, 1));
    let dry = Dry { multiplier: 2.0, ..Dry::default() };
    let params = SamplingParams { dry, ..SamplingParams::greedy() };
    assert_eq!(sampler(params.clone(), 4).sample_token(&logits, &[2, 3, 0, 2, 3]), 1);
    assert_eq!(sampler(params, 4).sample_token(&logits, &[3, 0, 2, 3]), 0);
}

#[test]
fn mirostat_keeps_the_surprise_it_is_told() {
    // Zipf's law; the best token alone has a surprise of 3 bits.
    let logits: Vec<f32> = (0..2000).map(|i| -1.05 * ((i * 7919 % 2000 + 1) as f32).ln()).collect();
    for version in [1, 2] {
        for tau in [4.0, 6.0] {
            let params = SamplingParams { mirostat: mirostat(version, tau), ..open() };
            let mut sampler = sampler(params, logits.len());
            let bits = |logprob: f32| f64::from(-logprob) / std::f64::consts::LN_2;
            let all: Vec<f64> =
                (0..2200).map(|_| bits(sampler.sample(&logits, &[]).logprob)).collect();
            let mean = all[200..].iter().sum::<f64>() / 2000.0;
            assert!((mean - f64::from(tau)).abs() < 0.3, "{version} {tau}: {mean}");
        }
    }
}

#[test]
fn a_vocabulary_of_many_chunks_is_drawn_from_evenly() {
    let logits = vec![-3.5; 1000];
    let statistic = chi_square(open(), &logits, &[1e-3; 1000], 200_000);
    // 0.1 % point of chi-square with 999 degrees of freedom.
    assert!(statistic < 1143.9, "{statistic}");
}

#[test]
fn a_seed_fixes_the_draws() {
    let logits = landscape(2000);
    for params in [
        open(),
        SamplingParams::default(),
        SamplingParams { top_p: 0.9, ..open() },
        SamplingParams { mirostat: mirostat(2, 5.0), ..open() },
        SamplingParams { xtc: Xtc { probability: 0.5, threshold: 0.01 }, ..open() },
    ] {
        let draw = |seed: u64| {
            let mut sampler = sampler(SamplingParams { seed, ..params.clone() }, 2000);
            (0..50).map(|_| sampler.sample(&logits, &[]).token).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}

#[test]
fn odd_logits() {
    let only = |at: usize, value: f32, rest: f32| {
        let mut logits = vec![rest; 70];
        logits[at] = value;
        logits
    };
    let variants = [
        SamplingParams::greedy(),
        open(),
        SamplingParams { temperature: 1e-30, ..open() },
        SamplingParams { temperature: f32::MAX, top_k: 1, ..open() },
        SamplingParams { top_k: 500, ..open() },
        SamplingParams { top_p: 0.5, ..open() },
        SamplingParams { min_p: 0.5, ..open() },
        SamplingParams { repetition_penalty: 1.1, ..SamplingParams::default() },
        SamplingParams { typical_p: 0.5, ..open() },
        SamplingParams { frequency_penalty: 1.0, presence_penalty: -1.0, ..open() },
        SamplingParams { mirostat: mirostat(1, 3.0), ..open() },
        SamplingParams { mirostat: mirostat(2, 3.0), ..open() },
        SamplingParams { dry: Dry { multiplier: 1.0, ..Dry::default() }, ..open() },
    ];
    for params in variants {
        for (logits, expected) in [
            (only(33, 5.0, f32::NEG_INFINITY), 33),
            (only(33, 5.0, f32::NAN), 33),
            (only(33, f32::INFINITY, 5.0), 33),
            (only(69, f32::INFINITY, f32::NAN), 69),
            (only(0, f32::MAX, f32::MIN), 0),
            (vec![f32::NAN; 70], 0),
            (vec![f32::NEG_INFINITY; 70], 0),
        ] {
            let choice = sampler(params.clone(), 70).sample(&logits, &[1, 33, 1_000_000]);
            assert_eq!(choice.token, expected, "{params:?} {logits:?}");
            let hopeless = logits[expected as usize].is_nan()
                || logits[0] == f32::NEG_INFINITY && expected == 0;
            assert_eq!(choice.logprob, if hopeless { f32::NEG_INFINITY } else { 0.0 });
        }
    }
    let mut one = sampler(SamplingParams::default(), 1);
    assert_eq!(one.sample(&[-4.0], &[]).token, 0);
}

#[test]
fn logprobs_agree_with_f64() {
    let mut logits = landscape(10_001);
    logits[17] = f32::NEG_INFINITY;
    logits[5000] = 6.0;
    logits[4000] = 6.0;
    let weights: Vec<f64> = logits.iter().map(|&l| f64::from(l).exp()).collect();
    let total: f64 = weights.iter().sum();
    let exact = |id: u32| f64::from(logits[id as usize]) - total.ln();
    let top = top_logprobs(&logits, 20);
    assert_eq!(top.len(), 20);
    assert_eq!((top[0].0, top[1].0), (4000, 5000));
    for pair in top.windows(2) {
        assert!(pair[0].1 > pair[1].1 || pair[0].1 == pair[1].1 && pair[0].0 < pair[1].0);
    }
    let mut sorted: Vec<u32> = (0..10_001).collect();
    sorted.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]));
    assert_eq!(top.iter().map(|t| t.0).collect::<Vec<_>>(), sorted[..20]);
    for (id, logprob) in top {
        assert!((f64::from(logprob) - exact(id)).abs() < 2e-6, "{id}: {logprob}");
        assert_eq!(logprob, log_softmax_at(&logits, id));
    }
    for id in (0..10_001).step_by(97) {
        assert!((f64::from(log_softmax_at(&logits, id)) - exact(id)).abs() < 2e-6);
    }
    assert_eq!(log_softmax_at(&logits, 17), f32::NEG_INFINITY);
    assert_eq!(log_softmax_at(&logits, 10_001), f32::NEG_INFINITY);
    assert_eq!(top_logprobs(&logits, usize::MAX).len(), 10_000);
    assert_eq!(top_logprobs(&logits, 0), []);
    assert_eq!(top_logprobs(&[], 3), []);
}

#[test]
fn sampling_allocates_nothing() {
    let logits = landscape(50_000);
    let rising: Vec<f32> = (0..50_000).map(|i| i as f32 * 1e-3).collect();
    let history: Vec<u32> = (0..1000).map(|i| i * 13).collect();
    for params in [
        SamplingParams::greedy(),
        SamplingParams::default(),
        open(),
        SamplingParams { repetition_penalty: 1.2, ..open() },
        SamplingParams { repetition_penalty: 1.2, ..SamplingParams::greedy() },
        SamplingParams { top_k: 49_999, min_p: 0.01, ..open() },
        SamplingParams { top_p: 0.99, repetition_penalty: 1.2, ..open() },
        SamplingParams { min_p: 1e-4, ..open() },
        SamplingParams { typical_p: 0.5, top_p: 0.9, ..open() },
        SamplingParams { xtc: Xtc { probability: 1.0, threshold: 0.05 }, ..open() },
        SamplingParams { frequency_penalty: 0.5, presence_penalty: 0.5, ..open() },
        SamplingParams { dry: Dry { multiplier: 0.8, ..Dry::default() }, ..open() },
        SamplingParams { mirostat: mirostat(1, 5.0), ..open() },
        SamplingParams { mirostat: mirostat(2, 5.0), ..open() },
        SamplingParams { logit_bias: vec![(3, 2.0)], ..open() },
    ] {
        let mut sampler = sampler(params.clone(), 50_000);
        let (_, usage) = allocations::during(|| {
            for logits in [&logits, &rising] {
                sampler.sample(logits, &history);
            }
        });
        assert_eq!(usage.count, 0, "{params:?}");
    }
}
