//! Tokens that are found in the text before the model sees it.

use serde_json::Value;

use super::super::special::Part;
use super::bad;
use super::normalizer::Normalizer;
use crate::Result;

/// An added token, as the file describes it.
#[derive(Clone, Debug)]
pub(super) struct AddedToken {
    id: u32,
    pub(super) content: String,
    /// Found only where no letter or digit is beside it.
    single_word: bool,
    /// Takes the white space before it, or behind it, along.
    lstrip: bool,
    rstrip: bool,
    /// Found in the normalised text, in its own normalised form.
    normalized: bool,
    pub(super) special: bool,
}

/// All added tokens.
#[derive(Debug)]
pub(super) struct Added {
    /// By ascending id.
    tokens: Vec<AddedToken>,
    /// The texts that they decode to, beside them.
    decoded: Vec<String>,
    /// Those that are found in the text as it is.
    pub(super) raw: Matcher,
    /// Those that are found in the normalised text.
    pub(super) normalized: Matcher,
}

/// Finds the longest token at the first place where there is one.
#[derive(Debug)]
pub(super) struct Matcher {
    /// What is searched for, in order, and the token.
    tokens: Vec<(String, AddedToken)>,
    /// Bytes of the texts, each once, the longest first.
    lengths: Vec<usize>,
    /// Whether any text begins with this byte.
    first_bytes: [bool; 256],
}

impl Added {
    pub(super) fn new(list: &Value, normalizer: &Normalizer) -> Result<Added> {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut tokens = list.iter().map(AddedToken::new).collect::<Result<Vec<_>>>()?;
        tokens.retain(|token| !token.content.is_empty());
        tokens.sort_unstable_by_key(|token| token.id);
        if let Some(pair) = tokens.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(bad(format!("two added tokens have the id {}", pair[0].id)));
        }
        let (mut raw, mut normalized, mut decoded) = (Vec::new(), Vec::new(), Vec::new());
        for token in &tokens {
            if token.normalized {
                let text = normalizer.apply(&token.content).into_owned();
                decoded.push(text.clone());
                normalized.push((text, token.clone()));
            } else {
                decoded.push(token.content.clone());
                raw.push((token.content.clone(), token.clone()));
            }
        }
        let (raw, normalized) = (Matcher::new(raw), Matcher::new(normalized));
        Ok(Added { tokens, decoded, raw, normalized })
    }

    pub(super) fn get(&self, id: u32) -> Option<&AddedToken> {
        self.place(id).map(|at| &self.tokens[at])
    }

    /// The text that a token decodes to.
    pub(super) fn decoded(&self, id: u32) -> Option<&str> {
        self.place(id).map(|at| &self.decoded[at][..])
    }

    fn place(&self, id: u32) -> Option<usize> {
        self.tokens.binary_search_by_key(&id, |token| token.id).ok()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.tokens.iter().map(|token| token.id)
    }
}

impl Matcher {
    fn new(mut tokens: Vec<(String, AddedToken)>) -> Matcher {
        tokens.retain(|(text, _)| !text.is_empty());
        tokens.sort_unstable_by(|a, b| (&a.0, a.1.id).cmp(&(&b.0, b.1.id)));
        tokens.dedup_by(|a, b| a.0 == b.0);
        let mut lengths: Vec<usize> = tokens.iter().map(|(text, _)| text.len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        let mut first_bytes = [false; 256];
        for (text, _) in &tokens {
            first_bytes[text.as_bytes()[0] as usize] = true;
        }
        Matcher { tokens, lengths, first_bytes }
    }

    /// Cuts a text at its tokens. Without `parse_special`, special ones are text.
    pub(super) fn split<'a>(&self, text: &'a str, parse_special: bool) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        // The text before `done` has been cut, that before `at` searched.
        let (mut done, mut at) = (0, 0);
        while at < text.len() {
            let Some((length, token)) = self.longest(&text.as_bytes()[at..]) else {
                at += 1;
                continue;
            };
            let (mut start, mut end) = (at, at + length);
            at = end;
            if (token.special && !parse_special) || !token.fits(&text[..start], &text[end..]) {
                continue;
            }
            if token.lstrip {
                start = done.max(text[..start].trim_end().len());
            }
            if token.rstrip {
                end = text.len() - text[end..].trim_start().len();
            }
            if done < start {
                parts.push(Part::Text(&text[done..start]));
            }
            parts.push(Part::Token(token.id));
            (done, at) = (end, end);
        }
        if done < text.len() {
            parts.push(Part::Text(&text[done..]));
        }
        parts
    }

    /// The longest token that the bytes begin with. As all tokens are whole characters, so is
    /// what they are found in.
    fn longest(&self, bytes: &[u8]) -> Option<(usize, &AddedToken)> {
        if !self.first_bytes[bytes[0] as usize] {
            return None;
        }
        self.lengths.iter().find_map(|&length| {
            let bytes = bytes.get(..length)?;
            let at = self.tokens.binary_search_by(|(text, _)| text.as_bytes().cmp(bytes)).ok()?;
            Some((length, &self.tokens[at].1))
        })
    }
}

impl AddedToken {
    fn new(value: &Value) -> Result<AddedToken> {
        let id = value["id"].as_u64().and_then(|id| id.try_into().ok());
        let (Some(id), Some(content)) = (id, value["content"].as_str()) else {
            return Err(bad("an added token lacks a usable `id` or `content`"));
        };
        let flag = |name| value[name] == Value::Bool(true);
        Ok(AddedToken {
            id,
            content: content.into(),
            single_word: flag("single_word"),
            lstrip: flag("lstrip"),
            rstrip: flag("rstrip"),
            normalized: flag("normalized"),
            special: flag("special"),
        })
    }

    /// Whether it may stand between these texts.
    fn fits(&self, before: &str, after: &str) -> bool {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let touches = before.ends_with(in_word) || after.starts_with(in_word);
        !self.single_word || !touches
    }
}
