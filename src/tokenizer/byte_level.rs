//! Byte-level BPE (`tokenizer.ggml.model` = `gpt2`).
//!
//! Each byte of the text is written as one character, so that tokens are strings; a
//! pre-tokenizer cuts the text into words, and within each the pairs with the lowest
//! rank are merged first. The merging is that of the `tokenizers` crate, alone: its
//! whole pipeline also tracks where each token comes from, at several times the cost.

use tokenizers::Model;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use super::pieces::{Pieces, byte_of};
use super::pre_tokenizer::{PreTokenizer, Rules};
use super::token_type::TokenType;
use super::{Vocabulary, unusable};
use crate::gguf::Metadata;
use crate::{Error, Result};

pub(super) const MERGES: &str = "tokenizer.ggml.merges";

/// A byte-level BPE model.
#[derive(Debug)]
pub(super) struct ByteLevel {
    bpe: BPE,
    pre_tokenizer: PreTokenizer,
    pieces: Pieces,
    /// The character of each byte; `None` where the vocabulary lacks it.
    chars: [Option<char>; 256],
}

impl ByteLevel {
    pub(super) fn new(
        metadata: &Metadata,
        vocabulary: &Vocabulary<'_>,
        rules: &Rules,
    ) -> Result<ByteLevel> {
        let chars = byte_chars();
        let bpe = BPE::builder()
            .vocab_and_merges(vocab(vocabulary), merges(metadata, vocabulary)?)
            // A cache of words would grow with the text; merging is quick enough.
            .cache_capacity(0)
            .ignore_merges(rules.whole_words)
            .build()
            .map_err(|_| unusable(MERGES))?;
        let pieces = pieces(vocabulary, &chars);
        let known = |c: &char| bpe.token_to_id(c.encode_utf8(&mut [0; 4])).is_some();
        let chars = chars.map(|c| Some(c).filter(known));
        Ok(ByteLevel { bpe, pre_tokenizer: PreTokenizer::new(rules)?, pieces, chars })
    }

    /// Appends the tokens of a text without special tokens. Bytes that the vocabulary
    /// lacks (some have none for code points not assigned yet) are left out.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let mut word = String::new();
        for range in self.pre_tokenizer.split(text) {
            for byte in text[range].bytes() {
                match self.chars[byte as usize] {
                    Some(c) => word.push(c),
                    // Its neighbours do not merge over it.
                    None => self.merge(&mut word, ids)?,
                }
            }
            self.merge(&mut word, ids)?;
        }
        Ok(())
    }

    /// Appends the tokens of a word, and empties it.
    fn merge(&self, word: &mut String, ids: &mut Vec<u32>) -> Result<()> {
        let tokens = self.bpe.tokenize(word);
        let tokens = tokens.map_err(|error| Error::Internal { what: error.to_string() })?;
        ids.extend(tokens.iter().map(|token| token.id));
        word.clear();
        Ok(())
    }

    pub(super) fn piece(&self, id: u32) -> &[u8] {
        self.pieces.get(id)
    }

    pub(super) fn n_vocab(&self) -> usize {
        self.pieces.len()
    }
}

/// The vocabulary as the crate takes it.
pub(super) fn vocab(vocabulary: &Vocabulary<'_>) -> Vocab {
    vocabulary.texts.iter().cloned().zip(0..).collect()
}

/// The merges as pairs. The crate takes them on trust, and would panic on a pair longer
/// than any token.
pub(super) fn merges(metadata: &Metadata, vocabulary: &Vocabulary<'_>) -> Result<Merges> {
    let longest = vocabulary.texts.iter().map(String::len).max().unwrap_or(0);
    let pair = |merge: &String| {
        // The first character may be a space itself.
        let space = merge.char_indices().skip(1).find(|(_, c)| *c == ' ').map(|(at, _)| at)?;
        let (left, right) = (&merge[..space], &merge[space + 1..]);
        (left.len() + right.len() <= longest).then(|| (left.to_owned(), right.to_owned()))
    };
    let pairs: Option<Merges> = metadata.strings(MERGES)?.iter().map(pair).collect();
    pairs.ok_or_else(|| unusable(MERGES))
}

/// The bytes that each token stands for.
fn pieces(vocabulary: &Vocabulary<'_>, chars: &[char; 256]) -> Pieces {
    let bytes = ByteOfChar::new(chars);
    let n_bytes = vocabulary.texts.iter().map(String::len).sum();
    let mut pieces = Pieces::with_capacity(vocabulary.texts.len(), n_bytes);
    for (text, token_type) in vocabulary.texts.iter().zip(&vocabulary.types) {
        if token_type.is_special() {
            pieces.push(text.bytes());
        } else if token_type.is(TokenType::BYTE) {
            pieces.push(byte_of(text));
        } else if token_type.is(TokenType::NORMAL) {
            let mut utf8 = [0; 4];
            let mut piece = Vec::with_capacity(text.len());
            for c in text.chars() {
                match bytes.get(c) {
                    Some(byte) => piece.push(byte),
                    // Not byte-level after all: the character stands for itself.
                    None => piece.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes()),
                }
            }
            pieces.push(piece);
        } else {
            pieces.push([]);
        }
    }
    pieces
}

/// The byte of each of these characters, which are below U+0144: 256 printable or shifted ones.
pub(super) struct ByteOfChar([Option<u8>; 0x144]);

impl ByteOfChar {
    pub(super) fn new(chars: &[char; 256]) -> ByteOfChar {
        let mut bytes = [None; 0x144];
        for (byte, &c) in (0..=255u8).zip(chars) {
            bytes[c as usize] = Some(byte);
        }
        ByteOfChar(bytes)
    }

    pub(super) fn get(&self, c: char) -> Option<u8> {
        self.0.get(c as usize).copied().flatten()
    }
}

/// GPT-2's character for each byte: printable Latin-1 stands for itself, the others
/// (controls, spaces, the soft hyphen) follow from U+0100 in order.
pub(super) fn byte_chars() -> [char; 256] {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => byte as u8 as char,
        // There are 68 others, and the range has a million characters.
        _ => others.next().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_chars_are_gpt2s() {
        let chars = byte_chars();
        assert_eq!(chars[b'a' as usize], 'a');
        assert_eq!(chars[b' ' as usize], 'Ġ');
        assert_eq!(chars[b'\n' as usize], 'Ċ');
        assert_eq!((chars[0], chars[0xad], chars[0xff]), ('Ā', 'Ń', 'ÿ'));
        let distinct: std::collections::HashSet<char> = chars.into_iter().collect();
        assert_eq!(distinct.len(), 256);
    }
}
