//! Mirostat (Basu et al. 2021, arXiv:2007.14966): keeps the surprise of the text at `tau`
//! bits, by choosing from so many of the best tokens as have given that of late.

use super::{Candidate, softmax};

/// Which algorithm, and its constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mirostat {
    /// 1 estimates by Zipf's law how many tokens to choose from; 2 takes those that are not
    /// too surprising. 0 is off.
    pub version: u8,
    /// Surprise to keep, in bits. Finite and above 0.
    pub tau: f32,
    /// How much of the error is corrected with each token. From 0 to 1.
    pub eta: f32,
}

impl Default for Mirostat {
    /// Off, otherwise as llama.cpp has it.
    fn default() -> Mirostat {
        Mirostat { version: 0, tau: 5.0, eta: 0.1 }
    }
}

/// Best tokens by which Zipf's exponent is estimated.
const ESTIMATED: usize = 100;

/// Leaves those of `candidates` to choose from at a limit of `mu` bits, the best first and at
/// least one; returns log2 of all weights, for [`surprise`].
pub(super) fn truncate(
    candidates: &mut Vec<Candidate>,
    version: u8,
    mu: f32,
    temperature: f32,
) -> f64 {
    candidates.sort_unstable_by(Candidate::rank);
    let Some(best) = candidates.first().map(|c| c.logit) else { return 0.0 };
    let total: f64 =
        candidates.iter().map(|c| f64::from(softmax::weight(c.logit, best, temperature))).sum();
    let keep = match version {
        1 => zipf(candidates, mu, temperature),
        _ => {
            let bits = |c: &Candidate| surprise(c.logit, best, temperature, total.log2());
            candidates.partition_point(|c| bits(c) <= f64::from(mu))
        }
    };
    candidates.truncate(keep.max(1));
    total.log2()
}

/// -log2 of a candidate's probability.
pub(super) fn surprise(logit: f32, best: f32, temperature: f32, log2_total: f64) -> f64 {
    let nats = (f64::from(logit) - f64::from(best)) / f64::from(temperature);
    log2_total - nats * std::f64::consts::LOG2_E
}

/// How many of the sorted candidates have a mean surprise of `mu` bits, if probabilities fall
/// as rank^-s: the paper's equations 11 and 30.
fn zipf(candidates: &[Candidate], mu: f32, temperature: f32) -> usize {
    let (mut products, mut squares) = (0.0, 0.0);
    for (i, pair) in candidates.windows(2).take(ESTIMATED - 1).enumerate() {
        let t = ((i + 2) as f64 / (i + 1) as f64).ln();
        let fall = (f64::from(pair[0].logit) - f64::from(pair[1].logit)) / f64::from(temperature);
        products += t * fall;
        squares += t * t;
    }
    let n = candidates.len();
    let s = products / squares;
    if s.is_nan() || s <= 0.0 {
        return n; // there is one, or all are alike
    }
    let excess = s - 1.0;
    let k = (excess * f64::from(mu).exp2() / (1.0 - (n as f64).powf(-excess))).powf(1.0 / s);
    if k.is_nan() { n } else { (k.round() as usize).min(n) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(probabilities: impl IntoIterator<Item = f64>) -> Vec<Candidate> {
        let candidate = |(i, p): (usize, f64)| Candidate { token: i as u32, logit: p.ln() as f32 };
        probabilities.into_iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn version_2_leaves_out_what_is_more_surprising_than_mu() {
        for (mu, kept) in [(0.5, 1), (1.5, 1), (2.5, 2), (3.5, 4), (9.0, 4)] {
            let mut all = candidates([0.125, 0.5, 0.25, 0.125]);
            let total = truncate(&mut all, 2, mu, 1.0);
            assert_eq!(all.len(), kept, "{mu}");
            assert_eq!(all[0].token, 1);
            let bits = surprise(0.125f32.ln(), all[0].logit, 1.0, total);
            assert!((bits - 3.0).abs() < 1e-5, "{bits}");
        }
    }

    #[test]
    fn version_1_takes_more_the_more_surprise_is_wanted() {
        let zipfian = || candidates((1..=1000).map(|rank| f64::from(rank).powf(-1.2)));
        let kept = |mu| {
            let mut all = zipfian();
            truncate(&mut all, 1, mu, 1.0);
            all.len()
        };
        assert!(kept(1.0) < kept(3.0) && kept(3.0) < kept(6.0) && kept(6.0) <= kept(20.0));
        assert_eq!(kept(20.0), 1000);
        let mut one = candidates([1.0]);
        truncate(&mut one, 1, 5.0, 1.0);
        assert_eq!(one.len(), 1);
    }
}
