//! `stablelm`: StableLM 2 and kin. Layer norm, part of each head rotated; the 12B model, which
//! has no norm before its feed-forward layer, runs it beside attention, and has norms of each
//! head of queries and keys (Bellagente et al., 2024).

use super::super::config::{Config, Norm, QkNorm, Residual, TensorNames};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let config = Config::decoder(keys, Norm::Layer)?;
    let has = |name: &str| keys.has_tensor(&format!("blk.0.{name}.weight"));
    Ok(Config {
        qk_norm: if has("attn_q_norm") { QkNorm::EachHead } else { QkNorm::None },
        residual: if has("ffn_norm") { Residual::Sequential } else { Residual::ParallelOneNorm },
        tensors: TensorNames { output: true, ..config.tensors },
        ..config
    })
}
