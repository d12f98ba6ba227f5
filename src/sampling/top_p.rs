//! Nucleus sampling (Holtzman et al. 2019, arXiv:1904.09751): the fewest best
//! tokens whose probabilities reach p together.

use super::{Candidate, softmax, top_k};

/// Size of the first selection when no top-k came before; a language model's
/// nucleus is rarely larger.
const FIRST_SELECTION: usize = 256;

/// Leaves the nucleus of `candidates`, whose probabilities add up to 1; sorts
/// them, the best first.
pub(super) fn truncate(candidates: &mut Vec<Candidate>, p: f32) {
    candidates.sort_unstable_by(Candidate::rank);
    let Some(&Candidate { logit: best, .. }) = candidates.first() else { return };
    let total = candidates.iter().map(|c| f64::from(softmax::weight(c.logit, best, 1.0))).sum();
    keep(candidates, p, total);
}

/// Fills `out` with the nucleus of all `logits`, the best first.
pub(super) fn collect(logits: &[f32], p: f32, out: &mut Vec<Candidate>) {
    let total = softmax::total_weight(logits);
    let mut k = FIRST_SELECTION;
    loop {
        top_k::collect(logits, k, out);
        out.sort_unstable_by(Candidate::rank);
        if keep(out, p, total) || k >= logits.len() {
            return;
        }
        k = k.saturating_mul(8);
    }
}

/// Cuts the sorted `candidates` behind the one whose weight makes the sum reach
/// p · `total`; false if the sum does not.
fn keep(candidates: &mut Vec<Candidate>, p: f32, total: f64) -> bool {
    let Some(&Candidate { logit: best, .. }) = candidates.first() else { return false };
    let goal = f64::from(p) * total;
    let mut sum = 0.0;
    for (i, candidate) in candidates.iter().enumerate() {
        sum += f64::from(softmax::weight(candidate.logit, best, 1.0));
        if sum >= goal {
            candidates.truncate(i + 1);
            return true;
        }
    }
    false
}
