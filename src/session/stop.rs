//! Stop strings in a stream of text.

use crate::chat::overlap;

/// Passes text on, up to the first stop string; holds back what may become one.
pub(super) struct StopMatcher {
    stops: Vec<String>,
    held: String,
    stopped: bool,
}

impl StopMatcher {
    /// Empty stop strings are ignored.
    pub(super) fn new(stops: Vec<String>) -> StopMatcher {
        let stops = stops.into_iter().filter(|s| !s.is_empty()).collect();
        StopMatcher { stops, held: String::new(), stopped: false }
    }

    /// Takes new text and returns what is surely not part of a stop string.
    pub(super) fn push(&mut self, text: String) -> String {
        if self.stopped || self.stops.is_empty() {
            return if self.stopped { String::new() } else { text };
        }
        self.held.push_str(&text);
        if let Some(at) = self.stops.iter().filter_map(|s| self.held.find(s.as_str())).min() {
            self.stopped = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let keep = self.stops.iter().map(|s| overlap(&self.held, s)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        std::mem::replace(&mut self.held, rest)
    }

    /// Whether a stop string was met.
    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    /// What was held back, the text being over.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let mut matcher = StopMatcher::new(stops.iter().map(|s| s.to_string()).collect());
        let mut out: Vec<String> = pieces.iter().map(|p| matcher.push(p.to_string())).collect();
        out.push(matcher.finish());
        (out, matcher.stopped())
    }

    #[test]
    fn text_passes_until_a_stop_string() {
        let (out, stopped) = run(&["\n\n"], &["a", "b\n", "c\n", "\nd", "e"]);
        assert!(stopped);
        assert_eq!(out, ["a", "b", "\nc", "", "", ""]);
    }

    #[test]
    fn what_only_looked_like_a_stop_string_comes_later() {
        let (out, stopped) = run(&["END", "ß!"], &["xE", "N", "ß", "?", "EN"]);
        assert!(!stopped);
        assert_eq!(out, ["x", "", "EN", "ß?", "", "EN"]);
    }

    #[test]
    fn the_earliest_stop_string_wins() {
        assert_eq!(run(&["cd", "b"], &["abcd"]).0.concat(), "a");
        assert_eq!(run(&["", "aab"], &["aaab"]).0.concat(), "a");
    }
}
