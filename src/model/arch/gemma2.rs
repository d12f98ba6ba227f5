//! `gemma2`: norms on both sides of attention and feed-forward layer, GELU, capped scores and
//! logits, and a sliding window in every other layer (Gemma Team, 2024).

use super::super::config::{Activation, Config, Norm, NormPlace};
use super::super::keys::Keys;
use crate::Result;
use crate::ops::Scores;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let config = Config::decoder(keys, Norm::Rms)?;
    let windows = keys.windows(config.layers.len(), Some(4096), 2)?;
    let mut local = config.ropes[0].shape.clone();
    if let Some(base) = keys.opt_f32("rope.freq_base_swa")? {
        local.base = base;
    }
    let cap = keys.opt_f32("attn_logit_softcapping")?.unwrap_or(50.0);
    let config = Config {
        norm_place: NormPlace::Both,
        activation: Activation::Gelu,
        embedding_scale: (config.n_embd as f32).sqrt(),
        scores: Scores { scale: score_scale(&config, 46), cap: Some(cap) },
        logit_cap: Some(keys.opt_f32("final_logit_softcapping")?.unwrap_or(30.0)),
        ..config
    };
    Ok(config.with_windows(windows).with_local_rope(local))
}

/// 1 / √head_dim; the 27B models, which are known by their number of layers, take the width
/// that a head would have of the stream.
pub(super) fn score_scale(config: &Config, n_layers_of_27b: usize) -> f32 {
    let width = match config.layers.len() == n_layers_of_27b {
        true => config.n_embd / config.n_heads,
        false => config.head_dim,
    };
    1.0 / (width as f32).sqrt()
}
