//! `smollm3`: Llama without positions in every fourth layer (Bakouch et al., 2025).

use super::super::config::{Config, Factors, Norm};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let mut config = Config::decoder(keys, Norm::Rms)?.with_llama_rope(keys)?;
    config.ropes[0].factors = Factors::None;
    for layer in config.layers.iter_mut().skip(3).step_by(4) {
        layer.rope = None;
    }
    Ok(config)
}
