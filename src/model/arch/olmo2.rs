//! `olmo2`: OLMo 2 and 3. Norms only after attention and feed-forward layer, and of all heads
//! of queries and keys together (OLMo Team, 2024); OLMo 3 has windows in three of four layers,
//! which are not stretched.

use super::super::config::{Config, Norm, NormPlace, QkNorm, TensorNames};
use super::super::keys::Keys;
use crate::Result;
use crate::ops::RopeShape;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let config = Config::decoder(keys, Norm::Rms)?;
    let windows = keys.windows(config.layers.len(), None, 4)?;
    let shape = config.ropes[0].shape.clone();
    let local = RopeShape { scale: 1.0, yarn: None, magnitude: 1.0, ..shape };
    let config = Config {
        norm_place: NormPlace::After,
        qk_norm: QkNorm::Whole,
        tensors: TensorNames { output: true, ..config.tensors },
        ..config
    };
    Ok(config.with_windows(windows).with_local_rope(local))
}
