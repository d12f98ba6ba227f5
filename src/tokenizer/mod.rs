//! Text to tokens and back, from the vocabulary in a GGUF file.

use crate::gguf::Metadata;
use crate::{Error, Result};
use std::borrow::Cow;
use std::collections::HashMap;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::{Model, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

mod text_stream;
pub use text_stream::TextStream;

/// Byte-level BPE.
pub struct Tokenizer {
    bpe: BPE,
    pieces: Vec<Vec<u8>>,
    special: Vec<(String, u32)>,
    eos: Option<u32>,
    bos: Option<u32>,
    end: Vec<u32>,
}

impl Tokenizer {
    /// Reads the keys `tokenizer.ggml.*`.
    pub fn from_gguf(md: &Metadata) -> Result<Tokenizer> {
        let kind = md.str("tokenizer.ggml.model")?;
        if kind != "gpt2" {
            return Err(Error::UnsupportedTokenizer { kind: kind.into() });
        }
        let tokens = md.strings("tokenizer.ggml.tokens")?;
        let types = md.i32s("tokenizer.ggml.token_type")?;
        let merges = md.strings("tokenizer.ggml.merges")?;
        let vocab: HashMap<String, u32> =
            tokens.iter().enumerate().map(|(i, t)| (t.clone(), i as u32)).collect();
        let pairs =
            merges.iter().filter_map(|m| m.split_once(' ')).map(|(a, b)| (a.into(), b.into()));
        let bpe = BPE::builder()
            .vocab_and_merges(
                vocab.into_iter().collect::<tokenizers::models::bpe::Vocab>(),
                pairs.collect::<Vec<(String, String)>>(),
            )
            .cache_capacity(0)
            .build()
            .map_err(|e| Error::BadHeader { what: e.to_string() })?;
        let bytes = byte_of_char();
        let pieces = tokens
            .iter()
            .zip(types.iter())
            .map(|(t, ty)| {
                if *ty == 3 {
                    t.clone().into_bytes()
                } else {
                    t.chars().flat_map(|c| bytes.get(&c).copied()).collect()
                }
            })
            .collect();
        let mut special: Vec<(String, u32)> = tokens
            .iter()
            .zip(types.iter())
            .enumerate()
            .filter(|(_, (_, ty))| matches!(**ty, 3 | 4))
            .map(|(i, (t, _))| (t.clone(), i as u32))
            .collect();
        special.sort_by_key(|(t, _)| std::cmp::Reverse(t.len()));
        let eos = md.opt_u32("tokenizer.ggml.eos_token_id")?;
        let end = special
            .iter()
            .filter(|(t, _)| ["<|im_end|>", "<|endoftext|>"].contains(&t.as_str()))
            .map(|(_, i)| *i)
            .chain(eos)
            .collect();
        Ok(Tokenizer {
            bpe,
            pieces,
            special,
            eos,
            bos: md.opt_u32("tokenizer.ggml.bos_token_id")?,
            end,
        })
    }

    /// Text to ids.
    pub fn encode(&self, text: &str, _add_special: bool, parse_special: bool) -> Result<Vec<u32>> {
        let mut out = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let next = if parse_special {
                self.special
                    .iter()
                    .filter_map(|(t, i)| rest.find(t.as_str()).map(|at| (at, t.len(), *i)))
                    .min_by_key(|(at, len, _)| (*at, usize::MAX - len))
            } else {
                None
            };
            let (at, len, id) = next.map_or((rest.len(), 0, None), |(a, l, i)| (a, l, Some(i)));
            self.plain(&rest[..at], &mut out)?;
            out.extend(id);
            rest = &rest[at + len..];
        }
        Ok(out)
    }

    fn plain(&self, text: &str, out: &mut Vec<u32>) -> Result<()> {
        let mut p = PreTokenizedString::from(text);
        let bad = |e: tokenizers::Error| Error::Internal { what: e.to_string() };
        Digits::new(true).pre_tokenize(&mut p).map_err(bad)?;
        ByteLevel::new(false, true, true).pre_tokenize(&mut p).map_err(bad)?;
        for (s, _, _) in p.get_splits(OffsetReferential::Original, OffsetType::None) {
            out.extend(self.bpe.tokenize(s).map_err(bad)?.iter().map(|t| t.id));
        }
        Ok(())
    }

    /// Ids to text.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|i| self.piece(*i).into_owned()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
    /// Bytes of a token.
    pub fn piece(&self, id: u32) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.pieces.get(id as usize).map_or(&[], |p| p))
    }
    /// Size of the vocabulary.
    pub fn n_vocab(&self) -> usize {
        self.pieces.len()
    }
    /// Beginning of sequence.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }
    /// End of sequence.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }
    /// Ends a generation.
    pub fn is_end_of_generation(&self, id: u32) -> bool {
        self.end.contains(&id)
    }
}

fn byte_of_char() -> HashMap<char, u8> {
    let mut n = 0;
    (0..=255u8)
        .map(|b| {
            let printable = matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
            let c = if printable {
                b as char
            } else {
                n += 1;
                char::from_u32(255 + n).unwrap_or(' ')
            };
            (c, b)
        })
        .collect()
}
