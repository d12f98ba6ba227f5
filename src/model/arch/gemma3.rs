//! `gemma3`, its text part: Gemma 2 with norms of queries and keys instead of caps, and five
//! layers with a window and a rotation of their own before each one without (Gemma Team, 2025).

use super::super::config::{Activation, Config, Norm, NormPlace, QkNorm};
use super::super::keys::Keys;
use super::gemma2::score_scale;
use crate::Result;
use crate::ops::{RopeShape, Scores};

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let config = Config::decoder(keys, Norm::Rms)?;
    let windows = keys.windows(config.layers.len(), None, 6)?;
    let local = RopeShape {
        base: keys.opt_f32("rope.freq_base_swa")?.unwrap_or(10_000.0),
        scale: 1.0,
        ..config.ropes[0].shape.clone()
    };
    let config = Config {
        norm_place: NormPlace::Both,
        qk_norm: QkNorm::Heads,
        activation: Activation::Gelu,
        embedding_scale: (config.n_embd as f32).sqrt(),
        scores: Scores { scale: score_scale(&config, 62), ..config.scores },
        logit_cap: keys.opt_f32("final_logit_softcapping")?.filter(|cap| *cap != 0.0),
        ..config
    };
    Ok(config.with_windows(windows).with_local_rope(local))
}
