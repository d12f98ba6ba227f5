//! Maxima, weights and probabilities over a whole vocabulary.
//!
//! With 50,000 to 260,000 logits a token these passes count, so they are
//! written in lanes that the compiler turns into SIMD on every target.

use super::{Candidate, top_k};

const LANES: usize = 8;
/// Weights that are summed in 32 bits before the sum goes on in 64.
const CHUNK: usize = 256;

/// The largest logit; NaN counts as minus infinity.
pub(super) fn largest(logits: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (rows, tail) = logits.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for row in rows {
        for (lane, &logit) in lanes.iter_mut().zip(row) {
            *lane = larger(*lane, logit);
        }
    }
    lanes.into_iter().chain(tail.iter().copied()).fold(f32::NEG_INFINITY, larger)
}

/// The lowest id among the largest logits; 0 if none is above minus infinity.
pub(super) fn argmax(logits: &[f32]) -> u32 {
    let largest = largest(logits);
    if largest == f32::NEG_INFINITY {
        return 0;
    }
    logits.iter().position(|&logit| logit == largest).unwrap_or(0) as u32
}

/// e^((logit − largest) / temperature), from 0 to 1; 0 for NaN.
pub(super) fn weight(logit: f32, largest: f32, temperature: f32) -> f32 {
    exp_nonpositive((finite(logit) - finite(largest)) / temperature)
}

/// Puts the largest number in place of infinity, whose differences are NaN.
fn finite(logit: f32) -> f32 {
    if logit > f32::MAX { f32::MAX } else { logit }
}

/// e^x for x ≤ 0, to within 3e-7 of it; 0 below −87 and for NaN.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, the Taylor polynomial of e^r to the
/// seventh power, and 2^n by its exponent bits.
fn exp_nonpositive(x: f32) -> f32 {
    // Adding this rounds to an integer, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23
    // ln 2 in two parts: the products of the first with n are exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut e = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        e = e * r + coefficient;
    }
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    if x > -87.0 { e * power } else { 0.0 }
}

/// Sum of at most [`CHUNK`] weights.
fn sum_chunk(weights: &[f32]) -> f64 {
    let (rows, tail) = weights.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for row in rows {
        for (lane, weight) in lanes.iter_mut().zip(row) {
            *lane += weight;
        }
    }
    f64::from(lanes.iter().chain(tail).sum::<f32>())
}

/// Turns logits into [`weight`]s in place; returns their sum.
pub(super) fn weigh(values: &mut [f32], temperature: f32) -> f64 {
    let largest = largest(values);
    let mut total = 0.0;
    for chunk in values.chunks_mut(CHUNK) {
        for value in chunk.iter_mut() {
            *value = weight(*value, largest, temperature);
        }
        total += sum_chunk(chunk);
    }
    total
}

/// The place where the running sum of `weights` passes `target`.
pub(super) fn find_weight(weights: &[f32], mut target: f64) -> Option<u32> {
    for (i, chunk) in weights.chunks(CHUNK).enumerate() {
        let sum = sum_chunk(chunk);
        if target >= sum {
            target -= sum;
            continue;
        }
        let mut last = None;
        for (j, &weight) in chunk.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            last = Some((i * CHUNK + j) as u32);
            if target < f64::from(weight) {
                return last;
            }
            target -= f64::from(weight);
        }
        // The 32-bit sum was a little larger than the parts.
        return last;
    }
    None
}

/// Sum of the [`weight`]s at temperature 1.
pub(super) fn total_weight(logits: &[f32]) -> f64 {
    let largest = largest(logits);
    let mut weights = [0.0; CHUNK];
    let mut total = 0.0;
    for chunk in logits.chunks(CHUNK) {
        let weights = &mut weights[..chunk.len()];
        for (out, &logit) in weights.iter_mut().zip(chunk) {
            *out = weight(logit, largest, 1.0);
        }
        total += sum_chunk(weights);
    }
    total
}

/// Natural logarithm of the probability of token `id` under softmax(`logits`);
/// minus infinity for a NaN or an id outside.
pub fn log_softmax_at(logits: &[f32], id: u32) -> f32 {
    match logits.get(id as usize) {
        Some(&logit) => Normaliser::new(logits).logprob(logit),
        None => f32::NEG_INFINITY,
    }
}

/// The `k` most probable tokens under softmax(`logits`) with the natural
/// logarithms of their probabilities, the most probable first, the lower id
/// first among equals. Fewer where fewer have a logit above minus infinity.
pub fn top_logprobs(logits: &[f32], k: usize) -> Vec<(u32, f32)> {
    let mut best: Vec<Candidate> = Vec::with_capacity(logits.len().min(k.saturating_mul(2)));
    top_k::collect(logits, k, &mut best);
    best.sort_unstable_by(Candidate::rank);
    let normaliser = Normaliser::new(logits);
    best.iter().map(|c| (c.token, normaliser.logprob(c.logit))).collect()
}

/// log softmax(x) = (x − largest) − ln Σ e^(x − largest).
struct Normaliser {
    largest: f32,
    ln_total: f64,
}

impl Normaliser {
    fn new(logits: &[f32]) -> Normaliser {
        Normaliser { largest: largest(logits), ln_total: total_weight(logits).ln() }
    }

    fn logprob(&self, logit: f32) -> f32 {
        if logit.is_nan() || logit == f32::NEG_INFINITY {
            return f32::NEG_INFINITY;
        }
        (f64::from(finite(logit)) - f64::from(finite(self.largest)) - self.ln_total) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_over_its_range() {
        let mut worst = 0.0f64;
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            if x > -87.0 {
                let exact = f64::from(x).exp();
                worst = worst.max((f64::from(exp_nonpositive(x)) / exact - 1.0).abs());
            }
        }
        assert!(worst < 3e-7, "{worst:e}");
        assert_eq!(exp_nonpositive(0.0), 1.0);
        for x in [-87.5, -1e30, f32::NEG_INFINITY, f32::NAN] {
            assert_eq!(exp_nonpositive(x), 0.0, "{x}");
        }
    }

    #[test]
    fn maxima_at_every_place() {
        for len in 1..40 {
            for place in 0..len {
                let mut logits = vec![-1.0; len];
                logits[place] = 2.0;
                logits[len - 1] = 2.0; // a tie: the lower id wins
                logits[len / 3] = if len / 3 == place { 2.0 } else { f32::NAN };
                assert_eq!((largest(&logits), argmax(&logits)), (2.0, place as u32));
            }
        }
        assert_eq!(argmax(&[f32::NAN, f32::NEG_INFINITY]), 0);
        assert_eq!(argmax(&[f32::NAN; 9]), 0);
    }

    #[test]
    fn weights_are_found_at_their_share() {
        let weights: Vec<f32> = (0..1000).map(|i| if i % 3 == 0 { 0.0 } else { 0.25 }).collect();
        let mut sum = 0.0;
        for (i, &weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            assert_eq!(find_weight(&weights, sum), Some(i as u32));
            sum += f64::from(weight);
            assert_eq!(find_weight(&weights, sum - 1e-9), Some(i as u32));
        }
        assert_eq!(find_weight(&weights, sum), None);
    }
}
