//! How a request wants tokens to be chosen: OpenAI's fields, and llama.cpp's names for the
//! rest.

use super::fields::{Fields, bad, must_be};
use crate::Result;
use crate::sampling::{Dry, Mirostat, SamplingParams, Xtc};
use serde_json::Value;

/// Reads the fields; what is not given is the sampler's default, and `seed` the seed.
pub(super) fn params(fields: &mut Fields, seed: u64) -> Result<SamplingParams> {
    let default = SamplingParams::default();
    let Dry { base, allowed_length, last_n, breakers, multiplier } = default.dry;
    let Xtc { probability, threshold } = default.xtc;
    let Mirostat { version, tau, eta } = default.mirostat;
    Ok(SamplingParams {
        temperature: fields.number("temperature")?.unwrap_or(default.temperature),
        top_k: fields.count("top_k")?.unwrap_or(default.top_k),
        top_p: fields.number("top_p")?.unwrap_or(default.top_p),
        min_p: fields.number("min_p")?.unwrap_or(default.min_p),
        typical_p: fields.number("typical_p")?.unwrap_or(default.typical_p),
        xtc: Xtc {
            probability: fields.number("xtc_probability")?.unwrap_or(probability),
            threshold: fields.number("xtc_threshold")?.unwrap_or(threshold),
        },
        mirostat: Mirostat {
            version: mirostat_version(fields)?.unwrap_or(version),
            tau: fields.number("mirostat_tau")?.unwrap_or(tau),
            eta: fields.number("mirostat_eta")?.unwrap_or(eta),
        },
        logit_bias: logit_bias(fields)?,
        repetition_penalty: fields
            .number("repetition_penalty")?
            .unwrap_or(default.repetition_penalty),
        repeat_last_n: fields.count("repeat_last_n")?.unwrap_or(default.repeat_last_n),
        frequency_penalty: fields.number("frequency_penalty")?.unwrap_or(0.0),
        presence_penalty: fields.number("presence_penalty")?.unwrap_or(0.0),
        dry: Dry {
            multiplier: fields.number("dry_multiplier")?.unwrap_or(multiplier),
            base: fields.number("dry_base")?.unwrap_or(base),
            allowed_length: fields.count("dry_allowed_length")?.unwrap_or(allowed_length),
            last_n: fields.count("dry_penalty_last_n")?.unwrap_or(last_n),
            breakers, // known to who knows the tokens
        },
        // Only a name for the sequence of random numbers: the sign does not matter.
        seed: fields.integer("seed")?.map_or(seed, |seed| seed as u64),
    })
}

fn mirostat_version(fields: &mut Fields) -> Result<Option<u8>> {
    let version = fields.count("mirostat")?;
    let checked = version.map(|version| match version {
        0..=2 => Ok(version as u8),
        _ => Err(bad(format!("`mirostat` must be 0, 1 or 2, but is {version}"))),
    });
    checked.transpose()
}

/// Token ids are the names of the object's fields, as JSON has no other names.
fn logit_bias(fields: &mut Fields) -> Result<Vec<(u32, f32)>> {
    let entry = |(id, bias): (String, Value)| match (id.parse(), bias.as_f64()) {
        (Ok(id), Some(bias)) => Ok((id, bias as f32)),
        (Ok(_), None) => Err(must_be("logit_bias", "numbers by token id", &bias)),
        (Err(_), _) => Err(bad(format!("`logit_bias` has \"{id}\", which is not a token id"))),
    };
    fields.object("logit_bias")?.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_field_arrives() {
        let request = json!({
            "temperature": 0.5, "top_k": 3, "top_p": 0.4, "min_p": 0.1, "typical_p": 0.6,
            "xtc_probability": 0.7, "xtc_threshold": 0.2, "mirostat": 2, "mirostat_tau": 4,
            "mirostat_eta": 0.3, "logit_bias": { "7": -100, "8": 1.5 }, "repetition_penalty": 1.2,
            "repeat_last_n": 9, "frequency_penalty": 0.25, "presence_penalty": -0.5,
            "dry_multiplier": 0.8, "dry_base": 2, "dry_allowed_length": 4,
            "dry_penalty_last_n": 100, "seed": 3,
        });
        let mut fields = Fields::new("request", request).unwrap();
        let expected = SamplingParams {
            temperature: 0.5,
            top_k: 3,
            top_p: 0.4,
            min_p: 0.1,
            typical_p: 0.6,
            xtc: Xtc { probability: 0.7, threshold: 0.2 },
            mirostat: Mirostat { version: 2, tau: 4.0, eta: 0.3 },
            logit_bias: vec![(7, -100.0), (8, 1.5)],
            repetition_penalty: 1.2,
            repeat_last_n: 9,
            frequency_penalty: 0.25,
            presence_penalty: -0.5,
            dry: Dry {
                multiplier: 0.8,
                base: 2.0,
                allowed_length: 4,
                last_n: 100,
                breakers: Vec::new(),
            },
            seed: 3,
        };
        assert_eq!(params(&mut fields, 1), Ok(expected));
        assert_eq!(fields.finish(), Ok(()));
        let mut nothing = Fields::new("request", json!({})).unwrap();
        let default = SamplingParams { seed: 1, ..SamplingParams::default() };
        assert_eq!(params(&mut nothing, 1), Ok(default));
    }
}
