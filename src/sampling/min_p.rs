//! Min-p (Nguyen et al. 2024, arXiv:2407.01082): the tokens with at least p
//! times the probability of the best one. As a ratio of probabilities is a
//! difference of logits, no softmax is needed.

use super::{Candidate, softmax};

/// Fills `out` with the logits that pass, in the order of their ids.
pub(super) fn collect(logits: &[f32], p: f32, out: &mut Vec<Candidate>) {
    let bar = bar(softmax::largest(logits), p);
    out.clear();
    for (token, &logit) in logits.iter().enumerate() {
        if logit >= bar && logit > f32::NEG_INFINITY {
            out.push(Candidate { token: token as u32, logit });
        }
    }
}

/// Keeps the candidates that pass.
pub(super) fn truncate(candidates: &mut Vec<Candidate>, p: f32) {
    let best = candidates.iter().map(|c| c.logit).fold(f32::NEG_INFINITY, f32::max);
    let bar = bar(best, p);
    candidates.retain(|c| c.logit >= bar);
}

fn bar(best: f32, p: f32) -> f32 {
    // At 0 all pass, also below an infinite one.
    if p > 0.0 { best + p.ln() } else { f32::NEG_INFINITY }
}
