//! `granite`: Granite 3 and 4, the dense ones. Llama whose embedding, residuals, scores and
//! logits are scaled (Granite Team, 2024). `granitemoe`: with a choice of experts.

use super::super::config::{Config, Norm};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let mut config = Config::decoder(keys, Norm::Rms)?.with_llama_rope(keys)?;
    // A scale of 0 stands for none.
    let scale = |key: &str| Ok(keys.opt_f32(key)?.filter(|scale| *scale != 0.0));
    config.embedding_scale = scale("embedding_scale")?.unwrap_or(1.0);
    config.residual_scale = scale("residual_scale")?.unwrap_or(1.0);
    config.scores.scale = scale("attention.scale")?.unwrap_or(config.scores.scale);
    config.logit_scale = 1.0 / scale("logit_scale")?.ok_or_else(|| keys.bad("logit_scale"))?;
    if keys.opt_bool("rope.scaling.finetuned")? == Some(false) {
        config.layers.iter_mut().for_each(|layer| layer.rope = None);
    }
    Ok(config)
}

pub(super) fn with_experts(keys: &Keys) -> Result<Config> {
    Ok(Config { experts: keys.experts()?, ..config(keys)? })
}
