//! What the metadata says about a model, checked once.

use super::llama;
use crate::gguf::{Header, Metadata};
use crate::{Error, Result};

/// Shapes and constants of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// `general.architecture`.
    pub(crate) architecture: String,
    /// Transformer layers.
    pub(crate) n_layers: usize,
    /// Width of the residual stream.
    pub(crate) n_embd: usize,
    /// Query heads.
    pub(crate) n_heads: usize,
    /// Key and value heads; each serves n_heads / n_kv_heads query heads.
    pub(crate) n_kv_heads: usize,
    /// Width of a head.
    pub(crate) head_dim: usize,
    /// Width of the feed-forward layer.
    pub(crate) n_ff: usize,
    /// Tokens in the vocabulary.
    pub(crate) n_vocab: usize,
    /// Positions that the model was trained for.
    pub(crate) n_ctx_train: usize,
    /// Epsilon of the norms.
    pub(crate) norm_eps: f32,
    /// Rotated values of a head.
    pub(crate) rope_dim: usize,
    /// Base of the rotation's frequencies.
    pub(crate) rope_base: f32,
    /// 1 / factor of linear rope scaling.
    pub(crate) rope_scale: f32,
}

/// Encoders: they see both directions, so they cannot generate.
const MASKED: [&str; 9] = [
    "bert",
    "nomic-bert",
    "nomic-bert-moe",
    "neo-bert",
    "modern-bert",
    "jina-bert-v2",
    "jina-bert-v3",
    "eurobert",
    "t5encoder",
];

/// Architectures with a forward pass here, for error messages.
pub(crate) const SUPPORTED: &str = "llama";

impl Config {
    /// The configuration of the model behind a header.
    ///
    /// # Errors
    /// [`Error::MaskedModel`], [`Error::UnsupportedArchitecture`] and
    /// [`Error::BadMetadata`].
    pub(crate) fn from_header(header: &Header) -> Result<Config> {
        let architecture = header.metadata.str("general.architecture")?;
        match architecture {
            "llama" => llama::config(header),
            masked if MASKED.contains(&masked) => {
                Err(Error::MaskedModel { architecture: masked.into() })
            }
            other => Err(unsupported(other)),
        }
    }

    /// Width of all query heads together.
    pub(crate) fn q_width(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub(crate) fn kv_width(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }
}

/// The error for what has no forward pass here.
pub(crate) fn unsupported(architecture: impl Into<String>) -> Error {
    Error::UnsupportedArchitecture {
        architecture: architecture.into(),
        supported: SUPPORTED.into(),
    }
}

/// A count from the metadata: at least 1 and below `below`, so that products of a few of
/// them cannot overflow.
pub(crate) fn count(metadata: &Metadata, key: &str, below: u32) -> Result<usize> {
    match metadata.u32(key)? {
        n if (1..below).contains(&n) => Ok(n as usize),
        _ => Err(Error::BadMetadata { key: key.into() }),
    }
}
