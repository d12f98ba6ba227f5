//! A step of the file, an object with a `type`, and its fields.
//!
//! Read by hand: what `serde` derives for enums with tags would be 24 kB of the binary (in Brotli).

use serde_json::{Map, Value};
use tokenizers::SplitDelimiterBehavior as Behavior;

use super::{bad, unknown};
use crate::{Error, Result};

/// A step.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    /// What it is a step of.
    of: &'static str,
    pub(super) kind: &'a str,
    fields: &'a Map<String, Value>,
}

/// What is searched for.
pub(super) enum Pattern<'a> {
    Text(&'a str),
    Regex(&'a str),
}

/// Where a space is put before a text that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrependScheme {
    First,
    Never,
    Always,
}

impl<'a> Part<'a> {
    /// The step in `value`; `None` for a `null`.
    pub(super) fn new(of: &'static str, value: &'a Value) -> Result<Option<Part<'a>>> {
        let Value::Object(fields) = value else {
            return if value.is_null() { Ok(None) } else { Err(lacks(of, "type")) };
        };
        let kind = fields.get("type").and_then(Value::as_str).ok_or_else(|| lacks(of, "type"))?;
        Ok(Some(Part { of, kind, fields }))
    }

    /// The steps of a sequence, which are under this name.
    pub(super) fn steps(self, name: &str) -> Result<Vec<Part<'a>>> {
        let steps = self.fields.get(name).and_then(Value::as_array);
        let steps = steps.ok_or_else(|| self.lacks(name))?;
        steps.iter().map(|step| Part::new(self.of, step)?.ok_or_else(|| self.lacks(name))).collect()
    }

    pub(super) fn field(self, name: &str) -> &'a Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    pub(super) fn text(self, name: &str) -> Result<&'a str> {
        self.field(name).as_str().ok_or_else(|| self.lacks(name))
    }

    /// `None` where the file does not say.
    pub(super) fn flag(self, name: &str) -> Result<Option<bool>> {
        match self.field(name) {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(*flag)),
            _ => Err(self.lacks(name)),
        }
    }

    /// The field `pattern`.
    pub(super) fn pattern(self) -> Result<Pattern<'a>> {
        let pattern = self.field("pattern");
        let of = |kind: &str| pattern.get(kind).and_then(Value::as_str);
        let regex = || of("Regex").map(Pattern::Regex);
        of("String").map(Pattern::Text).or_else(regex).ok_or_else(|| self.lacks("pattern"))
    }

    /// The field `behavior`.
    pub(super) fn behavior(self) -> Result<Option<Behavior>> {
        Ok(Some(match self.field("behavior") {
            Value::Null => return Ok(None),
            Value::String(name) => match &name[..] {
                "Removed" => Behavior::Removed,
                "Isolated" => Behavior::Isolated,
                "MergedWithPrevious" => Behavior::MergedWithPrevious,
                "MergedWithNext" => Behavior::MergedWithNext,
                "Contiguous" => Behavior::Contiguous,
                other => return Err(unknown("pre-tokenizer", other)),
            },
            _ => return Err(self.lacks("behavior")),
        }))
    }

    /// SentencePiece's mark of a space, and where one is put before the text.
    pub(super) fn metaspace(self) -> Result<(char, PrependScheme)> {
        let mark = match self.field("replacement") {
            Value::Null => '▁',
            mark => mark.as_str().and_then(only_char).ok_or_else(|| self.lacks("replacement"))?,
        };
        let scheme = match self.field("prepend_scheme").as_str() {
            _ if self.flag("add_prefix_space")? == Some(false) => PrependScheme::Never,
            None | Some("always") => PrependScheme::Always,
            Some("first") => PrependScheme::First,
            Some("never") => PrependScheme::Never,
            Some(_) => return Err(self.lacks("prepend_scheme")),
        };
        Ok((mark, scheme))
    }

    /// That a step of this kind is not known here.
    pub(super) fn unknown(self) -> Error {
        unknown(self.of, self.kind)
    }

    pub(super) fn lacks(self, name: &str) -> Error {
        lacks(self.of, name)
    }
}

fn lacks(of: &str, name: &str) -> Error {
    bad(format!("its {of} lacks a usable `{name}`"))
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.as_str().is_empty())
}
