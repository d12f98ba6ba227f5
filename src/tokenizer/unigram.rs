//! SentencePiece unigram (`tokenizer.ggml.model` = `t5`).
//!
//! The text is normalised by the model's own map of characters, spaces become `▁`, and of
//! all ways to cut it into tokens that with the highest sum of scores is taken (Viterbi;
//! Kudo, 2018). It stands beside the `tokenizers` crate, whose model of this kind has the
//! vocabulary three times over.

use std::borrow::Cow;

use super::charsmap::Charsmap;
use super::pieces::Pieces;
use super::sentence_piece::{Index, piece, scores};
use super::token_type::TokenType;
use super::{Vocabulary, unusable};
use crate::Result;
use crate::gguf::Metadata;

/// What an unknown character costs more than the worst token.
const UNKNOWN_PENALTY: f32 = 10.0;
/// Longer tokens than this are none in any vocabulary; it bounds the time of a hostile one.
const MAX_TOKEN_BYTES: usize = 512;

/// A unigram model.
#[derive(Debug)]
pub(super) struct Unigram {
    texts: Pieces,
    types: Vec<TokenType>,
    scores: Vec<f32>,
    index: Index,
    /// Bytes of the longest token.
    longest: usize,
    unknown: u32,
    unknown_score: f32,
    charsmap: Charsmap,
    prefixes_space: bool,
    /// Whether a run of spaces is one, and none stands at the end.
    merges_spaces: bool,
}

/// The best way to cut the text up to some byte.
#[derive(Clone, Copy)]
struct Best {
    token: u32,
    start: usize,
    score: f64,
}

impl Unigram {
    pub(super) fn new(metadata: &Metadata, vocabulary: Vocabulary<'_>) -> Result<Unigram> {
        let n_vocab = vocabulary.texts.len();
        let scores = scores(metadata, n_vocab)?;
        let n_bytes = vocabulary.texts.iter().map(String::len).sum();
        let mut texts = Pieces::with_capacity(n_vocab, n_bytes);
        vocabulary.texts.iter().for_each(|text| texts.push(text.bytes()));
        let index = Index::new(&texts);
        let unknown = metadata.opt_u32("tokenizer.ggml.unknown_token_id")?.unwrap_or(2);
        if unknown as usize >= n_vocab {
            return Err(unusable("tokenizer.ggml.unknown_token_id"));
        }
        let normal = vocabulary.types.iter().zip(&scores);
        let normal = normal.filter(|(token_type, _)| token_type.is(TokenType::NORMAL));
        let worst = normal.map(|(_, score)| *score).fold(0.0, f32::min);
        let flag = |key: &str| metadata.opt_bool(&format!("tokenizer.ggml.{key}"));
        Ok(Unigram {
            longest: vocabulary.texts.iter().map(String::len).max().unwrap_or(0),
            texts,
            types: vocabulary.types,
            scores,
            index,
            unknown,
            unknown_score: worst - UNKNOWN_PENALTY,
            charsmap: Charsmap::new(metadata)?,
            prefixes_space: flag("add_space_prefix")?.unwrap_or(false),
            merges_spaces: flag("remove_extra_whitespaces")?.unwrap_or(false),
        })
    }

    /// Appends the tokens of a text without special tokens. Takes time proportional to the
    /// text, times the bytes of the longest token.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        let text = self.normalise(text);
        let none = Best { token: self.unknown, start: 0, score: f64::NEG_INFINITY };
        let mut best = vec![none; text.len() + 1]; // [bytes before]
        best[0].score = 0.0;
        for (start, c) in text.char_indices() {
            let before = best[start].score;
            let mut offer = |end: usize, token: u32, score: f32| {
                let score = before + f64::from(score);
                if score > best[end].score {
                    best[end] = Best { token, start, score };
                }
            };
            let first = start + c.len_utf8();
            let mut known = false;
            let most = text.len().min(start + self.longest.min(MAX_TOKEN_BYTES));
            for end in (first..=most).filter(|&end| text.is_char_boundary(end)) {
                let Some(id) = self.index.find(&self.texts, &text.as_bytes()[start..end]) else {
                    continue;
                };
                let token_type = self.types[id as usize];
                if token_type.is(TokenType::USER_DEFINED) {
                    offer(end, id, 0.0);
                } else if token_type.is(TokenType::NORMAL.or(TokenType::UNUSED)) {
                    offer(end, id, self.scores[id as usize]);
                } else {
                    continue;
                }
                known |= end == first;
            }
            if !known {
                offer(first, self.unknown, self.unknown_score);
            }
        }
        let (from, mut end) = (ids.len(), text.len());
        while end > 0 {
            let Best { token, start, .. } = best[end];
            // Unknown characters side by side are one token.
            if token != self.unknown || ids.len() == from || ids.last() != Some(&token) {
                ids.push(token);
            }
            end = start;
        }
        ids[from..].reverse();
    }

    fn normalise(&self, text: &str) -> String {
        let mapped = self.charsmap.apply(text);
        let mut normal = String::with_capacity(mapped.len() + 8);
        let (mut prefixed, mut in_word) = (false, false);
        for c in mapped.chars() {
            if c == ' ' {
                in_word = false;
                if !self.merges_spaces {
                    normal.push('▁');
                }
                continue;
            }
            if !in_word {
                in_word = true;
                if self.merges_spaces || (self.prefixes_space && !prefixed) {
                    normal.push('▁');
                    prefixed = true;
                }
            }
            normal.push(c);
        }
        normal
    }

    pub(super) fn prefixes_space(&self) -> bool {
        self.prefixes_space || self.merges_spaces
    }

    pub(super) fn piece(&self, id: u32) -> Cow<'_, [u8]> {
        piece(&self.texts, &self.types, id)
    }

    pub(super) fn n_vocab(&self) -> usize {
        self.texts.len()
    }
}
