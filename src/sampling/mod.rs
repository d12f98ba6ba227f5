//! Logits → token.
//!
//! The stages and their order are llama.cpp's: penalties (repetition, frequency, presence,
//! DRY) and logit bias → top-k → typical → top-p → min-p → XTC → temperature → seeded
//! draw. The first change logits, the others but the last two only remove candidates;
//! temperature 0 takes the best one (greedy). Mirostat replaces all that remove.

mod bias;
mod dry;
mod frequency;
mod min_p;
mod mirostat;
mod params;
mod penalty;
mod softmax;
mod top_k;
mod top_p;
mod typical;
mod xtc;

pub use dry::Dry;
pub use mirostat::Mirostat;
pub use params::{SamplingParams, Xtc};
pub use softmax::{log_softmax_at, top_logprobs};

use std::cmp::Ordering;
use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::error::Result;
use dry::Repetitions;
use frequency::Frequencies;

/// A token that was sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The token's id.
    pub token: u32,
    /// Natural logarithm of its probability under the model's own distribution:
    /// before penalty, truncation and temperature.
    pub logprob: f32,
}

/// A token that is still in the choice.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    token: u32,
    logit: f32,
}

impl Candidate {
    /// The better candidate first; of equals, the one with the lower id.
    fn rank(a: &Candidate, b: &Candidate) -> Ordering {
        // NaN never becomes a candidate.
        let by_logit = b.logit.partial_cmp(&a.logit).unwrap_or(Ordering::Equal);
        by_logit.then(a.token.cmp(&b.token))
    }
}

/// Draws tokens from logits, reproducibly for a seed.
///
/// All buffers are made by [`Sampler::new`]: sampling allocates nothing.
#[derive(Debug)]
pub struct Sampler {
    params: SamplingParams,
    n_vocab: usize,
    rng: StdRng,
    frequencies: Option<Frequencies>,
    repetitions: Option<Repetitions>,
    /// Mirostat's limit of surprise, in bits.
    mu: f32,
    /// Where the answer begins in the history.
    answer: usize,
    /// Changed logits, or the weights to draw from. [n_vocab], empty where
    /// neither is needed.
    values: Vec<f32>,
    /// Capacity [n_vocab] where a stage truncates.
    candidates: Vec<Candidate>,
}

impl Sampler {
    /// A sampler for logits over `n_vocab` tokens.
    ///
    /// # Errors
    /// [`crate::Error::BadRequest`], which names the parameter, for values out
    /// of the ranges that [`SamplingParams`] gives.
    pub fn new(mut params: SamplingParams, n_vocab: usize) -> Result<Sampler> {
        params.validate()?;
        if params.top_k >= n_vocab {
            params.top_k = 0; // keeps all, too
        }
        let greedy = params.temperature == 0.0;
        let draws_from_all = !greedy && !params.truncates();
        let values = if params.changes_logits() || draws_from_all { n_vocab } else { 0 };
        let candidates = if greedy || draws_from_all { 0 } else { n_vocab };
        Ok(Sampler {
            rng: StdRng::seed_from_u64(params.seed),
            frequencies: params.counts().then(|| Frequencies::new(n_vocab)),
            repetitions: (params.dry.multiplier > 0.0).then(|| Repetitions::new(n_vocab)),
            mu: 2.0 * params.mirostat.tau,
            answer: 0,
            params,
            n_vocab,
            values: vec![0.0; values],
            candidates: Vec::with_capacity(candidates),
        })
    }

    /// Tells where in the history the answer begins, which frequency and presence penalties
    /// are about; without this it is all answer.
    #[must_use]
    pub fn after_prompt(mut self, prompt_len: usize) -> Sampler {
        self.answer = prompt_len;
        self
    }

    /// Tells that tokens have gone from the history, which was the one of the last call and
    /// the token chosen then. Those of the answer still count for its penalties.
    pub fn forget(&mut self, gone: &Range<usize>) {
        self.answer -= gone.len().min(self.answer.saturating_sub(gone.start));
        if let Some(frequencies) = &mut self.frequencies {
            frequencies.forget(gone);
        }
    }

    /// Chooses the next token after `history` (prompt and answer so far; the
    /// penalty looks at its end) from `logits` [n_vocab].
    ///
    /// A NaN counts as minus infinity. If no logit is above minus infinity, the
    /// token is 0 and its log-probability minus infinity.
    ///
    /// # Panics
    /// If `logits` has another length than `n_vocab`.
    pub fn sample(&mut self, logits: &[f32], history: &[u32]) -> Choice {
        let token = self.sample_token(logits, history);
        Choice { token, logprob: log_softmax_at(logits, token) }
    }

    /// [`Sampler::sample`] without the log-probability, which costs a pass over
    /// the logits.
    ///
    /// # Panics
    /// If `logits` has another length than `n_vocab`.
    pub fn sample_token(&mut self, logits: &[f32], history: &[u32]) -> u32 {
        assert_eq!(logits.len(), self.n_vocab, "one logit for each token of the vocabulary");
        if self.params.changes_logits() {
            self.change(logits, history);
        }
        if self.params.temperature == 0.0 {
            return softmax::argmax(self.changed(logits));
        }
        if self.params.mirostat.version > 0 {
            self.draw_by_surprise(logits)
        } else if self.params.truncates() {
            self.draw_from_best(logits)
        } else {
            self.draw_from_all(logits)
        }
    }

    /// Bias and penalties.
    fn change(&mut self, logits: &[f32], history: &[u32]) {
        let params = &self.params;
        let values = &mut self.values;
        values.copy_from_slice(logits);
        if params.repetition_penalty != 1.0 {
            let (last_n, penalty) = (params.repeat_last_n, params.repetition_penalty);
            penalty::apply(values, logits, history, last_n, penalty);
        }
        if let Some(frequencies) = &mut self.frequencies {
            let (frequency, presence) = (params.frequency_penalty, params.presence_penalty);
            frequencies.apply(values, history, self.answer, frequency, presence);
        }
        if let Some(repetitions) = &mut self.repetitions {
            repetitions.apply(values, history, &params.dry);
        }
        bias::apply(values, &params.logit_bias);
    }

    fn changed<'a>(&'a self, logits: &'a [f32]) -> &'a [f32] {
        if self.params.changes_logits() { &self.values } else { logits }
    }

    fn draw_from_all(&mut self, logits: &[f32]) -> u32 {
        if !self.params.changes_logits() {
            self.values.copy_from_slice(logits);
        }
        let best = softmax::argmax(&self.values);
        let total = softmax::weigh(&mut self.values, self.params.temperature);
        let target = self.rng.random::<f64>() * total;
        softmax::find_weight(&self.values, target).unwrap_or(best)
    }

    fn draw_from_best(&mut self, logits: &[f32]) -> u32 {
        let SamplingParams { top_k, typical_p, top_p, min_p, xtc, temperature, .. } = self.params;
        let values = if self.params.changes_logits() { &self.values } else { logits };
        let candidates = &mut self.candidates;
        let typical = typical_p < 1.0;
        if top_k > 0 {
            top_k::collect(values, top_k, candidates);
        } else if top_p < 1.0 && !typical {
            top_p::collect(values, top_p, candidates);
        } else {
            // With min_p 0: all that may come at all.
            min_p::collect(values, if typical || top_p < 1.0 { 0.0 } else { min_p }, candidates);
        }
        if typical {
            typical::truncate(candidates, typical_p);
        }
        if top_p < 1.0 && (top_k > 0 || typical) {
            top_p::truncate(candidates, top_p);
        }
        if min_p > 0.0 {
            min_p::truncate(candidates, min_p);
        }
        // The draw is made whether it decides anything or not: the later ones stay the same.
        if xtc.probability > 0.0 && self.rng.random::<f32>() < xtc.probability {
            xtc::truncate(candidates, xtc.threshold);
        }
        draw(candidates, temperature, &mut self.rng)
    }

    fn draw_by_surprise(&mut self, logits: &[f32]) -> u32 {
        let SamplingParams { mirostat, temperature, .. } = self.params;
        let values = if self.params.changes_logits() { &self.values } else { logits };
        let candidates = &mut self.candidates;
        min_p::collect(values, 0.0, candidates);
        let total = mirostat::truncate(candidates, mirostat.version, self.mu, temperature);
        let token = draw(candidates, temperature, &mut self.rng);
        let logit = |token: u32| candidates.iter().find(|c| c.token == token).map(|c| c.logit);
        if let (Some(logit), Some(best)) = (logit(token), candidates.first()) {
            let bits = mirostat::surprise(logit, best.logit, temperature, total);
            // Infinite logits tell nothing of surprise.
            let error = if bits.is_finite() { bits as f32 - mirostat.tau } else { 0.0 };
            self.mu -= mirostat.eta * error;
        }
        token
    }
}

/// Draws one of the candidates, with probabilities proportional to
/// e^(logit / temperature); 0 if there are none.
fn draw(candidates: &[Candidate], temperature: f32, rng: &mut StdRng) -> u32 {
    let Some(best) = candidates.iter().min_by(|a, b| Candidate::rank(a, b)) else {
        return 0;
    };
    let weight = |c: &Candidate| f64::from(softmax::weight(c.logit, best.logit, temperature));
    let total: f64 = candidates.iter().map(weight).sum();
    let mut target = rng.random::<f64>() * total;
    for candidate in candidates {
        let weight = weight(candidate);
        if target < weight {
            return candidate.token;
        }
        target -= weight;
    }
    // Rounding has carried the target past the end.
    best.token
}

#[cfg(test)]
mod tests;
