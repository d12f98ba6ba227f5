//! A file for each architecture: which keys its files have, and how it differs from the
//! decoder that [`Config::decoder`] describes. ARCHITECTURE.md tells how to add one.

mod ernie4_5;
mod exaone4;
mod gemma;
mod gemma2;
mod gemma3;
mod gpt2;
mod gptneox;
mod granite;
mod lfm2;
mod llama;
mod mistral3;
mod olmo2;
mod phi3;
mod qwen2;
mod qwen3;
mod qwen35;
mod smollm3;
mod stablelm;
mod starcoder2;

use super::config::{Config, unsupported};
use super::keys::Keys;
use crate::{Error, Result};

/// Reads an architecture's keys.
type Read = fn(&Keys) -> Result<Config>;

/// `general.architecture` → what reads its keys.
const ARCHITECTURES: &[(&str, Read)] = &[
    ("llama", llama::config),
    ("mistral3", mistral3::config),
    ("qwen2", qwen2::config),
    ("qwen3", qwen3::config),
    ("qwen3moe", qwen3::with_experts),
    ("gemma", gemma::config),
    ("gemma2", gemma2::config),
    ("gemma3", gemma3::config),
    ("phi3", phi3::config),
    ("smollm3", smollm3::config),
    ("granite", granite::config),
    ("granitemoe", granite::with_experts),
    ("olmo2", olmo2::config),
    ("exaone4", exaone4::config),
    ("ernie4_5", ernie4_5::config),
    ("stablelm", stablelm::config),
    ("gptneox", gptneox::config),
    ("gpt2", gpt2::config),
    ("starcoder2", starcoder2::config),
    ("lfm2", lfm2::config),
    ("qwen35", qwen35::config),
];

/// Encoders and models that fill in masks: they see both directions, so they cannot generate
/// token by token.
const MASKED: &[&str] = &[
    "bert",
    "nomic-bert",
    "nomic-bert-moe",
    "neo-bert",
    "modern-bert",
    "jina-bert-v2",
    "jina-bert-v3",
    "eurobert",
    "gemma-embedding",
    "llama-embed",
    "t5encoder",
    "llada",
    "llada-moe",
    "dream",
    "rnd1",
];

/// The configuration of the model that the keys describe.
pub(super) fn config(keys: &Keys) -> Result<Config> {
    let architecture = keys.architecture();
    // Embedding models of a causal architecture say so.
    if MASKED.contains(&architecture) || keys.opt_bool("attention.causal")? == Some(false) {
        return Err(Error::MaskedModel { architecture: architecture.into() });
    }
    match ARCHITECTURES.iter().find(|(name, _)| *name == architecture) {
        Some((_, read)) => read(keys),
        None => Err(unsupported(architecture)),
    }
}

/// The architectures' names, for error messages.
pub(super) fn supported() -> String {
    ARCHITECTURES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
