//! The normaliser: what becomes of a text before it is cut into words.

use std::borrow::Cow;

use serde::Deserialize;
use tokenizers::NormalizedString;
use tokenizers::utils::SysRegex;

use super::{Pattern, bad};
use crate::Result;

/// A normaliser, as the file describes it.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Part {
    Sequence {
        normalizers: Vec<Part>,
    },
    #[serde(rename = "NFC")]
    Nfc,
    #[serde(rename = "NFD")]
    Nfd,
    #[serde(rename = "NFKC")]
    Nfkc,
    #[serde(rename = "NFKD")]
    Nfkd,
    Lowercase,
    Prepend {
        prepend: String,
    },
    Replace {
        pattern: Pattern,
        content: String,
    },
    Strip {
        strip_left: bool,
        strip_right: bool,
    },
}

#[derive(Debug)]
enum Step {
    /// To one of Unicode's normalisation forms.
    Form(fn(&mut NormalizedString) -> &mut NormalizedString),
    Lowercase,
    Prepend(String),
    Replace(String, String),
    ReplaceMatches(SysRegex, String),
    Strip {
        left: bool,
        right: bool,
    },
}

/// The steps, in order.
#[derive(Debug, Default)]
pub(super) struct Normalizer(Vec<Step>);

impl Normalizer {
    pub(super) fn new(part: Option<Part>) -> Result<Normalizer> {
        let mut normalizer = Normalizer::default();
        part.map_or(Ok(()), |part| normalizer.add(part))?;
        Ok(normalizer)
    }

    fn add(&mut self, part: Part) -> Result<()> {
        self.0.push(match part {
            Part::Sequence { normalizers } => {
                return normalizers.into_iter().try_for_each(|part| self.add(part));
            }
            Part::Nfc => Step::Form(NormalizedString::nfc),
            Part::Nfd => Step::Form(NormalizedString::nfd),
            Part::Nfkc => Step::Form(NormalizedString::nfkc),
            Part::Nfkd => Step::Form(NormalizedString::nfkd),
            Part::Lowercase => Step::Lowercase,
            Part::Prepend { prepend } => Step::Prepend(prepend),
            Part::Replace { pattern: Pattern::String(text), content } => {
                Step::Replace(text, content)
            }
            Part::Replace { pattern: Pattern::Regex(regex), content } => {
                let regex = SysRegex::new(&regex).map_err(|error| bad(error.to_string()))?;
                Step::ReplaceMatches(regex, content)
            }
            Part::Strip { strip_left, strip_right } => {
                Step::Strip { left: strip_left, right: strip_right }
            }
        });
        Ok(())
    }

    /// The normalised text.
    pub(super) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, step| step.apply(text))
    }
}

impl Step {
    fn apply<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        match self {
            // ASCII is in every form already.
            Step::Form(_) if text.is_ascii() => text,
            Step::Form(form) => {
                let mut normal = NormalizedString::from(&*text);
                Cow::Owned(form(&mut normal).get().to_owned())
            }
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
