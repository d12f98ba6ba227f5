//! `qwen35`: Qwen 3.5, its text part. Three of four layers are gated delta nets; the others have
//! attention whose result is gated (Qwen Team, 2026).

use super::super::config::{Config, DeltaNet, Mixer, Norm, QkNorm, TensorNames};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    let mut config = Config::decoder(keys, Norm::Rms)?;
    let count = |key: &str| keys.count(key, 1 << 12);
    let (taps, inner) = (count("ssm.conv_kernel")?, keys.count("ssm.inner_size", 1 << 20)?);
    let shape = DeltaNet {
        taps,
        n_k_heads: count("ssm.group_count")?,
        n_v_heads: count("ssm.time_step_rank")?,
        head_dim: count("ssm.state_size")?,
    };
    let holds = [
        (taps >= 2, "ssm.conv_kernel"),
        (shape.value_width() == inner, "ssm.inner_size"),
        (shape.head_dim.is_multiple_of(8), "ssm.state_size"),
        (shape.n_v_heads.is_multiple_of(shape.n_k_heads), "ssm.group_count"),
    ];
    if let Some((_, key)) = holds.iter().find(|(holds, _)| !holds) {
        return Err(keys.bad(key));
    }
    let every = keys.opt_u32("full_attention_interval")?.unwrap_or(4) as usize;
    let recurrent = keys.layers("attention.recurrent_layers", config.layers.len(), every)?;
    for (layer, recurrent) in config.layers.iter_mut().zip(recurrent) {
        if recurrent {
            layer.mixer = Mixer::DeltaNet(shape);
        }
    }
    check_sections(keys, config.ropes[0].shape.dim / 2)?;
    Ok(Config {
        qk_norm: QkNorm::Heads,
        query_gate: true,
        tensors: TensorNames { ffn_norm: "post_attention_norm", ..config.tensors },
        ..config
    })
}

/// Pairs of a head take turns in turning by time, height and width, which are one and the same
/// in text. There may be a fourth kind, of pairs that do not turn: no model is known to have it.
fn check_sections(keys: &Keys, n_pairs: usize) -> Result<()> {
    let key = "rope.dimension_sections";
    let sections = keys.opt_per_layer(key, 4)?.ok_or_else(|| keys.bad(key))?;
    let n = sections.iter().try_fold(0u32, |sum, n| sum.checked_add(*n)).unwrap_or(0) as usize;
    if n == 0 {
        return Err(keys.bad(key));
    }
    let turns = |pair: usize| (pair % n) < 3 * sections[pair % n % 3] as usize;
    match (0..n_pairs).all(turns) {
        true => Ok(()),
        false => Err(keys.unsupported("has pairs of a head that do not turn")),
    }
}
