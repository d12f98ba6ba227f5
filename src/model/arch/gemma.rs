//! `gemma`: Llama with GELU and a scaled embedding (Gemma Team, 2024).

use super::super::config::{Activation, Config, Norm};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let config = Config::decoder(keys, Norm::Rms)?;
    Ok(Config {
        activation: Activation::Gelu,
        embedding_scale: (config.n_embd as f32).sqrt(),
        ..config
    })
}
