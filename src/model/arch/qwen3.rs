//! `qwen3` and `qwen3moe`: Llama with a norm of each head of queries and keys (Yang et al.,
//! 2025), and a choice of experts in `qwen3moe`.

use super::super::config::{Config, Norm, QkNorm};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    Ok(Config { qk_norm: QkNorm::Heads, ..Config::decoder(keys, Norm::Rms)? })
}

pub(super) fn with_experts(keys: &Keys) -> Result<Config> {
    let mut config = config(keys)?;
    let experts = keys.experts()?.ok_or_else(|| keys.bad("expert_count"))?;
    config.n_ff =
        match keys.opt_uniform("expert_feed_forward_length", config.layers.len(), 1 << 20)? {
            Some(n_ff) => n_ff,
            None => config.n_ff / experts.n_used,
        };
    config.experts = Some(experts);
    Ok(config)
}
