//! `llama`: Llama, TinyLlama, SmolLM2, Mistral, Mixtral and kin. RMS norm, rotary positions,
//! grouped-query attention, SwiGLU (Touvron et al., 2023); Mistral adds a sliding window
//! (Jiang et al., 2023), Mixtral a choice of experts (Jiang et al., 2024).

use super::super::config::{Config, Norm};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let mut config = Config::decoder(keys, Norm::Rms)?.with_llama_rope(keys)?;
    config.experts = keys.experts()?;
    let windows = keys.windows(config.layers.len(), None, 0)?;
    Ok(config.with_windows(windows))
}
