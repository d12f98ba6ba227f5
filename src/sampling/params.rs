//! What a request may set.

use super::{Dry, Mirostat};
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
    /// Keeps the tokens whose surprise is nearest to the expected one, until they are
    /// `typical_p` probable together. From 0 to 1; 1 keeps all.
    pub typical_p: f32,
    /// Now and then removes the most probable tokens.
    pub xtc: Xtc,
    /// In place of all that removes tokens: keeps the text's surprise constant.
    pub mirostat: Mirostat,
    /// Added to the logits of tokens; -100 forbids one. From -100 to 100.
    pub logit_bias: Vec<(u32, f32)>,
    /// Makes recent tokens less likely: divides their logits where positive and
    /// multiplies them elsewhere. Finite and above 0; 1 changes nothing.
    pub repetition_penalty: f32,
    /// How many tokens at the history's end are recent.
    pub repeat_last_n: usize,
    /// Taken from a token's logit for each time that the answer has it. From -2 to 2.
    pub frequency_penalty: f32,
    /// Taken from the logit of each token that the answer has. From -2 to 2.
    pub presence_penalty: f32,
    /// Makes it unlikely that the text goes on as a part of it did before.
    pub dry: Dry,
    /// Start of the random numbers: the same seed gives the same draws. There
    /// is no random source here: a caller who wants variety brings the seed.
    pub seed: u64,
}

/// When the most probable tokens go, and which they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Xtc {
    /// How often. From 0 to 1; 0 is never.
    pub probability: f32,
    /// From which probability on a token is one of them. From 0 to 1.
    pub threshold: f32,
}

impl Default for SamplingParams {
    fn default() -> SamplingParams {
        SamplingParams {
            temperature: 0.8,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            typical_p: 1.0,
            xtc: Xtc { probability: 0.0, threshold: 0.1 },
            mirostat: Mirostat::default(),
            logit_bias: Vec::new(),
            repetition_penalty: 1.0,
            repeat_last_n: 64,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            dry: Dry::default(),
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
        let finite = |value: f32, least: f32| value.is_finite() && value >= least;
        let Self { temperature, top_p, min_p, repetition_penalty, .. } = *self;
        let sane = temperature.is_finite() && temperature >= 0.0;
        check(sane, "temperature", temperature, "a number from 0 up")?;
        check(fraction(top_p), "top_p", top_p, "from 0 to 1")?;
        check(fraction(min_p), "min_p", min_p, "from 0 to 1")?;
        let sane = repetition_penalty.is_finite() && repetition_penalty > 0.0;
        check(sane, "repetition_penalty", repetition_penalty, "a number above 0")?;
        check(fraction(self.typical_p), "typical_p", self.typical_p, "from 0 to 1")?;
        let Self { xtc, mirostat, dry, .. } = self;
        check(fraction(xtc.probability), "xtc_probability", xtc.probability, "from 0 to 1")?;
        check(fraction(xtc.threshold), "xtc_threshold", xtc.threshold, "from 0 to 1")?;
        let version = f32::from(mirostat.version);
        check(mirostat.version <= 2, "mirostat", version, "0, 1 or 2")?;
        let sane = finite(mirostat.tau, 0.0) && mirostat.tau > 0.0;
        check(sane, "mirostat_tau", mirostat.tau, "a number above 0")?;
        check(fraction(mirostat.eta), "mirostat_eta", mirostat.eta, "from 0 to 1")?;
        let small = |value: f32| (-2.0..=2.0).contains(&value);
        let Self { frequency_penalty, presence_penalty, .. } = *self;
        check(small(frequency_penalty), "frequency_penalty", frequency_penalty, "from -2 to 2")?;
        check(small(presence_penalty), "presence_penalty", presence_penalty, "from -2 to 2")?;
        let sane = finite(dry.multiplier, 0.0);
        check(sane, "dry_multiplier", dry.multiplier, "a number from 0 up")?;
        check(finite(dry.base, 1.0), "dry_base", dry.base, "a number from 1 up")?;
        let sane = |bias: &f32| (-100.0..=100.0).contains(bias);
        match self.logit_bias.iter().map(|(_, bias)| bias).find(|bias| !sane(bias)) {
            Some(bias) => check(false, "logit_bias", *bias, "from -100 to 100"),
            None => Ok(()),
        }
    }

    /// Whether tokens of the answer are counted.
    pub(super) fn counts(&self) -> bool {
        self.frequency_penalty != 0.0 || self.presence_penalty != 0.0
    }

    /// Whether bias or a penalty changes any logit.
    pub(super) fn changes_logits(&self) -> bool {
        let repetition = self.repetition_penalty != 1.0 && self.repeat_last_n > 0;
        repetition || self.counts() || self.dry.multiplier > 0.0 || !self.logit_bias.is_empty()
    }

    /// Whether any stage removes candidates.
    pub(super) fn truncates(&self) -> bool {
        let few = self.top_k > 0 || self.top_p < 1.0 || self.min_p > 0.0 || self.typical_p < 1.0;
        few || self.xtc.probability > 0.0 || self.mirostat.version > 0
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
            ("typical_p", SamplingParams { typical_p: 1.5, ..ok() }),
            (
                "xtc_probability",
                SamplingParams { xtc: Xtc { probability: 2.0, threshold: 0.1 }, ..ok() },
            ),
            (
                "xtc_threshold",
                SamplingParams { xtc: Xtc { probability: 1.0, threshold: f32::NAN }, ..ok() },
            ),
            (
                "mirostat is",
                SamplingParams { mirostat: Mirostat { version: 3, ..Mirostat::default() }, ..ok() },
            ),
            (
                "mirostat_tau",
                SamplingParams { mirostat: Mirostat { tau: 0.0, ..Mirostat::default() }, ..ok() },
            ),
            (
                "mirostat_eta",
                SamplingParams { mirostat: Mirostat { eta: -1.0, ..Mirostat::default() }, ..ok() },
            ),
            ("frequency_penalty", SamplingParams { frequency_penalty: 2.1, ..ok() }),
            ("presence_penalty", SamplingParams { presence_penalty: f32::NAN, ..ok() }),
            (
                "dry_multiplier",
                SamplingParams { dry: Dry { multiplier: -1.0, ..Dry::default() }, ..ok() },
            ),
            ("dry_base", SamplingParams { dry: Dry { base: 0.5, ..Dry::default() }, ..ok() }),
            ("logit_bias", SamplingParams { logit_bias: vec![(1, 0.0), (2, 101.0)], ..ok() }),
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
