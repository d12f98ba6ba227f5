//! Text to tokens and back, from the vocabulary in a GGUF file.
//!
//! Four kinds of vocabulary (`tokenizer.ggml.model`) are read:
//!
//! - `gpt2`: byte-level BPE. The text is cut by the model's pre-tokenizer and merged by
//!   rank, on the `tokenizers` crate.
//! - `llama`: SentencePiece BPE. The whole text is merged by score.
//! - `t5`: SentencePiece unigram. The cut with the highest sum of scores is taken.
//! - `gemma4`: BPE by rank over characters, line by line.
//!
//! A `tokenizer.json` beside the model takes their place ([`TokenizerJson`]): its ids are those
//! of Hugging Face's `tokenizers`.
//!
//! All keep special tokens apart first. The ids are those of llama.cpp: GGUF has no
//! specification of tokenisation beyond what llama.cpp does with the keys
//! `tokenizer.ggml.*`, and a model answers worse to ids that it was not trained on.

mod byte_level;
mod character_level;
mod charsmap;
mod json;
mod pieces;
mod pre_tokenizer;
mod sentence_piece;
mod special;
#[cfg(test)]
mod tests;
mod text_stream;
mod token_type;
mod unigram;
mod well_known;

use std::borrow::Cow;

pub use json::{Form, MAX_TOKENIZER_BYTES, Normalise, TokenizerJson, normalise_by_tables};
pub use text_stream::TextStream;

use crate::gguf::Metadata;
use crate::{Error, Result};
use byte_level::ByteLevel;
use character_level::CharacterLevel;
use sentence_piece::SentencePiece;
use special::{Part, SpecialTokens};
use token_type::TokenType;
use unigram::Unigram;

/// What files without a tokenizer name as its kind.
const NONE: &str = "none";

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    kind: Kind,
    special: SpecialTokens,
    bos: Option<u32>,
    eos: Option<u32>,
    /// What the model wants around a text.
    before: Vec<u32>,
    after: Vec<u32>,
    /// Tokens that end an answer, ascending.
    end_of_generation: Vec<u32>,
}

#[derive(Debug)]
enum Kind {
    ByteLevel(Box<ByteLevel>),
    CharacterLevel(Box<CharacterLevel>),
    SentencePiece(Box<SentencePiece>),
    Unigram(Box<Unigram>),
    Json(TokenizerJson),
}

/// What the parts of a tokenizer are built from: one entry for each token.
struct Vocabulary<'a> {
    texts: &'a [String],
    types: Vec<TokenType>,
}

impl Tokenizer {
    /// Builds the tokenizer from the keys `tokenizer.ggml.*`. A file with a vocabulary
    /// and no weights is enough.
    ///
    /// # Errors
    /// [`Error::UnsupportedTokenizer`] for none, another kind of vocabulary or an unknown
    /// pre-tokenizer; [`Error::BadMetadata`] for keys that are absent, of another type
    /// or contradict each other.
    pub fn from_gguf(metadata: &Metadata) -> Result<Tokenizer> {
        let kind = metadata.opt_str("tokenizer.ggml.model")?;
        let unsupported = |kind: &str| Error::UnsupportedTokenizer { kind: kind.to_owned() };
        let model = kind.filter(|kind| *kind != NONE).ok_or_else(|| unsupported(NONE))?;
        let texts = metadata.strings("tokenizer.ggml.tokens")?;
        let n_vocab = texts.len();
        if n_vocab == 0 || u32::try_from(n_vocab).is_err() {
            return Err(unusable("tokenizer.ggml.tokens"));
        }
        let types = token_type::read(metadata, n_vocab)?;
        let is_control = |of: &TokenType| of.is(TokenType::CONTROL);
        let mut vocabulary = Vocabulary { texts, types };

        let id = |key: &str, default: Option<u32>| -> Result<Option<u32>> {
            let in_range = |id: &u32| (*id as usize) < n_vocab;
            let given = metadata.opt_u32(key)?.filter(in_range);
            Ok(given.or(default.filter(in_range)))
        };
        // SentencePiece's own numbering. Byte-level vocabularies have no common one: llama.cpp
        // takes Falcon's, which is right where that token is no text.
        let falcon = Some(11).filter(|i| vocabulary.types.get(*i as usize).is_some_and(is_control));
        let (default_bos, default_eos) = match model {
            "llama" => (Some(1), Some(2)),
            "t5" => (None, Some(1)),
            "gpt2" => (falcon, falcon),
            _ => (None, None),
        };
        let bos = id("tokenizer.ggml.bos_token_id", default_bos)?;
        let eos = id("tokenizer.ggml.eos_token_id", default_eos)?;
        let end_of_generation = well_known::apply(metadata, eos, &mut vocabulary)?;
        let special = SpecialTokens::new(metadata, &vocabulary)?;

        let added = metadata.opt_bool("tokenizer.ggml.add_bos_token")?;
        let (kind, add_bos) = match model {
            "gpt2" | "gemma4" => {
                let pre = metadata.opt_str("tokenizer.ggml.pre")?.unwrap_or("default");
                let pre = if model == "gemma4" { model } else { pre };
                let rules = pre_tokenizer::rules(pre).ok_or_else(|| unsupported(pre))?;
                let kind = if CharacterLevel::is_meant_by(pre) {
                    let model = CharacterLevel::new(metadata, &vocabulary, rules)?;
                    Kind::CharacterLevel(Box::new(model))
                } else {
                    let model = ByteLevel::new(metadata, &vocabulary, rules)?;
                    Kind::ByteLevel(Box::new(model))
                };
                // Files of Gemma 4 deny it, and the model needs it.
                (kind, rules.always_bos || added.unwrap_or(rules.add_bos))
            }
            "llama" => {
                let model = SentencePiece::new(metadata, vocabulary)?;
                (Kind::SentencePiece(Box::new(model)), added.unwrap_or(true))
            }
            "t5" => {
                let model = Unigram::new(metadata, vocabulary)?;
                (Kind::Unigram(Box::new(model)), added.unwrap_or(false))
            }
            other => return Err(unsupported(other)),
        };
        let add_eos = metadata.opt_bool("tokenizer.ggml.add_eos_token")?.unwrap_or(model == "t5");
        let before = bos.filter(|_| add_bos).into_iter().collect();
        let after = eos.filter(|_| add_eos).into_iter().collect();
        Ok(Tokenizer { kind, special, bos, eos, before, after, end_of_generation })
    }

    /// A tokenizer of a `tokenizer.json`. From the GGUF file come only BOS and EOS, as chat
    /// templates name them, and which tokens end an answer; without BOS or EOS there, what the
    /// `tokenizer.json` puts around a text is taken for them.
    ///
    /// # Errors
    /// [`Error::BadMetadata`] for a token id that is no number.
    pub fn from_json(json: &TokenizerJson, metadata: &Metadata) -> Result<Tokenizer> {
        let id = |key: &str| -> Result<Option<u32>> {
            Ok(metadata.opt_u32(key)?.filter(|id| (*id as usize) < json.n_vocab()))
        };
        let (before, after) = json.around();
        let bos = id("tokenizer.ggml.bos_token_id")?.or(before.first().copied());
        let eos = id("tokenizer.ggml.eos_token_id")?.or(after.last().copied());
        let (texts, types) = json.vocabulary();
        let mut vocabulary = Vocabulary { texts: &texts, types };
        let end_of_generation = well_known::apply(metadata, eos, &mut vocabulary)?;
        Ok(Tokenizer {
            kind: Kind::Json(json.clone()),
            special: SpecialTokens::default(),
            bos,
            eos,
            before: before.to_vec(),
            after: after.to_vec(),
            end_of_generation,
        })
    }

    /// Text to token ids, in time about proportional to the text's length whatever it
    /// holds (n log n where it cannot be cut into words).
    ///
    /// `add_special` adds the tokens that the model wants around a text (often BOS, or
    /// none). `parse_special` reads the texts of control tokens (`<|im_start|>`) as these
    /// tokens; without it they are plain text. Texts of user-defined tokens are always
    /// read as these.
    ///
    /// # Errors
    /// [`Error::BadRequest`] if the text has 4 GiB or more.
    pub fn encode(&self, text: &str, add_special: bool, parse_special: bool) -> Result<Vec<u32>> {
        if u32::try_from(text.len()).is_err() {
            return Err(Error::BadRequest { what: "the text has 4 GiB or more".to_owned() });
        }
        let mut ids = Vec::with_capacity(text.len() / 4 + 2);
        if add_special {
            ids.extend(&self.before);
        }
        let mut after_special = true;
        for part in self.special.split(text, parse_special) {
            match part {
                Part::Token(id) => ids.push(id),
                Part::Text(text) => match &self.kind {
                    Kind::ByteLevel(model) => model.encode(text, &mut ids)?,
                    Kind::CharacterLevel(model) => model.encode(text, &mut ids)?,
                    Kind::SentencePiece(model) => model.encode(text, after_special, &mut ids),
                    Kind::Unigram(model) => model.encode(text, &mut ids),
                    Kind::Json(model) => model.encode(text, parse_special, &mut ids)?,
                },
            }
            after_special = matches!(part, Part::Token(_));
        }
        if add_special {
            ids.extend(&self.after);
        }
        Ok(ids)
    }

    /// Token ids to text: the bytes of all pieces as UTF-8, invalid bytes replaced by
    /// U+FFFD, special tokens as their text. If the first token is text, the space that
    /// SentencePiece has put before it is taken away, so that plain text comes back as it
    /// was.
    ///
    /// While tokens are still coming use [`Tokenizer::piece`] with a [`TextStream`].
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        ids.iter().for_each(|&id| bytes.extend_from_slice(&self.piece(id)));
        let begins_with_text = ids.first().is_some_and(|&id| !self.is_special(id));
        if begins_with_text && self.prefixes_space() && bytes.starts_with(b" ") {
            bytes.remove(0);
        }
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Whether a token is found in a text before anything else is.
    fn is_special(&self, id: u32) -> bool {
        match &self.kind {
            Kind::Json(model) => model.is_added(id),
            _ => self.special.contains(id),
        }
    }

    fn prefixes_space(&self) -> bool {
        match &self.kind {
            Kind::Json(model) => model.prefixes_space(),
            Kind::SentencePiece(model) => model.prefixes_space(),
            Kind::Unigram(model) => model.prefixes_space(),
            Kind::ByteLevel(_) | Kind::CharacterLevel(_) => false,
        }
    }

    /// The bytes of one token, which may be a part of a character. Special tokens give
    /// their text, unused ones and ids out of range nothing.
    pub fn piece(&self, id: u32) -> Cow<'_, [u8]> {
        match &self.kind {
            Kind::ByteLevel(model) => Cow::Borrowed(model.piece(id)),
            Kind::CharacterLevel(model) => Cow::Borrowed(model.piece(id)),
            Kind::SentencePiece(model) => model.piece(id),
            Kind::Unigram(model) => model.piece(id),
            Kind::Json(model) => Cow::Borrowed(model.piece(id)),
        }
    }

    /// Number of tokens.
    pub fn n_vocab(&self) -> usize {
        match &self.kind {
            Kind::ByteLevel(model) => model.n_vocab(),
            Kind::CharacterLevel(model) => model.n_vocab(),
            Kind::SentencePiece(model) => model.n_vocab(),
            Kind::Unigram(model) => model.n_vocab(),
            Kind::Json(model) => model.n_vocab(),
        }
    }

    /// The token at the beginning of a text.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token at the end of a text.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Lets the first token of `text` end answers, if it is a control token: what a chat
    /// template writes behind them.
    pub(crate) fn end_answers_at(&mut self, text: &str) {
        let first = self.encode(text, false, true).ok().and_then(|ids| ids.first().copied());
        let is_control = |id: &u32| match &self.kind {
            Kind::Json(model) => model.is_special(*id),
            _ => self.special.is_control(*id),
        };
        if let Some(id) = first.filter(is_control)
            && let Err(at) = self.end_of_generation.binary_search(&id)
        {
            self.end_of_generation.insert(at, id);
        }
    }

    /// Whether a token ends an answer: end of text, of turn or of message.
    pub fn is_end_of_generation(&self, id: u32) -> bool {
        self.end_of_generation.binary_search(&id).is_ok()
    }
}

fn unusable(key: &str) -> Error {
    Error::BadMetadata { key: key.to_owned() }
}
