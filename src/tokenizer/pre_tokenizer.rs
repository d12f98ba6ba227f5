//! Pre-tokenizers: how byte-level models cut a text into words before merging.
//!
//! `tokenizer.ggml.pre` names the rules (`rules.rs`): a sequence of regular
//! expressions, each of which cuts the pieces of the one before. Matches become pieces,
//! and so does what lies between them.
//!
//! All expressions are free of look-around. The published ones end in `\s+(?!\S)|\s+`:
//! white space, but the last character goes with the word behind. That is done by
//! [`Cut`] after a plain `\s+`, because an engine that backtracks needs a step for each
//! character and gives up on long runs, while one without look-around is linear.

mod rules;

use std::ops::Range;

pub(super) use rules::{Rules, rules};
use tokenizers::utils::SysRegex;

use crate::{Error, Result};

/// Which pieces become of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The match: the expression says all.
    Whole,
    /// The match. The last character of a run of white space goes with what is behind.
    BeforeSpace,
    /// The same, unless that character is a line break.
    BeforeBlank,
    /// Groups of three characters, counted from the end: thousands.
    Thousands,
}

/// One cut of all pieces, at the matches of an expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step(&'static str, Cut);

/// The compiled rules of a vocabulary.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    steps: Vec<(SysRegex, Cut)>,
}

impl PreTokenizer {
    pub(super) fn new(rules: &Rules) -> Result<PreTokenizer> {
        let compile = |step: &Step| match SysRegex::new(step.0) {
            Ok(regex) => Ok((regex, step.1)),
            Err(error) => Err(Error::Internal { what: error.to_string() }),
        };
        Ok(PreTokenizer { steps: rules.steps.iter().map(compile).collect::<Result<_>>()? })
    }

    /// The words of a text: ranges of bytes that follow one another and cover it.
    pub(super) fn split(&self, text: &str) -> Vec<Range<usize>> {
        let whole = 0..text.len();
        let mut pieces = vec![whole];
        for (regex, how) in &self.steps {
            let mut cut = Vec::with_capacity(pieces.len());
            for piece in pieces {
                let mut done = piece.start;
                let mut push = |end: usize| {
                    if done < end {
                        cut.push(done..end);
                        done = end;
                    }
                };
                for matched in Matches::new(regex, *how, &text[piece.clone()]) {
                    let (start, end) = (piece.start + matched.start, piece.start + matched.end);
                    push(start);
                    if *how == Cut::Thousands {
                        let starts = text[start..end].char_indices().rev().skip(2).step_by(3);
                        let mut starts: Vec<usize> = starts.map(|(at, _)| start + at).collect();
                        starts.reverse();
                        starts.into_iter().for_each(&mut push);
                    }
                    push(end);
                }
                push(piece.end);
            }
            pieces = cut;
        }
        pieces
    }
}

/// The matches of an expression, shortened as [`Cut`] says.
pub(super) struct Matches<'a> {
    regex: &'a SysRegex,
    cut: Cut,
    text: &'a str,
    /// Where `found` counts from. The expressions have no look-behind, so that they may
    /// begin anywhere.
    base: usize,
    found: Box<dyn Iterator<Item = (usize, usize)> + 'a>,
}

impl<'a> Matches<'a> {
    pub(super) fn new(regex: &'a SysRegex, cut: Cut, text: &'a str) -> Matches<'a> {
        Matches { regex, cut, text, base: 0, found: Box::new(regex.find_iter(text)) }
    }
}

impl Iterator for Matches<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let (start, end) = self.found.next()?;
        let (start, mut end) = (self.base + start, self.base + end);
        if end < self.text.len() && matches!(self.cut, Cut::BeforeSpace | Cut::BeforeBlank) {
            let matched = &self.text[start..end];
            let mut chars = matched.chars();
            // A match of nothing but white space is one of the final `\s+`, or of an
            // alternative that ends in a line break.
            if let Some(last) = chars.next_back()
                && !chars.as_str().is_empty()
                && (self.cut == Cut::BeforeSpace || !matches!(last, '\r' | '\n'))
                && matched.chars().all(char::is_whitespace)
            {
                end -= last.len_utf8();
                self.base = end;
                self.found = Box::new(self.regex.find_iter(&self.text[end..]));
            }
        }
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str, text: &str) -> Vec<String> {
        let rules = rules(name).expect("a known pre-tokenizer");
        let ranges = PreTokenizer::new(rules).expect("compiles").split(text);
        ranges.into_iter().map(|range| text[range].to_owned()).collect()
    }

    #[test]
    fn every_expression_compiles_and_loses_nothing() {
        let text =
            "Hi  it's\t\t 1234567 x²!? \r\n\n  中文ไทย ÉcoleÉcole e\u{301}\u{a0}\u{85} 😀 'S  ";
        for rules in &rules::ALL {
            let ranges = PreTokenizer::new(rules).expect("compiles").split(text);
            let mut at = 0;
            for range in ranges {
                assert!(range.start == at && range.end > at, "{:?}", rules.names);
                at = range.end;
            }
            assert_eq!(at, text.len(), "{:?}", rules.names);
        }
        assert!(rules("no such rules").is_none());
    }

    #[test]
    fn gpt2_words() {
        assert_eq!(
            words("gpt-2", "I'll  wait\n\n 3 days, OK?   "),
            ["I", "'ll", " ", " wait", "\n\n", " 3", " days", ",", " OK", "?", "   "]
        );
        assert_eq!(words("gpt-2", "a\n\n\nb\u{3000}c"), ["a", "\n\n", "\n", "b", "\u{3000}", "c"]);
        assert_eq!(words("smollm", "x 123"), ["x", " ", "1", "2", "3"]);
    }

    #[test]
    fn llama3_words() {
        assert_eq!(
            words("llama-bpe", "We'LL see  12345\t(x)\n\n  y \n z"),
            [
                "We", "'LL", " see", " ", " ", "123", "45", "\t", "(x", ")\n\n", " ", " y", " \n",
                " z"
            ]
        );
        assert_eq!(words("qwen2", "12 a"), ["1", "2", " a"]);
    }

    #[test]
    fn thousands_are_counted_from_the_end() {
        assert_eq!(
            words("afmoe", "1234567 12 3456"),
            ["1", "234", "567", " ", "12", " ", "3", "456"]
        );
        assert_eq!(words("superbpe", "of 12345²x"), ["of ", "12", "345", "²", "x"]);
        // A number that goes on in letters is none to this model.
        assert_eq!(words("tiny_aya", "1234 1234x"), ["1", "234", " ", "123", "4", "x"]);
    }

    #[test]
    fn long_runs_are_linear() {
        // Backtracking, or a search that looks ahead at every place, would take minutes.
        let begin = std::time::Instant::now();
        for rules in &rules::ALL {
            let pre_tokenizer = PreTokenizer::new(rules).expect("compiles");
            for unit in [" ", "\n", " \n", "a", "1", "!", "'", "\u{4e2d}", "\u{301}", " a"] {
                pre_tokenizer.split(&(unit.repeat(100_000) + "x"));
            }
        }
        assert!(begin.elapsed().as_secs() < 60);
    }
}
