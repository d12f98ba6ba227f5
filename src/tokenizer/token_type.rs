//! What a token is: `tokenizer.ggml.token_type`.

use super::unusable;
use crate::Result;
use crate::gguf::Metadata;

const KEY: &str = "tokenizer.ggml.token_type";

/// A token's kinds. A file gives each token one; texts that are known to be control
/// tokens whatever the file says ([`super::well_known`]) get a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenType(u8);

impl TokenType {
    /// Part of text.
    pub(super) const NORMAL: TokenType = TokenType(1);
    /// Stands for what the vocabulary lacks.
    pub(super) const UNKNOWN: TokenType = TokenType(1 << 1);
    /// Structure of a conversation; read from text only where asked for.
    pub(super) const CONTROL: TokenType = TokenType(1 << 2);
    /// Added to a vocabulary; read from text before anything else.
    pub(super) const USER_DEFINED: TokenType = TokenType(1 << 3);
    /// A single byte, written `<0xHH>`.
    pub(super) const BYTE: TokenType = TokenType(1 << 4);
    /// No text at all.
    pub(super) const UNUSED: TokenType = TokenType(1 << 5);

    /// GGUF's number.
    fn from_gguf(number: i32) -> TokenType {
        match number {
            1 => TokenType::NORMAL,
            2 => TokenType::UNKNOWN,
            3 => TokenType::CONTROL,
            4 => TokenType::USER_DEFINED,
            6 => TokenType::BYTE,
            _ => TokenType::UNUSED,
        }
    }

    /// Both kinds.
    pub(super) const fn or(self, other: TokenType) -> TokenType {
        TokenType(self.0 | other.0)
    }

    /// Whether it is any of these kinds.
    pub(super) fn is(self, any: TokenType) -> bool {
        self.0 & any.0 != 0
    }

    /// Whether the token is kept apart from text, and written as it stands in the file.
    pub(super) fn is_special(self) -> bool {
        self.is(TokenType::CONTROL.or(TokenType::USER_DEFINED).or(TokenType::UNKNOWN))
    }
}

/// The type of each token; all normal where the file does not say.
pub(super) fn read(metadata: &Metadata, n_vocab: usize) -> Result<Vec<TokenType>> {
    let Some(numbers) = metadata.opt_i32s(KEY)? else {
        return Ok(vec![TokenType::NORMAL; n_vocab]);
    };
    let numbers = numbers.get(..n_vocab).ok_or_else(|| unusable(KEY))?;
    Ok(numbers.iter().map(|&number| TokenType::from_gguf(number)).collect())
}
