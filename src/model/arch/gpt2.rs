//! `gpt2`: layer norm, learnt positions, biases everywhere (Radford et al., 2019).

use super::super::config::{Activation, Config, Norm, TensorNames};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let mut config = Config::decoder(keys, Norm::Layer)?;
    config.layers.iter_mut().for_each(|layer| layer.rope = None);
    Ok(Config {
        activation: Activation::Gelu,
        gated: false,
        ropes: Vec::new(),
        tensors: TensorNames { biases: true, positions: true, ..config.tensors },
        ..config
    })
}
