//! The architecture `llama`: Llama, TinyLlama, SmolLM2, Mistral and kin. RMS norm, rotary
//! positions, grouped-query attention, SwiGLU (Touvron et al., 2023).

use super::config::{Config, count, unsupported};
use super::weights::TensorPlan;
use crate::gguf::{Header, Metadata};
use crate::{Error, Result};

/// Reads the keys `llama.*`.
pub(super) fn config(header: &Header) -> Result<Config> {
    let metadata = &header.metadata;
    if metadata.opt_u32("llama.expert_count")?.unwrap_or(0) > 0 {
        return Err(unsupported("llama with experts"));
    }
    let n_embd = count(metadata, "llama.embedding_length", 1 << 20)?;
    let n_heads = count(metadata, "llama.attention.head_count", 1 << 12)?;
    let n_kv_heads = match metadata.opt_u32("llama.attention.head_count_kv")? {
        Some(_) => count(metadata, "llama.attention.head_count_kv", 1 << 12)?,
        None => n_heads,
    };
    let head_dim = match metadata.opt_u32("llama.attention.key_length")? {
        Some(_) => count(metadata, "llama.attention.key_length", 1 << 12)?,
        None => n_embd / n_heads,
    };
    let rope_dim = match metadata.opt_u32("llama.rope.dimension_count")? {
        Some(_) => count(metadata, "llama.rope.dimension_count", 1 << 12)?,
        None => head_dim,
    };
    let config = Config {
        architecture: "llama".into(),
        n_layers: count(metadata, "llama.block_count", 1 << 12)?,
        n_embd,
        n_heads,
        n_kv_heads,
        head_dim,
        n_ff: count(metadata, "llama.feed_forward_length", 1 << 20)?,
        n_vocab: n_vocab(header)?,
        n_ctx_train: count(metadata, "llama.context_length", 1 << 30)?,
        norm_eps: metadata.f32("llama.attention.layer_norm_rms_epsilon")?,
        rope_dim,
        rope_base: metadata.opt_f32("llama.rope.freq_base")?.unwrap_or(10_000.0),
        rope_scale: rope_scale(metadata)?,
    };
    check(&config, metadata)?;
    Ok(config)
}

/// The vocabulary's size is that of the embedding: metadata may leave it out.
fn n_vocab(header: &Header) -> Result<usize> {
    let name = "token_embd.weight";
    let embedding = header.tensor(name).ok_or(Error::MissingTensor { tensor: name.into() })?;
    match embedding.dims[..] {
        [_, n] if (1..1 << 24).contains(&n) => Ok(n as usize),
        _ => Err(Error::BadMetadata { key: "llama.vocab_size".into() }),
    }
}

/// 1 / factor of linear scaling, 1 without scaling.
fn rope_scale(metadata: &Metadata) -> Result<f32> {
    let factor = metadata.opt_f32("llama.rope.scaling.factor")?.unwrap_or(1.0);
    match metadata.opt_str("llama.rope.scaling.type")? {
        None | Some("none") => Ok(1.0),
        Some("linear") if factor > 0.0 => Ok(1.0 / factor),
        Some("linear") => Err(Error::BadMetadata { key: "llama.rope.scaling.factor".into() }),
        Some(other) => Err(unsupported(format!("llama with rope scaling {other}"))),
    }
}

/// What the forward pass relies on.
fn check(config: &Config, metadata: &Metadata) -> Result<()> {
    let bad = |key: &str| Err(Error::BadMetadata { key: format!("llama.{key}") });
    if !config.n_heads.is_multiple_of(config.n_kv_heads) {
        return bad("attention.head_count_kv");
    }
    if !config.head_dim.is_multiple_of(8)
        || metadata
            .opt_u32("llama.attention.value_length")?
            .is_some_and(|v| v as usize != config.head_dim)
    {
        return bad("attention.key_length");
    }
    if !config.n_embd.is_multiple_of(8) {
        return bad("embedding_length");
    }
    if !config.n_ff.is_multiple_of(8) {
        return bad("feed_forward_length");
    }
    if config.rope_dim > config.head_dim || !config.rope_dim.is_multiple_of(2) {
        return bad("rope.dimension_count");
    }
    if !(config.rope_base.is_finite() && config.rope_base > 0.0) {
        return bad("rope.freq_base");
    }
    if !(config.norm_eps.is_finite() && config.norm_eps >= 0.0) {
        return bad("attention.layer_norm_rms_epsilon");
    }
    Ok(())
}

/// The tensors that the forward pass needs, and those it takes when they are there.
pub(super) fn tensors(config: &Config) -> Vec<TensorPlan> {
    let (d, ff) = (config.n_embd as u64, config.n_ff as u64);
    let (q, kv) = (config.q_width() as u64, config.kv_width() as u64);
    let mut plan = vec![
        TensorPlan::matrix("token_embd.weight", d, config.n_vocab as u64),
        TensorPlan::vector("output_norm.weight", d),
        TensorPlan::matrix("output.weight", d, config.n_vocab as u64).optional(),
        TensorPlan::vector("rope_freqs.weight", config.rope_dim as u64 / 2).optional(),
    ];
    for layer in 0..config.n_layers {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        plan.extend([
            TensorPlan::vector(name("attn_norm"), d),
            TensorPlan::matrix(name("attn_q"), d, q),
            TensorPlan::matrix(name("attn_k"), d, kv),
            TensorPlan::matrix(name("attn_v"), d, kv),
            TensorPlan::matrix(name("attn_output"), q, d),
            TensorPlan::vector(name("ffn_norm"), d),
            TensorPlan::matrix(name("ffn_gate"), d, ff),
            TensorPlan::matrix(name("ffn_up"), d, ff),
            TensorPlan::matrix(name("ffn_down"), ff, d),
        ]);
    }
    plan
}
