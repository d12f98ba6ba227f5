//! SentencePiece BPE (`tokenizer.ggml.model` = `llama`).
//!
//! The text is one word: spaces become `▁`, and the two neighbours whose union is the
//! token with the highest score are merged first, the left ones of equal score. What is
//! no token in the end is written byte by byte.
//!
//! This stands beside the `tokenizers` crate because its BPE merges by a list of ranked
//! pairs. Such a list can be made from the scores, but it is three times as large as the
//! vocabulary, and where scores are equal the pairs' order is not that of the text.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::pieces::{Pieces, byte_of};
use super::token_type::TokenType;
use super::{Vocabulary, unusable};
use crate::Result;
use crate::gguf::Metadata;

const SCORES: &str = "tokenizer.ggml.scores";

/// A SentencePiece BPE model.
#[derive(Debug)]
pub(super) struct SentencePiece {
    /// The tokens' texts as in the file.
    texts: Pieces,
    types: Vec<TokenType>,
    scores: Vec<f32>,
    index: Index,
    /// The token of each byte; that for what is unknown where a byte has none.
    bytes: [Option<u32>; 256],
    /// Whether a text begins with a space that is not in it.
    prefixes_space: bool,
}

impl SentencePiece {
    pub(super) fn new(metadata: &Metadata, vocabulary: Vocabulary<'_>) -> Result<SentencePiece> {
        let n_vocab = vocabulary.texts.len();
        let scores = scores(metadata, n_vocab)?;
        let n_bytes = vocabulary.texts.iter().map(String::len).sum();
        let mut texts = Pieces::with_capacity(n_vocab, n_bytes);
        vocabulary.texts.iter().for_each(|text| texts.push(text.bytes()));
        let index = Index::new(&texts);

        let unknown = metadata.opt_u32("tokenizer.ggml.unknown_token_id")?.unwrap_or(0);
        let unknown = Some(unknown).filter(|id| (*id as usize) < n_vocab);
        let bytes = std::array::from_fn(|byte| {
            let written = index.find(&texts, format!("<0x{byte:02X}>").as_bytes());
            written.or_else(|| index.find(&texts, &[byte as u8])).or(unknown)
        });
        let prefixes_space = metadata.opt_bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
        Ok(SentencePiece { texts, types: vocabulary.types, scores, index, bytes, prefixes_space })
    }

    /// Appends the tokens of a text without special tokens. `begins` tells whether it
    /// stands at the beginning or behind a special token.
    ///
    /// Takes time n log n for n characters: each merge removes a character and adds at
    /// most two candidates to the queue.
    pub(super) fn encode(&self, text: &str, begins: bool, ids: &mut Vec<u32>) {
        let prefix = if begins && self.prefixes_space { "▁" } else { "" };
        let text = prefix.to_owned() + &text.replace(' ', "▁");
        let mut merging = Merging::new(self, text.as_bytes(), text.char_indices());
        merging.run();
        for symbol in merging.symbols.iter().filter(|symbol| symbol.len > 0) {
            let bytes = merging.bytes(symbol.start, symbol.len);
            match self.index.find(&self.texts, bytes) {
                Some(id) => ids.push(id),
                None => ids.extend(bytes.iter().filter_map(|&byte| self.bytes[byte as usize])),
            }
        }
    }

    pub(super) fn prefixes_space(&self) -> bool {
        self.prefixes_space
    }

    pub(super) fn piece(&self, id: u32) -> Cow<'_, [u8]> {
        piece(&self.texts, &self.types, id)
    }

    pub(super) fn n_vocab(&self) -> usize {
        self.texts.len()
    }
}

/// The bytes that a token stands for.
pub(super) fn piece<'a>(texts: &'a Pieces, types: &[TokenType], id: u32) -> Cow<'a, [u8]> {
    let text = texts.get(id);
    let Some(token_type) = types.get(id as usize) else { return Cow::Borrowed(&[]) };
    // The texts come from strings.
    let string = || std::str::from_utf8(text).unwrap_or_default();
    if token_type.is_special() {
        Cow::Borrowed(text)
    } else if token_type.is(TokenType::BYTE) {
        Cow::Owned(byte_of(string()).into_iter().collect())
    } else if !token_type.is(TokenType::NORMAL) {
        Cow::Borrowed(&[])
    } else if string().contains('▁') {
        Cow::Owned(string().replace('▁', " ").into_bytes())
    } else {
        Cow::Borrowed(text)
    }
}

/// The score of each token, all equal where the file has none.
pub(super) fn scores(metadata: &Metadata, n_vocab: usize) -> Result<Vec<f32>> {
    let scores = match metadata.opt_f32s(SCORES) {
        Ok(None) => return Ok(vec![0.0; n_vocab]),
        Ok(Some(scores)) => scores.to_vec(),
        Err(_) => metadata.i32s(SCORES)?.iter().map(|&score| score as f32).collect(),
    };
    let scores = scores.get(..n_vocab).ok_or_else(|| unusable(SCORES))?;
    // -0.0 + 0.0 is 0.0: `total_cmp` must not tell them apart.
    Ok(scores.iter().map(|score| score + 0.0).collect())
}

/// Finds tokens by their text: a hash table of ids, open addressing, over the texts that
/// are kept anyway. A map of strings would hold all texts once more.
#[derive(Debug)]
pub(super) struct Index {
    /// Ids plus one; 0 is free. A power of two, at most half full.
    slots: Vec<u32>,
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl Index {
    /// Of tokens with the same text, the last one is found.
    pub(super) fn new(texts: &Pieces) -> Index {
        let slots = vec![0; (texts.len() * 2).next_power_of_two()];
        let mut index = Index { slots, hasher: BuildHasherDefault::default() };
        for id in 0..texts.len() as u32 {
            let slot = index.slot(texts, texts.get(id));
            index.slots[slot] = id + 1;
        }
        index
    }

    pub(super) fn find(&self, texts: &Pieces, text: &[u8]) -> Option<u32> {
        self.slots[self.slot(texts, text)].checked_sub(1)
    }

    /// The slot that holds `text`, or the free one where it would go.
    fn slot(&self, texts: &Pieces, text: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(text) as usize & mask;
        while self.slots[slot] != 0 && texts.get(self.slots[slot] - 1) != text {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// No neighbour.
const NONE: u32 = u32::MAX;

/// A run of characters that is, or may become, a token.
struct Symbol {
    /// Its first byte in the text.
    start: u32,
    /// Its bytes; 0 once it is merged into its left neighbour.
    len: u32,
    previous: u32,
    next: u32,
}

/// Two neighbours whose union is a token.
struct Candidate {
    score: f32,
    left: u32,
    right: u32,
    /// The bytes of both: other ones mean that one has changed since.
    len: u32,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// One text on its way to tokens.
struct Merging<'a> {
    model: &'a SentencePiece,
    text: &'a [u8],
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Candidate>,
}

impl<'a> Merging<'a> {
    fn new(
        model: &'a SentencePiece,
        text: &'a [u8],
        chars: impl Iterator<Item = (usize, char)>,
    ) -> Merging<'a> {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        for (start, c) in chars {
            // A text has less than 4 GiB, so these fit.
            let at = symbols.len() as u32;
            symbols.push(Symbol {
                start: start as u32,
                len: c.len_utf8() as u32,
                previous: at.checked_sub(1).unwrap_or(NONE),
                next: at + 1,
            });
        }
        if let Some(last) = symbols.last_mut() {
            last.next = NONE;
        }
        Merging { model, text, symbols, queue: BinaryHeap::new() }
    }

    fn bytes(&self, start: u32, len: u32) -> &'a [u8] {
        &self.text[start as usize..(start + len) as usize]
    }

    fn run(&mut self) {
        for right in 1..self.symbols.len() as u32 {
            self.consider(right - 1, right);
        }
        while let Some(Candidate { left, right, len, .. }) = self.queue.pop() {
            let (l, r) = (&self.symbols[left as usize], &self.symbols[right as usize]);
            if l.len == 0 || r.len == 0 || l.len + r.len != len {
                continue;
            }
            let next = r.next;
            self.symbols[right as usize].len = 0;
            self.symbols[left as usize].len = len;
            self.symbols[left as usize].next = next;
            if next != NONE {
                self.symbols[next as usize].previous = left;
            }
            self.consider(self.symbols[left as usize].previous, left);
            self.consider(left, next);
        }
    }

    /// Queues two neighbours if their union is a token.
    fn consider(&mut self, left: u32, right: u32) {
        if left == NONE || right == NONE {
            return;
        }
        let start = self.symbols[left as usize].start;
        let len = self.symbols[left as usize].len + self.symbols[right as usize].len;
        if let Some(id) = self.model.index.find(&self.model.texts, self.bytes(start, len)) {
            let score = self.model.scores[id as usize];
            self.queue.push(Candidate { score, left, right, len });
        }
    }
}
