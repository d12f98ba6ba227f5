//! The decoder, as far as it can be done token by token: the bytes that each stands for.

use super::super::byte_level::{ByteOfChar, byte_chars};
use super::super::pieces::byte_of;
use super::part::{Part, Pattern, PrependScheme};
use super::{bad, unknown};
use crate::Result;

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
    pub(super) fn new(part: Option<Part<'_>>, byte_fallback: bool) -> Result<Decoder> {
        let mut decoder = Decoder::default();
        // Without one, `tokenizers` would put a space between all tokens.
        decoder.add(part.ok_or_else(|| bad("it has no decoder"))?)?;
        decoder.byte_fallback &= byte_fallback;
        Ok(decoder)
    }

    fn add(&mut self, part: Part<'_>) -> Result<()> {
        match part.kind {
            "Sequence" => {
                return part.steps("decoders")?.into_iter().try_for_each(|part| self.add(part));
            }
            "ByteLevel" => self.bytes = Some(ByteOfChar::new(&byte_chars())),
            "ByteFallback" => self.byte_fallback = true,
            // Joins the tokens, which are joined anyway.
            "Fuse" => self.fused = true,
            "Replace" => match part.pattern()? {
                Pattern::Text(text) if !text.is_empty() => {
                    self.replaced.push((text.into(), part.text("content")?.into()));
                }
                _ => return Err(unknown("decoder", "Replace of a pattern")),
            },
            "Strip" => {
                let count = |name| part.field(name).as_u64().ok_or_else(|| part.lacks(name));
                match (count("start")?, count("stop")?, part.text("content")?) {
                    (0, 0, _) => {}
                    // Of the whole text; before it is whole, each token would lose its space.
                    (1, 0, " ") if self.fused => self.strips_space = true,
                    _ => return Err(unknown("decoder", "Strip of more than a space")),
                }
            }
            "Metaspace" => {
                let (mark, scheme) = part.metaspace()?;
                self.replaced.push((mark.into(), " ".into()));
                self.strips_space = scheme != PrependScheme::Never;
            }
            _ => return Err(part.unknown()),
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
