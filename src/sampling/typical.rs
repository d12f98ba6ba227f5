//! Locally typical sampling (Meister et al. 2023, arXiv:2202.00666): the tokens whose
//! surprise is nearest to the expected one, until they are p probable together.

use super::{Candidate, softmax};

/// Keeps the typical ones of `candidates`, at least one.
pub(super) fn truncate(candidates: &mut Vec<Candidate>, p: f32) {
    let best = candidates.iter().map(|c| c.logit).fold(f32::NEG_INFINITY, f32::max);
    let weight = |c: &Candidate| f64::from(softmax::weight(c.logit, best, 1.0));
    let total: f64 = candidates.iter().map(weight).sum();
    // -ln p = ln Σ e^(l - best) - (l - best); its mean is the entropy.
    let surprise = |c: &Candidate| total.ln() - (f64::from(c.logit) - f64::from(best));
    let terms = candidates.iter().map(|c| (weight(c), surprise(c)));
    let entropy = terms.filter(|(w, _)| *w > 0.0).map(|(w, s)| w * s).sum::<f64>() / total;
    let distance = |c: &Candidate| (surprise(c) - entropy).abs();
    candidates
        .sort_unstable_by(|a, b| distance(a).total_cmp(&distance(b)).then(Candidate::rank(a, b)));
    let goal = f64::from(p) * total;
    let mut sum = 0.0;
    let enough = candidates.iter().position(|c| {
        sum += weight(c);
        sum >= goal
    });
    candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(probabilities: &[f32], p: f32) -> Vec<u32> {
        let candidate = |(i, q): (usize, &f32)| Candidate { token: i as u32, logit: q.ln() };
        let mut candidates: Vec<_> = probabilities.iter().enumerate().map(candidate).collect();
        truncate(&mut candidates, p);
        candidates.iter().map(|c| c.token).collect()
    }

    #[test]
    fn the_least_surprising_need_not_stay() {
        // Entropy 1.19 nats; surprises 0.51, 1.61, 2.30, 2.30: distances 0.58, 0.52, 1.21, 1.21.
        let probabilities = [0.6, 0.2, 0.1, 0.1];
        assert_eq!(kept(&probabilities, 0.1), [1]);
        assert_eq!(kept(&probabilities, 0.5), [1, 0]);
        assert_eq!(kept(&probabilities, 0.85), [1, 0, 2]);
        assert_eq!(kept(&probabilities, 1.0).len(), 4);
        assert_eq!(kept(&[1.0, 0.0], 0.5), [0]);
    }
}
