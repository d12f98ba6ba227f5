//! XTC, "exclude top choices" (p-e-w 2024, text-generation-webui pull request 6335): now and
//! then all probable tokens go but the least probable of them, for less expected texts that
//! are still sound.

use super::{Candidate, softmax};

/// Removes all candidates of at least `threshold` but the least probable of these. Whether
/// to do it at all is the caller's draw.
pub(super) fn truncate(candidates: &mut Vec<Candidate>, threshold: f32) {
    let best = candidates.iter().map(|c| c.logit).fold(f32::NEG_INFINITY, f32::max);
    let weight = |c: &Candidate| f64::from(softmax::weight(c.logit, best, 1.0));
    let bar = f64::from(threshold) * candidates.iter().map(weight).sum::<f64>();
    let probable = candidates.iter().filter(|c| weight(c) >= bar);
    let Some(least) = probable.max_by(|a, b| Candidate::rank(a, b)).map(|c| c.token) else {
        return;
    };
    candidates.retain(|c| c.token == least || weight(c) < bar);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_the_probable_stays() {
        for (threshold, expected) in
            [(0.1, vec![2, 3]), (0.25, vec![1, 2, 3]), (0.6, vec![0, 1, 2, 3]), (0.0, vec![3])]
        {
            let logits = [0.5f32, 0.3, 0.15, 0.05].map(f32::ln);
            let candidate = |(i, &logit): (usize, &f32)| Candidate { token: i as u32, logit };
            let mut candidates: Vec<_> = logits.iter().enumerate().map(candidate).collect();
            truncate(&mut candidates, threshold);
            let ids: Vec<u32> = candidates.iter().map(|c| c.token).collect();
            assert_eq!(ids, expected, "{threshold}");
        }
    }
}
