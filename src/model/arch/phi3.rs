//! `phi3`: Phi 3, 3.5 and 4-mini. Llama with fused products, and LongRoPE factors where the
//! context is long (Abdin et al., 2024; Ding et al., 2024).

use super::super::config::{Config, Factors, Norm, RopeConfig, TensorNames};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let mut config = Config::decoder(keys, Norm::Rms)?;
    config.ropes = vec![RopeConfig { factors: Factors::LongShort, ..config.ropes[0].clone() }];
    config.tensors = TensorNames { fused_gate: true, ..config.tensors };
    Ok(config)
}
