//! The stages against a naive reference: sort everything, in f64.

use super::*;

struct Random(StdRng);

impl Random {
    fn new(seed: u64) -> Random {
        Random(StdRng::seed_from_u64(seed))
    }

    /// About normal.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.0.random::<f32>()).sum::<f32>() - 6.0
    }

    fn logits(&mut self, n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|_| self.normal() * scale).collect()
    }
}

/// Ids that pass the stages, sorted by id.
fn reference(logits: &[f32], history: &[u32], p: &SamplingParams) -> Vec<u32> {
    let mut all: Vec<(u32, f64)> = Vec::new();
    let recent = &history[history.len().saturating_sub(p.repeat_last_n)..];
    for (id, &logit) in logits.iter().enumerate() {
        let penalised = match recent.contains(&(id as u32)) {
            true if logit > 0.0 => logit / p.repetition_penalty,
            true => logit * p.repetition_penalty,
            false => logit,
        };
        all.push((id as u32, f64::from(penalised)));
    }
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if p.top_k > 0 {
        all.truncate(p.top_k);
    }
    let best = all[0].1;
    if p.top_p < 1.0 {
        let total: f64 = all.iter().map(|c| (c.1 - best).exp()).sum();
        let mut sum = 0.0;
        let mut kept = 0;
        while kept < all.len() && (kept == 0 || sum < f64::from(p.top_p)) {
            sum += (all[kept].1 - best).exp() / total;
            kept += 1;
        }
        all.truncate(kept);
    }
    if p.min_p > 0.0 {
        all.retain(|c| (c.1 - best).exp() >= f64::from(p.min_p));
    }
    let mut ids: Vec<u32> = all.iter().map(|c| c.0).collect();
    ids.sort_unstable();
    ids
}

fn survivors(logits: &[f32], history: &[u32], params: &SamplingParams) -> Vec<u32> {
    let mut sampler = Sampler::new(params.clone(), logits.len()).unwrap();
    let token = sampler.sample(logits, history).token;
    if !sampler.params.truncates() {
        return (0..logits.len() as u32).collect();
    }
    let mut ids: Vec<u32> = sampler.candidates.iter().map(|c| c.token).collect();
    ids.sort_unstable();
    assert!(ids.contains(&token));
    ids
}

fn open() -> SamplingParams {
    SamplingParams { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() }
}

#[test]
fn each_stage_and_all_together_agree_with_the_reference() {
    let mut random = Random::new(1);
    for n in [1, 2, 3, 7, 8, 9, 100, 1000, 5000] {
        for scale in [0.01, 1.0, 4.0] {
            let logits = random.logits(n, scale);
            let history: Vec<u32> = (0..50).map(|_| random.0.random_range(0..n as u32)).collect();
            let mut cases = Vec::new();
            for top_k in [1, 2, 5, 40, n.saturating_sub(1), n] {
                cases.push(SamplingParams { top_k, ..open() });
                cases.push(SamplingParams { top_k, top_p: 0.7, ..open() });
            }
            for top_p in [0.0, 0.1, 0.5, 0.95, 0.9999] {
                cases.push(SamplingParams { top_p, ..open() });
                cases.push(SamplingParams { top_p, min_p: 0.2, repetition_penalty: 1.3, ..open() });
            }
            for min_p in [1e-6, 0.05, 0.5, 1.0] {
                cases.push(SamplingParams { min_p, ..open() });
                cases.push(SamplingParams { min_p, top_k: 9, repetition_penalty: 0.8, ..open() });
            }
            cases.push(SamplingParams {
                repetition_penalty: 1.5,
                repeat_last_n: 5,
                ..cases[0].clone()
            });
            for params in &cases {
                let expected = reference(&logits, &history, params);
                assert_eq!(
                    survivors(&logits, &history, params),
                    expected,
                    "{n} {scale} {params:?}"
                );
            }
        }
    }
}

#[test]
fn ties_go_to_the_lower_ids() {
    let mut logits = vec![0.0; 100];
    logits[70] = 1.0;
    for top_k in [1, 2, 3, 49, 99] {
        let mut expected: Vec<u32> = (0..top_k as u32 - 1).chain([70]).collect();
        if top_k > 71 {
            expected = (0..top_k as u32).collect();
        }
        assert_eq!(survivors(&logits, &[], &SamplingParams { top_k, ..open() }), expected);
    }
}

#[test]
fn only_what_is_needed_is_allocated() {
    let size = |params: SamplingParams| {
        let sampler = Sampler::new(params, 1000).unwrap();
        (sampler.values.len(), sampler.candidates.capacity())
    };
    assert_eq!(size(SamplingParams::greedy()), (0, 0));
    assert_eq!(
        size(SamplingParams { repetition_penalty: 1.1, ..SamplingParams::greedy() }),
        (1000, 0)
    );
    assert_eq!(size(open()), (1000, 0));
    assert_eq!(size(SamplingParams::default()), (0, 1000));
}
