//! BPE by rank over characters (`tokenizer.ggml.model` = `gemma4`, and a few names of
//! `tokenizer.ggml.pre`).
//!
//! SentencePiece's alphabet with GPT-2's merges: spaces become `▁`, each line is one word,
//! pairs with the lowest rank are merged first, and characters that the vocabulary lacks
//! are written byte by byte.

use tokenizers::Model;
use tokenizers::models::bpe::BPE;

use super::byte_level::{MERGES, merges, vocab};
use super::pieces::{Pieces, byte_of};
use super::pre_tokenizer::{PreTokenizer, Rules};
use super::token_type::TokenType;
use super::{Vocabulary, unusable};
use crate::gguf::Metadata;
use crate::{Error, Result};

/// A BPE model over characters.
#[derive(Debug)]
pub(super) struct CharacterLevel {
    bpe: BPE,
    pre_tokenizer: PreTokenizer,
    pieces: Pieces,
}

impl CharacterLevel {
    /// Whether the rules of this name (`tokenizer.ggml.pre`) are meant for such a model.
    pub(super) fn is_meant_by(pre: &str) -> bool {
        matches!(pre, "gemma4" | "granite-embed-multi-311m" | "sarvam-moe")
    }

    pub(super) fn new(
        metadata: &Metadata,
        vocabulary: &Vocabulary<'_>,
        rules: &Rules,
    ) -> Result<CharacterLevel> {
        let bpe = BPE::builder()
            .vocab_and_merges(vocab(vocabulary), merges(metadata, vocabulary)?)
            .cache_capacity(0)
            .byte_fallback(true)
            .build()
            .map_err(|_| unusable(MERGES))?;
        let pre_tokenizer = PreTokenizer::new(rules)?;
        Ok(CharacterLevel { bpe, pre_tokenizer, pieces: pieces(vocabulary) })
    }

    /// Appends the tokens of a text without special tokens.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let text = text.replace(' ', "▁");
        for range in self.pre_tokenizer.split(&text) {
            let word = &text[range];
            // No merge makes them, so a run of line breaks is looked up.
            if word.starts_with('\n')
                && let Some(id) = self.bpe.token_to_id(word)
            {
                ids.push(id);
                continue;
            }
            let tokens = self.bpe.tokenize(word);
            let tokens = tokens.map_err(|error| Error::Internal { what: error.to_string() })?;
            ids.extend(tokens.iter().map(|token| token.id));
        }
        Ok(())
    }

    pub(super) fn piece(&self, id: u32) -> &[u8] {
        self.pieces.get(id)
    }

    pub(super) fn n_vocab(&self) -> usize {
        self.pieces.len()
    }
}

/// The bytes that each token stands for.
fn pieces(vocabulary: &Vocabulary<'_>) -> Pieces {
    let n_bytes = vocabulary.texts.iter().map(String::len).sum();
    let mut pieces = Pieces::with_capacity(vocabulary.texts.len(), n_bytes);
    for (text, token_type) in vocabulary.texts.iter().zip(&vocabulary.types) {
        if token_type.is_special() {
            pieces.push(text.bytes());
        } else if token_type.is(TokenType::BYTE) {
            pieces.push(byte_of(text));
        } else if token_type.is(TokenType::NORMAL) {
            pieces.push(text.replace('▁', " ").into_bytes());
        } else {
            pieces.push([]);
        }
    }
    pieces
}
