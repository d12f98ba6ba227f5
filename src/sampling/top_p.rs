//! Nucleus sampling (Holtzman et al. 2019, arXiv:1904.09751): the fewest best
//! tokens whose probabilities reach p together.

use super::{Candidate, softmax, top_k};

/// What is tried first when no top-k came before: a model that knows what comes
/// next has its nucleus within.
const FIRST_SELECTION: usize = 256;
/// Candidates that are sorted rather than halved once more.
const SORTED: usize = 32;

/// Leaves the nucleus of `candidates`, whose probabilities add up to 1.
pub(super) fn truncate(candidates: &mut Vec<Candidate>, p: f32) {
    let best = candidates.iter().map(|c| c.logit).fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = candidates.iter().map(|c| weight(c, best)).sum();
    keep(candidates, best, f64::from(p) * total);
}

/// Fills `out` with the nucleus of all `logits`.
pub(super) fn collect(logits: &[f32], p: f32, out: &mut Vec<Candidate>) {
    let (best, total) = (softmax::largest(logits), softmax::total_weight(logits));
    let goal = f64::from(p) * total;
    top_k::collect(logits, FIRST_SELECTION, out);
    if keep(out, best, goal) {
        return;
    }
    // n weights below (total − goal) / n cannot make up the difference between
    // total and goal, so the nucleus is without them. The bar is set a little
    // lower, for what is lost in rounding.
    let least = (total - goal) / logits.len() as f64;
    let bar = (f64::from(best) + least.ln() - 0.01) as f32;
    out.clear();
    for (token, &logit) in logits.iter().enumerate() {
        if logit >= bar && logit > f32::NEG_INFINITY {
            out.push(Candidate { token: token as u32, logit });
        }
    }
    keep(out, best, goal);
}

fn weight(candidate: &Candidate, best: f32) -> f64 {
    f64::from(softmax::weight(candidate.logit, best, 1.0))
}

/// Keeps the fewest best candidates whose weights reach `goal` together, at
/// least one. If all do not reach it, keeps all and returns false.
///
/// Halves the range in which the last kept one must be: a selection instead of
/// a sort, linear in all.
fn keep(candidates: &mut Vec<Candidate>, best: f32, goal: f64) -> bool {
    let (mut start, mut end) = (0, candidates.len());
    let mut sum = 0.0; // of the weights before `start`
    while end - start > SORTED {
        let half = (end - start) / 2;
        let range = &mut candidates[start..end];
        range.select_nth_unstable_by(half, Candidate::rank);
        let better: f64 = range[..half].iter().map(|c| weight(c, best)).sum();
        if sum + better >= goal {
            end = start + half;
        } else {
            sum += better;
            start += half;
        }
    }
    candidates[start..end].sort_unstable_by(Candidate::rank);
    for i in start..end {
        sum += weight(&candidates[i], best);
        if sum >= goal {
            candidates.truncate(i + 1);
            return true;
        }
    }
    // Behind the range the goal has been reached: only rounding has missed it here.
    let reached = end < candidates.len();
    candidates.truncate(end);
    reached
}
