//! A `tokenizer.json` in place of the tokenizer that a model's file has.

use super::fingerprint::Fingerprint;
use crate::gguf::Metadata;
use crate::tokenizer::{Normalise, Tokenizer, TokenizerJson};
use crate::{Error, Result};

/// A `tokenizer.json` that has been read. Copies share it.
#[derive(Clone)]
pub struct TokenizerFile {
    json: TokenizerJson,
    fingerprint: String,
}

impl TokenizerFile {
    /// Reads the bytes of a file, as [`TokenizerJson::parse`].
    ///
    /// # Errors
    /// [`Error::BadTokenizer`].
    pub fn parse(bytes: &[u8], normalise: Normalise) -> Result<TokenizerFile> {
        let json = TokenizerJson::parse(bytes, normalise)?;
        let mut fingerprint = Fingerprint::default();
        fingerprint.update(bytes);
        Ok(TokenizerFile { json, fingerprint: fingerprint.finish() })
    }

    /// That it is none of a model with so many tokens. Models may have more than their
    /// tokenizer, to be of an even size.
    pub(super) fn check_fits(&self, n_vocab: usize) -> Result<()> {
        let tokens = self.json.n_vocab();
        if tokens > n_vocab {
            let what = format!("it has {tokens} tokens, and the model {n_vocab}");
            return Err(Error::BadTokenizer { what });
        }
        Ok(())
    }

    /// Which file it is.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// The tokenizer of a model: that of `file`, or else its own. A vocabulary is enough.
///
/// # Errors
/// As [`Tokenizer::from_json`] and [`Tokenizer::from_gguf`].
pub fn tokenizer(metadata: &Metadata, file: Option<&TokenizerFile>) -> Result<Tokenizer> {
    match file {
        Some(file) => Tokenizer::from_json(&file.json, metadata),
        None => Tokenizer::from_gguf(metadata),
    }
}
