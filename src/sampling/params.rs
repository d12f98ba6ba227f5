//! What a request may set.

use crate::error::{Error, Result};

/// How to choose among the tokens. `Default` is llama.cpp's, with seed 0.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// Divides the logits before the draw: below 1 bolder, above 1 flatter.
    /// 0 always takes the best token. Finite and not negative.
    pub temperature: f32,
    /// Keeps the `top_k` best tokens; 0 keeps all.
    pub top_k: usize,
    /// Keeps the fewest best tokens whose probabilities reach `top_p` together,
    /// at least one. From 0 to 1; 1 keeps all.
    pub top_p: f32,
    /// Keeps the tokens with at least `min_p` times the best one's probability.
    /// From 0 to 1; 0 keeps all.
    pub min_p: f32,
    /// Makes recent tokens less likely: divides their logits where positive and
    /// multiplies them elsewhere. Finite and above 0; 1 changes nothing.
    pub repetition_penalty: f32,
    /// How many tokens at the history's end are recent.
    pub repeat_last_n: usize,
    /// Start of the random numbers: the same seed gives the same draws. There
    /// is no random source here: a caller who wants variety brings the seed.
    pub seed: u64,
}

impl Default for SamplingParams {
    fn default() -> SamplingParams {
        SamplingParams {
            temperature: 0.8,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            repetition_penalty: 1.0,
            repeat_last_n: 64,
            seed: 0,
        }
    }
}

impl SamplingParams {
    /// Always the best token, without a penalty.
    pub fn greedy() -> SamplingParams {
        SamplingParams { temperature: 0.0, ..SamplingParams::default() }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let check = |valid: bool, name: &str, value: f32, range: &str| {
            if valid {
                return Ok(());
            }
            Err(Error::BadRequest { what: format!("{name} is {value}, but must be {range}") })
        };
        let fraction = |value: f32| (0.0..=1.0).contains(&value);
        let Self { temperature, top_p, min_p, repetition_penalty, .. } = *self;
        let sane = temperature.is_finite() && temperature >= 0.0;
        check(sane, "temperature", temperature, "a number from 0 up")?;
        check(fraction(top_p), "top_p", top_p, "from 0 to 1")?;
        check(fraction(min_p), "min_p", min_p, "from 0 to 1")?;
        let sane = repetition_penalty.is_finite() && repetition_penalty > 0.0;
        check(sane, "repetition_penalty", repetition_penalty, "a number above 0")
    }

    /// Whether the penalty changes anything.
    pub(super) fn penalises(&self) -> bool {
        self.repetition_penalty != 1.0 && self.repeat_last_n > 0
    }

    /// Whether any stage removes candidates.
    pub(super) fn truncates(&self) -> bool {
        self.top_k > 0 || self.top_p < 1.0 || self.min_p > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_values_are_named() {
        let ok = SamplingParams::default;
        for (name, params) in [
            ("temperature", SamplingParams { temperature: -0.1, ..ok() }),
            ("temperature", SamplingParams { temperature: f32::NAN, ..ok() }),
            ("temperature", SamplingParams { temperature: f32::INFINITY, ..ok() }),
            ("top_p", SamplingParams { top_p: 1.1, ..ok() }),
            ("top_p", SamplingParams { top_p: f32::NAN, ..ok() }),
            ("min_p", SamplingParams { min_p: -0.5, ..ok() }),
            ("min_p", SamplingParams { min_p: 2.0, ..ok() }),
            ("repetition_penalty", SamplingParams { repetition_penalty: 0.0, ..ok() }),
            ("repetition_penalty", SamplingParams { repetition_penalty: f32::INFINITY, ..ok() }),
        ] {
            match params.validate() {
                Err(Error::BadRequest { what }) => assert!(what.starts_with(name), "{what}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        for params in [
            ok(),
            SamplingParams::greedy(),
            SamplingParams { top_p: 0.0, min_p: 1.0, top_k: usize::MAX, ..ok() },
            SamplingParams { repetition_penalty: 0.5, repeat_last_n: usize::MAX, ..ok() },
        ] {
            assert_eq!(params.validate(), Ok(()));
        }
    }
}
