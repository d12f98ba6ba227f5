//! The pre-tokenizer: how a normalised text is cut into words.

use std::borrow::Cow;

use tokenizers::SplitDelimiterBehavior as Behavior;
use tokenizers::utils::SysRegex;

use super::super::byte_level::byte_chars;
use super::super::pre_tokenizer::{Cut, Matches};
use super::bad;
use super::part::{Part, Pattern, PrependScheme};
use crate::Result;

/// GPT-2's words.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

#[derive(Debug)]
enum Step {
    Split(Splitter),
    /// A space before each piece that has none.
    PrefixSpace,
    /// Each byte becomes GPT-2's character for it.
    Bytes(Box<[char; 256]>),
    Metaspace {
        mark: char,
        prepend: PrependScheme,
        splits: bool,
    },
}

/// Cuts at what an expression matches.
#[derive(Debug)]
struct Splitter {
    regex: SysRegex,
    cut: Cut,
    behavior: Behavior,
    /// Whether what lies between matches counts as the matches.
    inverted: bool,
}

/// The steps, each of which cuts the pieces of the one before.
#[derive(Debug, Default)]
pub(super) struct Words(Vec<Step>);

type Pieces<'a> = Vec<Cow<'a, str>>;

impl Words {
    pub(super) fn new(part: Option<Part<'_>>) -> Result<Words> {
        let mut words = Words::default();
        part.map_or(Ok(()), |part| words.add(part))?;
        Ok(words)
    }

    fn add(&mut self, part: Part<'_>) -> Result<()> {
        let behavior = || Ok(part.behavior()?.unwrap_or(Behavior::Isolated));
        let step = match part.kind {
            "Sequence" => {
                let mut steps = part.steps("pretokenizers")?.into_iter();
                return steps.try_for_each(|part| self.add(part));
            }
            "Split" => {
                let inverted = part.flag("invert")? == Some(true);
                match part.pattern()? {
                    Pattern::Regex(regex) => Splitter::step(regex, behavior()?, inverted)?,
                    Pattern::Text(text) => Splitter::step(&literally(text), behavior()?, inverted)?,
                }
            }
            "ByteLevel" => {
                if part.flag("add_prefix_space")? == Some(true) {
                    self.0.push(Step::PrefixSpace);
                }
                if part.flag("use_regex")? != Some(false) {
                    self.0.push(Splitter::step(GPT2, Behavior::Isolated, false)?);
                }
                Step::Bytes(Box::new(byte_chars()))
            }
            "Metaspace" => {
                let (mark, prepend) = part.metaspace()?;
                Step::Metaspace { mark, prepend, splits: part.flag("split")? != Some(false) }
            }
            "Digits" => match part.flag("individual_digits")? {
                Some(true) => Splitter::step(r"\p{N}", Behavior::Isolated, false)?,
                _ => Splitter::step(r"\p{N}", Behavior::Contiguous, false)?,
            },
            "Punctuation" => Splitter::step(r"[!-/:-@\[-`{-~\p{P}]", behavior()?, false)?,
            "Whitespace" => Splitter::step(r"\w+|[^\w\s]+", Behavior::Removed, true)?,
            "WhitespaceSplit" => Splitter::step(r"\s", Behavior::Removed, false)?,
            _ => return Err(part.unknown()),
        };
        self.0.push(step);
        Ok(())
    }

    /// The words of a text. `at_start` tells whether it begins the whole.
    pub(super) fn split<'a>(&self, text: &'a str, at_start: bool) -> Pieces<'a> {
        let whole = vec![Cow::Borrowed(text)];
        self.0.iter().fold(whole, |pieces, step| step.apply(pieces, at_start))
    }
}

impl Step {
    fn apply<'a>(&self, pieces: Pieces<'a>, at_start: bool) -> Pieces<'a> {
        match self {
            Step::Split(splitter) => {
                let mut cut = Vec::with_capacity(pieces.len());
                pieces.into_iter().for_each(|piece| splitter.split(piece, &mut cut));
                cut
            }
            Step::PrefixSpace => {
                let prefixed = |piece: Cow<'a, str>| match piece.starts_with(' ') {
                    true => piece,
                    false => Cow::Owned(format!(" {piece}")),
                };
                pieces.into_iter().map(prefixed).collect()
            }
            Step::Bytes(chars) => {
                let written =
                    |piece: Cow<'_, str>| piece.bytes().map(|b| chars[b as usize]).collect();
                pieces.into_iter().map(written).collect()
            }
            Step::Metaspace { mark, prepend, splits } => {
                let mut cut = Vec::with_capacity(pieces.len());
                for (i, piece) in pieces.into_iter().enumerate() {
                    let prepends = match prepend {
                        PrependScheme::Always => true,
                        PrependScheme::First => at_start && i == 0,
                        PrependScheme::Never => false,
                    };
                    let mut piece = piece.replace(' ', mark.encode_utf8(&mut [0; 4]));
                    if prepends && !piece.starts_with(*mark) {
                        piece.insert(0, *mark);
                    }
                    match splits {
                        true => before_each(&piece, *mark, &mut cut),
                        false => cut.push(Cow::Owned(piece)),
                    }
                }
                cut
            }
        }
    }
}

impl Splitter {
    fn step(regex: &str, behavior: Behavior, inverted: bool) -> Result<Step> {
        let (regex, cut) = without_look_ahead(regex);
        let regex = SysRegex::new(&regex).map_err(|error| bad(error.to_string()))?;
        Ok(Step::Split(Splitter { regex, cut, behavior, inverted }))
    }

    /// Appends the pieces of a piece.
    fn split<'a>(&self, piece: Cow<'a, str>, cut: &mut Pieces<'a>) {
        let mut ranges = Vec::new(); // and whether they match
        let mut done = 0;
        for found in Matches::new(&self.regex, self.cut, &piece) {
            ranges.push((done..found.start, self.inverted));
            done = found.end;
            ranges.push((found, !self.inverted));
        }
        ranges.push((done..piece.len(), self.inverted));
        ranges.retain(|(range, _)| !range.is_empty());
        let mut joined: Vec<std::ops::Range<usize>> = Vec::with_capacity(ranges.len());
        let mut matched_before = None;
        // Whether a range is one with its neighbour that came before.
        let mut join = |matches: bool| {
            let before = matched_before.replace(matches);
            match self.behavior {
                Behavior::Isolated | Behavior::Removed => false,
                Behavior::Contiguous => before == Some(matches),
                Behavior::MergedWithPrevious | Behavior::MergedWithNext => {
                    matches && before == Some(false)
                }
            }
        };
        match self.behavior {
            Behavior::Removed => ranges.retain(|(_, matches)| !matches),
            Behavior::MergedWithNext => ranges.reverse(),
            _ => {}
        }
        for (range, matches) in ranges {
            let joins = join(matches);
            match joined.last_mut().filter(|_| joins) {
                Some(last) => *last = last.start.min(range.start)..last.end.max(range.end),
                None => joined.push(range),
            }
        }
        if self.behavior == Behavior::MergedWithNext {
            joined.reverse();
        }
        match piece {
            Cow::Borrowed(text) => cut.extend(joined.into_iter().map(|range| text[range].into())),
            Cow::Owned(text) => {
                cut.extend(joined.into_iter().map(|range| Cow::Owned(text[range].to_owned())));
            }
        }
    }
}

/// Cuts before each mark.
fn before_each(text: &str, mark: char, cut: &mut Pieces<'_>) {
    let mut start = 0;
    for (at, _) in text.match_indices(mark).filter(|(at, _)| *at > 0) {
        cut.push(Cow::Owned(text[start..at].to_owned()));
        start = at;
    }
    cut.push(Cow::Owned(text[start..].to_owned()));
}

/// The same words by an expression without look-around, where the published ending can be done
/// by a [`Cut`]: see there why.
fn without_look_ahead(regex: &str) -> (Cow<'_, str>, Cut) {
    // Cutting begins anew behind each cut, so that nothing may look at what was before.
    let looks = |rest: &str| ["(?<", "(?=", "(?!", r"\b", r"\B"].iter().any(|l| rest.contains(l));
    let ending = regex.strip_suffix(r"|\s+(?!\S)|\s+");
    let Some(rest) = ending.filter(|rest| !looks(rest) && !rest.replace("[^", "").contains('^'))
    else {
        return (regex.into(), Cut::Whole);
    };
    let blank = rest.ends_with(r"|\s*[\r\n]+") || rest.ends_with(r"|\s*[\r\n]");
    let cut = if blank { Cut::BeforeBlank } else { Cut::BeforeSpace };
    (format!(r"{rest}|\s+").into(), cut)
}

/// An expression that matches this text alone.
fn literally(text: &str) -> String {
    let mut regex = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            regex.push('\\');
        }
        regex.push(c);
    }
    regex
}
