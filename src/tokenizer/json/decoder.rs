//! The decoder, as far as it can be done token by token: the bytes that each stands for.

use serde::Deserialize;

use super::super::byte_level::{ByteOfChar, byte_chars};
use super::super::pieces::byte_of;
use super::words::PrependScheme;
use super::{Pattern, bad, unknown};
use crate::Result;

/// A decoder, as the file describes it.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Part {
    Sequence {
        decoders: Vec<Part>,
    },
    ByteLevel,
    ByteFallback,
    /// Joins the tokens, which are joined anyway.
    Fuse,
    Replace {
        pattern: Pattern,
        content: String,
    },
    Strip {
        content: char,
        start: usize,
        stop: usize,
    },
    Metaspace {
        #[serde(default = "super::words::metaspace")]
        replacement: char,
        prepend_scheme: Option<PrependScheme>,
        add_prefix_space: Option<bool>,
    },
}

/// What is done to each token's text.
#[derive(Default)]
pub(super) struct Decoder {
    /// The byte of each character, if characters stand for bytes.
    bytes: Option<ByteOfChar>,
    /// Whether `<0xHH>` stands for a byte.
    byte_fallback: bool,
    replaced: Vec<(String, String)>,
    fused: bool,
    strips_space: bool,
}

impl Decoder {
    /// `byte_fallback` tells whether the model writes bytes as `<0xHH>`.
    pub(super) fn new(part: Option<Part>, byte_fallback: bool) -> Result<Decoder> {
        let mut decoder = Decoder::default();
        // Without one, `tokenizers` would put a space between all tokens.
        decoder.add(part.ok_or_else(|| bad("it has no decoder"))?)?;
        decoder.byte_fallback &= byte_fallback;
        Ok(decoder)
    }

    fn add(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Sequence { decoders } => {
                return decoders.into_iter().try_for_each(|part| self.add(part));
            }
            Part::ByteLevel => self.bytes = Some(ByteOfChar::new(&byte_chars())),
            Part::ByteFallback => self.byte_fallback = true,
            Part::Fuse => self.fused = true,
            Part::Replace { pattern: Pattern::String(text), content } if !text.is_empty() => {
                self.replaced.push((text, content));
            }
            Part::Replace { .. } => return Err(unknown("decoder", "Replace of a pattern")),
            // Of the whole text; before it is whole, each token would lose its space.
            Part::Strip { content: ' ', start: 1, stop: 0 } if self.fused => {
                self.strips_space = true;
            }
            Part::Strip { start: 0, stop: 0, .. } => {}
            Part::Strip { .. } => return Err(unknown("decoder", "Strip of more than a space")),
            Part::Metaspace { replacement, prepend_scheme, add_prefix_space } => {
                self.replaced.push((replacement.into(), " ".into()));
                let never = prepend_scheme == Some(PrependScheme::Never);
                self.strips_space = !never && add_prefix_space != Some(false);
            }
        }
        Ok(())
    }

    /// Whether the space that a text begins with is taken away.
    pub(super) fn strips_space(&self) -> bool {
        self.strips_space
    }

    /// The bytes of a token of the model.
    pub(super) fn piece(&self, text: &str) -> Vec<u8> {
        if let Some(bytes) = &self.bytes {
            // One that has other characters is no byte-level token.
            let bytes: Option<Vec<u8>> = text.chars().map(|c| bytes.get(c)).collect();
            return bytes.unwrap_or_else(|| text.into());
        }
        match byte_of(text).filter(|_| self.byte_fallback) {
            Some(byte) => vec![byte],
            None => self.added(text),
        }
    }

    /// The bytes of an added token, whose characters are always characters.
    pub(super) fn added(&self, text: &str) -> Vec<u8> {
        let replace = |text: String, (from, to): &(String, String)| text.replace(&from[..], to);
        self.replaced.iter().fold(text.to_owned(), replace).into_bytes()
    }
}
