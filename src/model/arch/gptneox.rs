//! `gptneox`: GPT-NeoX and Pythia. Layer norm, part of each head rotated, biases everywhere,
//! and the feed-forward layer beside attention, if the file says so (Black et al., 2022).

use super::super::config::{Activation, Config, Norm, Residual, TensorNames};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let config = Config::decoder(keys, Norm::Layer)?;
    Ok(Config {
        residual: match keys.bool("use_parallel_residual")? {
            true => Residual::Parallel,
            false => Residual::Sequential,
        },
        activation: Activation::Gelu,
        gated: false,
        tensors: TensorNames { biases: true, output: true, ..config.tensors },
        ..config
    })
}
