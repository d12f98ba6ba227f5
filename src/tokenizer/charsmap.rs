//! SentencePiece's map of characters (`tokenizer.ggml.precompiled_charsmap`): the longest
//! match at each place is replaced.
//!
//! The bytes are the length of a trie, the trie, and the replacements, each ended by a zero.
//! The trie is a double array of u32 (Darts): bits 10 to 30 the offset to the children
//! (times 256 with bit 9), bit 8 whether a match ends here, bits 0 to 7 the label.

use super::unusable;
use crate::Result;
use crate::gguf::{Array, Metadata, Value};

const KEY: &str = "tokenizer.ggml.precompiled_charsmap";

/// The map; empty where the file has none.
#[derive(Debug, Default)]
pub(super) struct Charsmap {
    trie: Vec<u32>,
    replacements: Vec<u8>,
}

impl Charsmap {
    pub(super) fn new(metadata: &Metadata) -> Result<Charsmap> {
        let bytes: Vec<u8> = match metadata.get(KEY) {
            None => return Ok(Charsmap::default()),
            Some(Value::Array(Array::U8(bytes))) => bytes.clone(),
            Some(Value::Array(Array::I8(bytes))) => bytes.iter().map(|&b| b as u8).collect(),
            Some(_) => return Err(unusable(KEY)),
        };
        let (length, rest) = bytes.split_first_chunk().ok_or_else(|| unusable(KEY))?;
        let length = u32::from_le_bytes(*length) as usize;
        if length >= rest.len() {
            return Err(unusable(KEY));
        }
        let (trie, replacements) = rest.split_at(length);
        let unit = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
        Ok(Charsmap {
            trie: trie.chunks_exact(4).map(unit).collect(),
            replacements: replacements.to_vec(),
        })
    }

    /// The text with all matches replaced. What a damaged map would make of it other than
    /// UTF-8 stays as it is.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut mapped = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (length, replacement) = match self.longest(rest) {
                Some(found) => found,
                None => (c.len_utf8(), &rest[..c.len_utf8()]),
            };
            mapped.push_str(replacement);
            rest = &rest[length..];
        }
        mapped
    }

    /// The bytes of the longest match at the beginning of a text, and what replaces them.
    fn longest<'a>(&'a self, text: &str) -> Option<(usize, &'a str)> {
        let offset = |unit: u32| (unit >> 10) << ((unit & (1 << 9)) >> 6);
        let mut node = offset(*self.trie.first()?) as usize;
        let mut found = None;
        for (at, byte) in text.bytes().enumerate() {
            node ^= byte as usize;
            let Some(&unit) = self.trie.get(node) else { break };
            if byte == 0 || unit & ((1 << 31) | 0xff) != u32::from(byte) {
                break;
            }
            node ^= offset(unit) as usize;
            if (unit >> 8) & 1 == 1 {
                let start = self.trie.get(node).map(|value| (value & !(1 << 31)) as usize);
                found = start.map(|start| (at + 1, start));
            }
        }
        let (length, start) = found.filter(|&(length, _)| text.is_char_boundary(length))?;
        let replacement = self.replacements.get(start..)?;
        let end = replacement.iter().position(|&byte| byte == 0)?;
        Some((length, std::str::from_utf8(&replacement[..end]).ok()?))
    }
}
