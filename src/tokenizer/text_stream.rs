//! Text from tokens, as they come.

/// U+200D, which joins the character before it with the one behind.
const JOINER: char = '\u{200d}';

/// Turns the [pieces](super::Tokenizer::piece) of a stream of tokens into text.
///
/// A token may end within a character, or within what the reader sees as one. Such an
/// end is held back until the next token decides:
///
/// - the bytes of an unfinished character;
/// - a zero-width joiner, which would join a family emoji to a member still to come;
/// - the first half of a flag (a regional indicator without its pair).
///
/// Bytes that are no UTF-8 become U+FFFD. All texts returned, one after the other, are
/// what [`String::from_utf8_lossy`] makes of all pieces together.
#[derive(Debug, Default, Clone)]
pub struct TextStream {
    held: Vec<u8>,
}

impl TextStream {
    /// A stream at its beginning.
    pub fn new() -> TextStream {
        TextStream::default()
    }

    /// Takes the next piece, and returns the text that is certain now.
    pub fn push(&mut self, piece: &[u8]) -> String {
        self.held.extend_from_slice(piece);
        let (mut text, mut decoded) = (String::new(), 0);
        let unfinished = loop {
            let rest = &self.held[decoded..];
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    break 0;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    // Valid, as the error says.
                    text.push_str(std::str::from_utf8(valid).unwrap_or_default());
                    let Some(invalid) = error.error_len() else { break after.len() };
                    text.push(char::REPLACEMENT_CHARACTER);
                    decoded += valid.len() + invalid;
                }
            }
        };
        let certain = certain_length(&text);
        // The text held back is valid UTF-8, so its bytes are those that came in.
        let keep = text.len() - certain + unfinished;
        self.held.drain(..self.held.len() - keep);
        text.truncate(certain);
        text
    }

    /// Returns what is held back, at the end of the stream.
    pub fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        String::from_utf8_lossy(&held).into_owned()
    }
}

/// Bytes of a text without an end that waits for the next character.
fn certain_length(text: &str) -> usize {
    if text.ends_with(JOINER) {
        return text.len() - JOINER.len_utf8();
    }
    let is_half_flag = |c: &char| ('\u{1f1e6}'..='\u{1f1ff}').contains(c);
    let halves = text.chars().rev().take_while(is_half_flag).count();
    // Each half has four bytes.
    text.len() - halves % 2 * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(pieces: &[&[u8]]) -> Vec<String> {
        let mut stream = TextStream::new();
        let mut texts: Vec<String> = pieces.iter().map(|piece| stream.push(piece)).collect();
        texts.push(stream.finish());
        assert_eq!(stream.finish(), "");
        texts
    }

    #[test]
    fn holds_back_unfinished_characters() {
        assert_eq!(stream(&[b"a\xc3", b"\xa9b"]), ["a", "éb", ""]);
        assert_eq!(stream(&[b"\xf0", b"\x9f", b"\x98", b"\x80"]), ["", "", "", "😀", ""]);
        assert_eq!(stream(&[b"a\xf0\x9f"]), ["a", "\u{fffd}"]);
    }

    #[test]
    fn replaces_invalid_bytes() {
        assert_eq!(stream(&[b"a\xffb", b"\x80"]), ["a\u{fffd}b", "\u{fffd}", ""]);
        assert_eq!(stream(&[b"\xe2\x82", b"x"]), ["", "\u{fffd}x", ""]);
        assert_eq!(stream(&[b"\xf0\x9f", b"\xff"]), ["", "\u{fffd}\u{fffd}", ""]);
    }

    #[test]
    fn holds_back_joiners_and_half_flags() {
        let parts = ["👨", "\u{200d}", "👩", "\u{200d}👧", "!"];
        let pieces = parts.map(str::as_bytes);
        assert_eq!(stream(&pieces), ["👨", "", "\u{200d}👩", "\u{200d}👧", "!", ""]);
        let halves = ["\u{1f1ee}", "\u{1f1f9}", "x\u{1f1eb}", "\u{1f1f7}\u{1f1e9}", "\u{1f1ea}"];
        let pieces = halves.map(str::as_bytes);
        assert_eq!(stream(&pieces), ["", "🇮🇹", "x", "🇫🇷", "🇩🇪", ""]);
        assert_eq!(stream(&["\u{1f1ee}".as_bytes(), b"\xff"]), ["", "\u{1f1ee}\u{fffd}", ""]);
        assert_eq!(stream(&["a\u{200d}".as_bytes()]), ["a", "\u{200d}"]);
    }

    #[test]
    fn is_the_whole_cut_anywhere() {
        let bytes = "añ€😀👨‍👩‍👧🇮🇹🇫🇷🇩\u{200d}\u{200d} z".as_bytes();
        let mut random = 7u64;
        for round in 0..20_000 {
            let mut whole = bytes.to_vec();
            let mut pieces: Vec<Vec<u8>> = Vec::new();
            while !whole.is_empty() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let length = (random >> 60) as usize % 6;
                let rest = whole.split_off(length.min(whole.len()));
                // Damage some bytes in most rounds.
                if round % 4 > 0 && (random >> 50).is_multiple_of(5) {
                    whole.iter_mut().for_each(|byte| *byte ^= (random >> 40) as u8);
                }
                pieces.push(std::mem::replace(&mut whole, rest));
            }
            let joined = pieces.concat();
            let expected = String::from_utf8_lossy(&joined);
            let (mut stream, mut text) = (TextStream::new(), String::new());
            for piece in &pieces {
                text += &stream.push(piece);
                assert!(expected.starts_with(&text), "{pieces:x?}");
                // Held back: at most half a flag and an unfinished character.
                assert!(stream.held.len() <= 7);
            }
            assert_eq!(text + &stream.finish(), expected, "{pieces:x?}");
        }
    }
}
