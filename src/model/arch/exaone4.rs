//! `exaone4`: norms only after attention and feed-forward layer, and of each head of queries
//! and keys. The 32B model, which is known by its 64 layers, has windows in three of four, and
//! positions in these alone (LG AI Research, 2025).

use super::super::config::{Config, Norm, NormPlace, QkNorm};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let config = Config::decoder(keys, Norm::Rms)?;
    let n_layers = config.layers.len();
    let rope = keys.rope(config.head_dim, config.n_ctx_train)?;
    let mut config = Config {
        norm_place: NormPlace::After,
        qk_norm: QkNorm::Heads,
        ropes: vec![rope],
        ..config
    };
    if n_layers == 64 {
        config = config.with_windows(keys.windows(n_layers, Some(4096), 4)?);
        for layer in config.layers.iter_mut().filter(|layer| layer.window == usize::MAX) {
            layer.rope = None;
        }
    }
    Ok(config)
}
