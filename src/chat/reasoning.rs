//! Reasoning: what a model thinks before it answers, between tags that are part of its
//! text (`<think>` … `</think>`). Readers want it apart from the answer.

/// How models mark their reasoning: the opening and the closing tag.
const TAGS: [(&str, &str); 8] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought", "<channel|>"),
];

/// The tags of a template that knows of reasoning: it names the closing one, to take the
/// reasoning out of earlier answers, or to open or skip that of the next.
pub(super) fn tags(source: &str) -> Option<Tags> {
    TAGS.into_iter()
        .find(|(_, close)| source.contains(close))
        .map(|(open, close)| Tags { open, close })
}

/// A pair of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tags {
    open: &'static str,
    close: &'static str,
}

/// Parts of an answer that are certain now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Of the reasoning.
    pub reasoning: String,
    /// Of the answer.
    pub content: String,
}

/// Separates the reasoning from the answer as the text comes. An end that may become a tag
/// is held back, so that no half of one is ever seen; the white space around reasoning
/// belongs to the tags.
#[derive(Clone, Debug, Default)]
pub struct ReasoningStream {
    tags: Option<Tags>,
    state: State,
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing but white space yet: the opening tag may come.
    Before,
    /// Between the tags; whether anything was there yet.
    Inside { begun: bool },
    /// Behind the closing tag: white space until the answer begins.
    Behind,
    /// The answer. There, tags are text.
    #[default]
    Answer,
}

impl ReasoningStream {
    /// Separates by `tags`, if any. `prompt` is what the answer follows: templates may open
    /// the reasoning at its end.
    pub(super) fn new(tags: Option<Tags>, prompt: &str) -> ReasoningStream {
        let opened = tags.is_some_and(|tags| prompt.trim_end().ends_with(tags.open));
        let state = match tags {
            None => State::Answer,
            Some(_) if opened => State::Inside { begun: false },
            Some(_) => State::Before,
        };
        ReasoningStream { tags, state, held: String::new() }
    }

    /// Takes the next text, and returns what is certain.
    pub fn push(&mut self, text: &str) -> Parts {
        let mut parts = Parts::default();
        let Some(tags) = self.tags.filter(|_| self.state != State::Answer) else {
            parts.content = text.to_owned();
            return parts;
        };
        self.held.push_str(text);
        loop {
            match self.state {
                State::Before => {
                    let begin = self.held.trim_start();
                    if let Some(rest) = begin.strip_prefix(tags.open) {
                        self.held = rest.to_owned();
                        self.state = State::Inside { begun: false };
                    } else if tags.open.starts_with(begin) {
                        return parts; // it may still become the tag
                    } else {
                        self.state = State::Answer;
                    }
                }
                State::Inside { begun } => {
                    if !begun {
                        self.held = self.held.trim_start().to_owned();
                    }
                    if let Some(at) = self.held.find(tags.close) {
                        parts.reasoning.push_str(self.held[..at].trim_end());
                        self.held.drain(..at + tags.close.len());
                        self.state = State::Behind;
                    } else {
                        let certain = self.held.len() - overlap(&self.held, tags.close);
                        let certain = self.held[..certain].trim_end().len();
                        parts.reasoning.extend(self.held.drain(..certain));
                        self.state = State::Inside { begun: begun || certain > 0 };
                        return parts;
                    }
                }
                State::Behind => {
                    self.held = self.held.trim_start().to_owned();
                    if self.held.is_empty() {
                        return parts;
                    }
                    self.state = State::Answer;
                }
                State::Answer => {
                    parts.content.push_str(&std::mem::take(&mut self.held));
                    return parts;
                }
            }
        }
    }

    /// What was held back, the text being over.
    pub fn finish(&mut self) -> Parts {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Inside { .. } => {
                Parts { reasoning: held.trim_end().to_owned(), content: String::new() }
            }
            State::Before | State::Behind | State::Answer => {
                Parts { reasoning: String::new(), content: held }
            }
        }
    }
}

/// Bytes at the end of `text` that a longer text could make into `tag`.
pub(crate) fn overlap(text: &str, tag: &str) -> usize {
    let ends = tag.char_indices().map(|(at, _)| at).skip(1);
    ends.filter(|&n| text.ends_with(&tag[..n])).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(prompt: &str, pieces: &[&str]) -> (String, String) {
        let mut stream = ReasoningStream::new(tags("…</think>…"), prompt);
        let mut all = Parts::default();
        let mut add = |parts: Parts| {
            all.reasoning += &parts.reasoning;
            all.content += &parts.content;
        };
        pieces.iter().for_each(|piece| add(stream.push(piece)));
        add(stream.finish());
        (all.reasoning, all.content)
    }

    fn pair(reasoning: &str, content: &str) -> (String, String) {
        (reasoning.to_owned(), content.to_owned())
    }

    #[test]
    fn reasoning_is_kept_apart() {
        assert_eq!(run("", &["<think>\nHm, a.\n</think>\n\nYes."]), pair("Hm, a.", "Yes."));
        assert_eq!(run("A:<think>\n", &["Hm.</think>Yes. "]), pair("Hm.", "Yes. "));
        assert_eq!(run("", &["\n\n<think>\n\n</think>\n\n1 < 2"]), pair("", "1 < 2"));
        assert_eq!(run("<think></think>", &["Yes <think>."]), pair("", "Yes <think>."));
        // Cut off before its end.
        assert_eq!(run("", &["<think>a < b</thin"]), pair("a < b</thin", ""));
        assert_eq!(run("", &[" <thi"]), pair("", " <thi"));
        assert_eq!(run("", &[" x"]), pair("", " x"));
    }

    #[test]
    fn a_template_without_tags_has_no_reasoning() {
        assert_eq!(tags("{{ messages }} <think>"), None);
        let mut stream = ReasoningStream::new(None, "<think>");
        assert_eq!(stream.push("<think>").content, "<think>");
        assert_eq!(tags("[THINK][/THINK]").map(|tags| tags.open), Some("[THINK]"));
    }

    #[test]
    fn tags_may_be_cut_anywhere() {
        let text =
            "\n<think>\nWhat </thought> \n is é?\n\n</think>\n \nIt <think>is</think>\n é.\n";
        let whole = pair("What </thought> \n is é?", "It <think>is</think>\n é.\n");
        assert_eq!(run("", &[text]), whole);
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for &first in &places {
            for &second in places.iter().filter(|&&at| at >= first) {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(run("", &pieces), whole);
            }
        }
        let single: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(run("", &single.iter().map(String::as_str).collect::<Vec<_>>()), whole);
    }
}
