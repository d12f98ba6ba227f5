//! `mistral3`: Ministral 3 and later models of Mistral. Llama, its context stretched by YaRN, with
//! queries that grow beyond the original context (Mistral AI, 2025).

use super::super::config::{Config, Temperature};
use super::super::keys::Keys;
use super::llama;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let config = llama::config(keys)?;
    let scale = keys.opt_f32("attention.temperature_scale")?.filter(|scale| *scale != 0.0);
    let period = config.ropes[0].original_context;
    Ok(Config { temperature: scale.map(|scale| Temperature { scale, period }), ..config })
}
