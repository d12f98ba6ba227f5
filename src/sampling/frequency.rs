//! Frequency and presence penalties, as OpenAI's API defines them: over the answer, not
//! the prompt.
//!
//! logit(t) -= frequency · count(t) + presence · [count(t) > 0]

use std::ops::Range;

/// How often each token has come. Each is counted once, as the history grows.
#[derive(Debug)]
pub(super) struct Frequencies {
    /// [n_vocab]
    counts: Vec<u32>,
    /// Tokens whose count is not 0.
    present: Vec<u32>,
    /// How much of the history has been looked at.
    seen: usize,
}

impl Frequencies {
    pub(super) fn new(n_vocab: usize) -> Frequencies {
        Frequencies { counts: vec![0; n_vocab], present: Vec::with_capacity(n_vocab), seen: 0 }
    }

    /// Tells that tokens have gone from the history: what was counted stays so.
    pub(super) fn forget(&mut self, gone: &Range<usize>) {
        self.seen -= gone.len().min(self.seen.saturating_sub(gone.start));
    }

    /// Lowers the logits of the tokens of `history` from `start` on, which must be those of
    /// the last call, and more.
    pub(super) fn apply(
        &mut self,
        out: &mut [f32],
        history: &[u32],
        start: usize,
        frequency: f32,
        presence: f32,
    ) {
        for &token in history.iter().skip(self.seen.max(start)) {
            let Some(count) = self.counts.get_mut(token as usize) else { continue };
            if *count == 0 {
                self.present.push(token);
            }
            *count += 1;
        }
        self.seen = history.len();
        for &token in &self.present {
            let token = token as usize;
            out[token] -= frequency * self.counts[token] as f32 + presence;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_was_counted() {
        let mut frequencies = Frequencies::new(5);
        let penalties = |frequencies: &mut Frequencies, history: &[u32], start| {
            let mut out = [0.0; 5];
            frequencies.apply(&mut out, history, start, 1.0, 0.0);
            out
        };
        penalties(&mut frequencies, &[0, 0, 1, 2], 2);
        // A 3 is chosen, then one of the prompt and one of the answer are gone.
        frequencies.forget(&(1..3));
        assert_eq!(penalties(&mut frequencies, &[0, 2, 3], 1), [0.0, -1.0, -1.0, -1.0, 0.0]);
        assert_eq!(penalties(&mut frequencies, &[0, 2, 3, 3], 1)[3], -2.0);
    }

    #[test]
    fn the_answer_is_counted_and_the_prompt_is_not() {
        let mut frequencies = Frequencies::new(5);
        let history = [0, 0, 3, 1, 3, 99, 1, 3];
        for (end, expected) in
            [(2, [0.0; 5]), (3, [0.0, 0.0, 0.0, -0.75, 0.0]), (8, [0.0, -1.25, 0.0, -1.75, 0.0])]
        {
            let mut out = [0.0; 5];
            frequencies.apply(&mut out, &history[..end], 2, 0.5, 0.25);
            assert_eq!(out, expected);
        }
    }
}
