//! Special tokens in text: found first, so that what stands between them is plain.

use super::token_type::TokenType;
use super::{Vocabulary, unusable};
use crate::Result;
use crate::gguf::Metadata;

/// A piece of text on its way to tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A special token.
    Token(u32),
    /// Text without special tokens, not empty.
    Text(&'a str),
}

/// The special tokens of a vocabulary.
#[derive(Debug)]
pub(super) struct SpecialTokens {
    /// By descending length.
    groups: Vec<Group>,
    /// Ids, ascending.
    ids: Vec<u32>,
    /// Of these, those that text alone never stands for.
    control: Vec<u32>,
    /// Whether any token's text begins with this byte.
    first_bytes: [bool; 256],
}

/// Special tokens of one length.
#[derive(Debug)]
struct Group {
    /// Bytes of each token's text.
    length: usize,
    /// Whether some are read from any text.
    always: bool,
    /// Sorted by text, byte by byte.
    tokens: Vec<SpecialToken>,
}

#[derive(Debug)]
struct SpecialToken {
    text: Box<str>,
    id: u32,
    /// Whether it is read only where `parse_special` asks for it.
    on_request: bool,
    /// Whether the white space behind it is dropped.
    strips_after: bool,
}

/// A token found in a text.
#[derive(Debug, Clone, Copy)]
struct Found {
    start: usize,
    /// Where the text goes on: behind the token, and the white space dropped.
    next: usize,
    id: u32,
    strips_after: bool,
}

impl Default for SpecialTokens {
    /// None.
    fn default() -> SpecialTokens {
        let (groups, ids, control) = Default::default();
        SpecialTokens { groups, ids, control, first_bytes: [false; 256] }
    }
}

impl SpecialTokens {
    pub(super) fn new(metadata: &Metadata, vocabulary: &Vocabulary<'_>) -> Result<SpecialTokens> {
        // Phi-3's files do not say that its tokens swallow the white space behind them.
        let name = metadata.opt_str("general.name")?.unwrap_or_default().to_lowercase();
        let phi3 = name.contains("phi-3") || name.contains("phi3");
        let control = TokenType::CONTROL.or(TokenType::UNKNOWN);
        let mut tokens = Vec::new();
        for (id, (text, token_type)) in (0..).zip(vocabulary.texts.iter().zip(&vocabulary.types)) {
            if token_type.is_special() && !text.is_empty() {
                tokens.push(SpecialToken {
                    text: text.as_str().into(),
                    id,
                    on_request: token_type.is(control),
                    strips_after: phi3 && !["<unk>", "<s>", "<|endoftext|>"].contains(&&**text),
                });
            }
        }
        let ids = tokens.iter().map(|token| token.id).collect();
        let control = tokens.iter().filter(|token| token.on_request).map(|token| token.id);
        let control = control.collect();
        let mut first_bytes = [false; 256];
        for token in &tokens {
            first_bytes[token.text.as_bytes()[0] as usize] = true;
        }
        Ok(SpecialTokens { groups: group(tokens)?, ids, control, first_bytes })
    }

    /// Whether a token is special.
    pub(super) fn contains(&self, id: u32) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    /// Whether a token is read from text only on request.
    pub(super) fn is_control(&self, id: u32) -> bool {
        self.control.binary_search(&id).is_ok()
    }

    /// Cuts a text at its special tokens.
    ///
    /// As in llama.cpp, longer tokens come first anywhere in the text, and of equally long
    /// ones that with the lower id: with `ab` and `bcd`, `abcd` is cut to `a`, `bcd`. The
    /// time is proportional to the text, times the number of lengths that tokens have.
    pub(super) fn split<'a>(&self, text: &'a str, parse_special: bool) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        for group in self.groups.iter().filter(|group| parse_special || group.always) {
            let mut cut = Vec::with_capacity(parts.len());
            for part in parts {
                match part {
                    Part::Text(text) => self.cut(text, group, parse_special, &mut cut),
                    Part::Token(_) => cut.push(part),
                }
            }
            parts = cut;
        }
        parts
    }

    /// Cuts a text at the tokens of one length.
    fn cut<'a>(
        &self,
        text: &'a str,
        group: &Group,
        parse_special: bool,
        parts: &mut Vec<Part<'a>>,
    ) {
        let mut at = 0;
        for found in choose(text, group.length, self.find(text, group, parse_special)) {
            if at < found.start {
                parts.push(Part::Text(&text[at..found.start]));
            }
            parts.push(Part::Token(found.id));
            at = found.next;
        }
        if at < text.len() {
            parts.push(Part::Text(&text[at..]));
        }
    }

    /// All occurrences of tokens of one length, by ascending start.
    fn find(&self, text: &str, group: &Group, parse_special: bool) -> Vec<Found> {
        let starts = 0..(text.len() + 1).saturating_sub(group.length);
        let found = |start: usize| {
            let next = start + group.length;
            let bytes = &text.as_bytes()[start..next];
            if !self.first_bytes[bytes[0] as usize] {
                return None;
            }
            let at =
                group.tokens.binary_search_by(|token| token.text.as_bytes().cmp(bytes)).ok()?;
            let SpecialToken { id, on_request, strips_after, .. } = group.tokens[at];
            (parse_special || !on_request).then_some(Found { start, next, id, strips_after })
        };
        starts.filter_map(found).collect()
    }
}

/// Groups tokens by length.
fn group(mut tokens: Vec<SpecialToken>) -> Result<Vec<Group>> {
    tokens.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then_with(|| a.text.cmp(&b.text)));
    let mut groups: Vec<Group> = Vec::new();
    for token in tokens {
        let (length, always) = (token.text.len(), !token.on_request);
        match groups.last_mut().filter(|group| group.length == length) {
            // A vocabulary with the same special text twice contradicts itself.
            Some(group) if group.tokens.last().is_some_and(|last| last.text == token.text) => {
                return Err(unusable("tokenizer.ggml.tokens"));
            }
            Some(group) => {
                group.always |= always;
                group.tokens.push(token);
            }
            None => groups.push(Group { length, always, tokens: vec![token] }),
        }
    }
    Ok(groups)
}

/// Of overlapping occurrences that of the lowest id, of one token's the first.
fn choose(text: &str, length: usize, mut all: Vec<Found>) -> Vec<Found> {
    let overlaps = all.windows(2).any(|pair| pair[1].start < pair[0].next);
    if !overlaps && !all.iter().any(|found| found.strips_after) {
        return all;
    }
    all.sort_by_key(|found| (found.id, found.start));
    let mut taken = vec![false; text.len()];
    all.retain_mut(|found| {
        // Only the ends can touch a token of the same length, or what it has stripped.
        if taken[found.start] || taken[found.start + length - 1] {
            return false;
        }
        if found.strips_after {
            let white = |b: u8| b.is_ascii_whitespace() || b == 0x0b;
            while found.next < text.len()
                && white(text.as_bytes()[found.next])
                && !taken[found.next]
            {
                found.next += 1;
            }
        }
        taken[found.start..found.next].fill(true);
        true
    });
    all.sort_by_key(|found| found.start);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Value;

    fn tokens(name: &str, texts: &[(&str, TokenType)]) -> SpecialTokens {
        let name = Value::String(name.to_owned());
        let metadata =
            Metadata::new(vec![("general.name".to_owned(), name)]).expect("distinct keys");
        let types = texts.iter().map(|(_, token_type)| *token_type).collect();
        let texts: Vec<String> = texts.iter().map(|(text, _)| (*text).to_owned()).collect();
        SpecialTokens::new(&metadata, &Vocabulary { texts: &texts, types }).expect("distinct")
    }

    fn split(tokens: &SpecialTokens, text: &str, parse_special: bool) -> String {
        let show = |part: &Part<'_>| match part {
            Part::Token(id) => format!("#{id}"),
            Part::Text(text) => format!("{text:?}"),
        };
        tokens.split(text, parse_special).iter().map(show).collect::<Vec<_>>().join(" ")
    }

    const C: TokenType = TokenType::CONTROL;
    const U: TokenType = TokenType::USER_DEFINED;

    #[test]
    fn control_tokens_only_on_request() {
        let t = tokens(
            "",
            &[("a", TokenType::NORMAL), ("<c>", C), ("<u>", U), ("?", TokenType::UNKNOWN)],
        );
        assert_eq!(split(&t, "x<c>y<u>?", true), "\"x\" #1 \"y\" #2 #3");
        assert_eq!(split(&t, "x<c>y<u>?", false), "\"x<c>y\" #2 \"?\"");
        assert_eq!(split(&t, "", true), "");
        assert_eq!(split(&t, "<c><c", true), "#1 \"<c\"");
        assert!(t.contains(2) && !t.contains(0));
    }

    #[test]
    fn longer_tokens_come_first() {
        let t = tokens("", &[("ab", U), ("bcd", U), ("a", U), ("dd", U), ("é", U)]);
        assert_eq!(split(&t, "abcd", true), "#2 #1");
        assert_eq!(split(&t, "abc", true), "#0 \"c\"");
        assert_eq!(split(&t, "ddd", true), "#3 \"d\"");
        assert_eq!(split(&t, "xéab", true), "\"x\" #4 #0");
    }

    #[test]
    fn phi3_tokens_strip_what_follows() {
        let t = tokens("Phi-3 mini", &[("<|user|>", C), ("<s>", C), (" \n", U)]);
        assert_eq!(split(&t, "<|user|>\n  hi \n<s> <|user|> ", true), "#0 \"hi\" #2 #1 \" \" #0");
        assert_eq!(split(&t, "<|user|> \nx", true), "#0 \"x\"");
    }

    /// llama.cpp's procedure, token by token, as the reference.
    fn naive<'a>(tokens: &[(&str, u32)], text: &'a str) -> Vec<Part<'a>> {
        let mut order = tokens.to_vec();
        order.sort_by_key(|(text, id)| (std::cmp::Reverse(text.len()), *id));
        let mut parts = vec![Part::Text(text)];
        for (token, id) in order {
            let mut cut = Vec::new();
            for part in parts {
                let Part::Text(mut text) = part else {
                    cut.push(part);
                    continue;
                };
                while let Some((before, after)) = text.split_once(token) {
                    if !before.is_empty() {
                        cut.push(Part::Text(before));
                    }
                    cut.push(Part::Token(id));
                    text = after;
                }
                if !text.is_empty() {
                    cut.push(Part::Text(text));
                }
            }
            parts = cut;
        }
        parts
    }

    #[test]
    fn agrees_with_the_procedure_token_by_token() {
        let names = ["a", "ab", "bc", "abc", "caa", "cc", "bbbb", "aab"];
        let t = tokens("", &names.map(|name| (name, U)));
        let numbered: Vec<(&str, u32)> = names.into_iter().zip(0..).collect();
        let mut state = 1u32;
        for _ in 0..2000 {
            let mut text = String::new();
            for _ in 0..state % 17 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.push(['a', 'b', 'c', 'd'][(state >> 30) as usize]);
            }
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            assert_eq!(t.split(&text, true), naive(&numbered, &text), "{text}");
        }
    }
}
