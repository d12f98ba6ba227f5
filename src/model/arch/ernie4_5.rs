//! `ernie4_5`: Llama, with biases where a file has them (Baidu, 2025).

use super::super::config::{Config, Factors, Norm};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let mut config = Config::decoder(keys, Norm::Rms)?.with_llama_rope(keys)?;
    config.ropes[0].factors = Factors::None;
    Ok(config)
}
