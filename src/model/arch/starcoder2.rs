//! `starcoder2`: Llama with layer norm, GELU without a gate, and biases everywhere (Lozhkov et
//! al., 2024).

use super::super::config::{Activation, Config, Norm, TensorNames};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let config = Config::decoder(keys, Norm::Layer)?;
    Ok(Config {
        activation: Activation::Gelu,
        gated: false,
        tensors: TensorNames { biases: true, ..config.tensors },
        ..config
    })
}
