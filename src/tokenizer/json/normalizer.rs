//! The normaliser: what becomes of a text before it is cut into words.

use std::borrow::Cow;

use tokenizers::NormalizedString;
use tokenizers::utils::SysRegex;

use super::bad;
use super::part::{Part, Pattern};
use crate::Result;

/// One of Unicode's normalisation forms (UAX #15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

/// Brings a text to a form. A browser has the tables for it, and need not load them again.
pub type Normalise = fn(&str, Form) -> String;

/// By the tables of the `tokenizers` crate.
pub fn normalise_by_tables(text: &str, form: Form) -> String {
    let mut normal = NormalizedString::from(text);
    match form {
        Form::Nfc => normal.nfc(),
        Form::Nfd => normal.nfd(),
        Form::Nfkc => normal.nfkc(),
        Form::Nfkd => normal.nfkd(),
    };
    normal.get().to_owned()
}

#[derive(Debug)]
enum Step {
    Form(Form),
    Lowercase,
    Prepend(String),
    Replace(String, String),
    ReplaceMatches(SysRegex, String),
    Strip { left: bool, right: bool },
}

/// The steps, in order.
#[derive(Debug)]
pub(super) struct Normalizer {
    steps: Vec<Step>,
    normalise: Normalise,
}

impl Normalizer {
    pub(super) fn new(part: Option<Part<'_>>, normalise: Normalise) -> Result<Normalizer> {
        let mut normalizer = Normalizer { steps: Vec::new(), normalise };
        part.map_or(Ok(()), |part| normalizer.add(part))?;
        Ok(normalizer)
    }

    fn add(&mut self, part: Part<'_>) -> Result<()> {
        self.steps.push(match part.kind {
            "Sequence" => {
                return part.steps("normalizers")?.into_iter().try_for_each(|part| self.add(part));
            }
            "NFC" => Step::Form(Form::Nfc),
            "NFD" => Step::Form(Form::Nfd),
            "NFKC" => Step::Form(Form::Nfkc),
            "NFKD" => Step::Form(Form::Nfkd),
            "Lowercase" => Step::Lowercase,
            "Prepend" => Step::Prepend(part.text("prepend")?.into()),
            "Replace" => match (part.pattern()?, part.text("content")?) {
                (Pattern::Text(text), content) => Step::Replace(text.into(), content.into()),
                (Pattern::Regex(regex), content) => {
                    let regex = SysRegex::new(regex).map_err(|error| bad(error.to_string()))?;
                    Step::ReplaceMatches(regex, content.into())
                }
            },
            "Strip" => {
                let flag = |name| part.flag(name)?.ok_or_else(|| part.lacks(name));
                Step::Strip { left: flag("strip_left")?, right: flag("strip_right")? }
            }
            _ => return Err(part.unknown()),
        });
        Ok(())
    }

    /// The normalised text.
    pub(super) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.steps.iter().fold(Cow::Borrowed(text), |text, step| step.apply(text, self.normalise))
    }
}

impl Step {
    fn apply<'a>(&self, text: Cow<'a, str>, normalise: Normalise) -> Cow<'a, str> {
        match self {
            // ASCII is in every form already.
            Step::Form(_) if text.is_ascii() => text,
            Step::Form(form) => Cow::Owned(normalise(&text, *form)),
            Step::Lowercase => text.chars().flat_map(char::to_lowercase).collect(),
            Step::Prepend(_) if text.is_empty() => text,
            Step::Prepend(before) => Cow::Owned(format!("{before}{text}")),
            Step::Replace(from, to) if !from.is_empty() => Cow::Owned(text.replace(&from[..], to)),
            Step::Replace(..) => text,
            Step::ReplaceMatches(regex, to) => {
                let (mut replaced, mut done) = (String::with_capacity(text.len()), 0);
                for (start, end) in regex.find_iter(&text) {
                    replaced.push_str(&text[done..start]);
                    replaced.push_str(to);
                    done = end;
                }
                Cow::Owned(replaced + &text[done..])
            }
            Step::Strip { left, right } => {
                let text = if *left { text.trim_start() } else { &text };
                Cow::Owned(if *right { text.trim_end() } else { text }.to_owned())
            }
        }
    }
}
