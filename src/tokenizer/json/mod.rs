//! A `tokenizer.json`, the format of Hugging Face's `tokenizers`, in place of the keys of a
//! GGUF file.
//!
//! A text is cut at the added tokens, normalised, cut into words, and each word is merged by
//! the BPE model of the `tokenizers` crate. The steps around it are made here of the file's
//! own description: the crate's would be 140 kB of a binary (in Brotli) for kinds that no
//! language model has, trust what they read, and give up on long runs of white space. What a
//! file asks for beyond them is refused by its name.

mod added;
mod decoder;
mod file;
mod normalizer;
mod part;
mod post_processor;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

use tokenizers::Model as _;
use tokenizers::models::bpe::{BPE, Merges};

use super::pieces::Pieces;
use super::special::Part;
use super::token_type::TokenType;
use crate::{Error, Result};
use added::Added;
use file::{File, MergePart, ModelPart};
use normalizer::Normalizer;
pub use normalizer::{Form, Normalise, normalise_by_tables};
use part::Part as Step;
use words::Words;

/// Bytes that a file may have: the largest in use have half of it.
pub const MAX_TOKENIZER_BYTES: usize = 64 << 20;
/// No vocabulary in use has a quarter of these tokens.
const MAX_TOKENS: usize = 1 << 21;

/// What a `tokenizer.json` says. Copies share it.
#[derive(Clone, Debug)]
pub struct TokenizerJson(Arc<Model>);

/// The parts of a tokenizer.
#[derive(Debug)]
struct Model {
    added: Added,
    normalizer: Normalizer,
    words: Words,
    bpe: BPE,
    pieces: Pieces,
    /// Whether the space at the beginning of a decoded text is none of the text's own.
    prefixes_space: bool,
    /// Tokens that the post-processor puts around a text.
    before: Vec<u32>,
    after: Vec<u32>,
}

impl TokenizerJson {
    /// Reads a file. Texts are brought to a form of Unicode's by `normalise`.
    ///
    /// # Errors
    /// [`Error::BadTokenizer`] for what is no `tokenizer.json`, contradicts itself, or asks for
    /// a kind of model or step that is not known here.
    pub fn parse(bytes: &[u8], normalise: Normalise) -> Result<TokenizerJson> {
        if bytes.len() > MAX_TOKENIZER_BYTES {
            let (have, most) = (bytes.len(), MAX_TOKENIZER_BYTES);
            return Err(bad(format!("it has {have} bytes, and {most} are the most")));
        }
        if bytes.trim_ascii_start().starts_with(b"<") {
            return Err(bad("it is a web page"));
        }
        let file: File = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        let normalizer = Normalizer::new(Step::new("normalizer", &file.normalizer)?, normalise)?;
        let words = Words::new(Step::new("pre-tokenizer", &file.pre_tokenizer)?)?;
        let added = Added::new(&file.added_tokens, &normalizer)?;
        let byte_fallback = file.model.byte_fallback == Some(true);
        let bpe = bpe(file.model)?;
        let n_vocab = n_vocab(&bpe, &added)?;
        let decoder = decoder::Decoder::new(Step::new("decoder", &file.decoder)?, byte_fallback)?;
        let mut pieces = Pieces::with_capacity(n_vocab, 0);
        for id in 0..n_vocab as u32 {
            match (added.decoded(id), bpe.id_to_token(id)) {
                (Some(text), _) => pieces.push(decoder.added(text)),
                (None, Some(text)) => pieces.push(decoder.piece(&text)),
                (None, None) => pieces.push([]),
            }
        }
        let (before, after) = match Step::new("post-processor", &file.post_processor)? {
            Some(step) => post_processor::around(step)?,
            None => Default::default(),
        };
        if before.iter().chain(&after).any(|&id| id as usize >= n_vocab) {
            return Err(bad("its post-processor names a token that it does not have"));
        }
        let prefixes_space = decoder.strips_space();
        let model = Model { added, normalizer, words, bpe, pieces, prefixes_space, before, after };
        Ok(TokenizerJson(Arc::new(model)))
    }

    /// Number of tokens: one more than the highest id.
    pub fn n_vocab(&self) -> usize {
        self.0.pieces.len()
    }

    /// Appends the tokens of a text. Without `parse_special`, special tokens in it are text.
    pub(super) fn encode(&self, text: &str, parse_special: bool, ids: &mut Vec<u32>) -> Result<()> {
        let model = &*self.0;
        let mut at_start = true;
        for part in model.added.raw.split(text, parse_special) {
            match part {
                Part::Token(id) => ids.push(id),
                Part::Text(text) => {
                    let normal = model.normalizer.apply(text);
                    for part in model.added.normalized.split(&normal, parse_special) {
                        match part {
                            Part::Token(id) => ids.push(id),
                            Part::Text(text) => model.merge(text, at_start, ids)?,
                        }
                        at_start = false;
                    }
                }
            }
            at_start = false;
        }
        Ok(())
    }

    pub(super) fn piece(&self, id: u32) -> &[u8] {
        self.0.pieces.get(id)
    }

    pub(super) fn prefixes_space(&self) -> bool {
        self.0.prefixes_space
    }

    /// Tokens that the file puts before a text, and behind it.
    pub(super) fn around(&self) -> (&[u32], &[u32]) {
        (&self.0.before, &self.0.after)
    }

    /// Whether a token is an added one.
    pub(super) fn is_added(&self, id: u32) -> bool {
        self.0.added.get(id).is_some()
    }

    /// Whether it is an added token that is special, which text alone never stands for.
    pub(super) fn is_special(&self, id: u32) -> bool {
        self.0.added.get(id).is_some_and(|token| token.special)
    }

    /// Text and type of each token.
    pub(super) fn vocabulary(&self) -> (Vec<String>, Vec<TokenType>) {
        let of = |id| match (self.0.added.get(id), self.0.bpe.id_to_token(id)) {
            (Some(token), _) if token.special => (token.content.clone(), TokenType::CONTROL),
            (Some(token), _) => (token.content.clone(), TokenType::USER_DEFINED),
            (None, Some(text)) => (text, TokenType::NORMAL),
            (None, None) => (String::new(), TokenType::UNUSED),
        };
        (0..self.n_vocab() as u32).map(of).unzip()
    }
}

impl Model {
    /// Appends the tokens of a text without added tokens.
    fn merge(&self, text: &str, at_start: bool, ids: &mut Vec<u32>) -> Result<()> {
        for word in self.words.split(text, at_start) {
            let tokens = self.bpe.tokenize(&word).map_err(|error| bad(error.to_string()))?;
            ids.extend(tokens.iter().map(|token| token.id));
        }
        Ok(())
    }
}

fn bpe(model: ModelPart) -> Result<BPE> {
    let kind = model.kind.as_deref().unwrap_or("BPE");
    let Some(vocab) = model.vocab.0 else {
        return Err(unknown("model", if kind == "BPE" { "Unigram" } else { kind }));
    };
    if kind != "BPE" {
        return Err(unknown("model", kind));
    }
    if model.dropout.is_some_and(|dropout| dropout != 0.0) {
        return Err(unknown("model", "BPE with dropout"));
    }
    let affixes = [model.continuing_subword_prefix, model.end_of_word_suffix];
    if affixes.iter().flatten().any(|affix| !affix.is_empty()) {
        return Err(unknown("model", "BPE with marks within words"));
    }
    if model.unk_token.as_ref().is_some_and(|unknown| !vocab.contains_key(unknown)) {
        return Err(bad("its vocabulary lacks the unknown token"));
    }
    // The crate takes merges on trust, and would panic on a pair longer than any token.
    let longest = vocab.keys().map(String::len).max().unwrap_or(0);
    let mut merges = Merges::new();
    for MergePart(left, right) in model.merges {
        // The head of the lists of old.
        if left.starts_with("#version") && !vocab.contains_key(&left) {
            continue;
        }
        if left.len() + right.len() > longest {
            return Err(bad(format!("its vocabulary lacks what \"{left}\" and \"{right}\" make")));
        }
        merges.push((left, right));
    }
    let mut builder = BPE::builder()
        .vocab_and_merges(vocab.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges)
        // A cache of words would grow with the text; merging is quick enough.
        .cache_capacity(0)
        .fuse_unk(model.fuse_unk == Some(true))
        .byte_fallback(model.byte_fallback == Some(true))
        .ignore_merges(model.ignore_merges == Some(true));
    if let Some(unknown) = model.unk_token {
        builder = builder.unk_token(unknown);
    }
    builder.build().map_err(|error| bad(error.to_string()))
}

/// One more than the highest id.
fn n_vocab(bpe: &BPE, added: &Added) -> Result<usize> {
    let of_model = bpe.get_vocab().into_values();
    match of_model.chain(added.ids()).max() {
        None => Err(bad("it has no tokens")),
        Some(id) if id as usize >= MAX_TOKENS => Err(bad(format!("it has a token {id}"))),
        Some(id) => Ok(id as usize + 1),
    }
}

fn bad(what: impl Into<String>) -> Error {
    Error::BadTokenizer { what: what.into() }
}

/// That a part is of a kind without an implementation here.
fn unknown(part: &str, kind: &str) -> Error {
    bad(format!("its {part} is {kind}, which is not supported yet"))
}
