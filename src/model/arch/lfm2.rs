//! `lfm2`: LFM2, the dense ones. Most layers are short convolutions, those without key and value
//! heads; the others have attention with a norm of each head (Liquid AI, 2025).

use super::super::config::{Config, Mixer, Norm, QkNorm, TensorNames};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let mut config = Config::decoder(keys, Norm::Rms)?;
    let n_layers = config.layers.len();
    let taps = keys.count("shortconv.l_cache", 1 << 8)?;
    if taps < 2 {
        return Err(keys.bad("shortconv.l_cache"));
    }
    let kv_heads = keys.opt_per_layer("attention.head_count_kv", n_layers)?;
    let windows = keys.windows(n_layers, None, 0)?;
    for ((i, layer), window) in config.layers.iter_mut().enumerate().zip(windows) {
        match kv_heads.as_ref().is_some_and(|heads| heads[i] == 0) {
            true => layer.mixer = Mixer::ShortConv { taps },
            false => layer.window = window,
        }
    }
    Ok(Config {
        qk_norm: QkNorm::Heads,
        tensors: TensorNames { output_norm: "token_embd_norm", ..config.tensors },
        ..config
    })
}
