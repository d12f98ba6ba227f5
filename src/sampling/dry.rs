//! DRY, "don't repeat yourself" (p-e-w 2024, text-generation-webui pull request 5677): a
//! token that would go on with what followed the same tokens earlier is penalised by
//!
//! multiplier · base^(length of the repetition - allowed length)

/// How to penalise repetitions.
#[derive(Debug, Clone, PartialEq)]
pub struct Dry {
    /// The penalty's scale; 0 changes nothing. Finite and not negative.
    pub multiplier: f32,
    /// What each further repeated token multiplies it by. Finite and at least 1.
    pub base: f32,
    /// The longest repetition that costs only `multiplier`; shorter ones are free.
    pub allowed_length: usize,
    /// How many tokens at the history's end are searched.
    pub last_n: usize,
    /// Tokens that no repetition reaches across, sorted.
    pub breakers: Vec<u32>,
}

impl Default for Dry {
    /// Off, otherwise as llama.cpp has it.
    fn default() -> Dry {
        let (multiplier, base, allowed_length) = (0.0, 1.75, 2);
        Dry { multiplier, base, allowed_length, last_n: usize::MAX, breakers: Vec::new() }
    }
}

/// Longest repetition that is told from longer ones: 1.75^40 is beyond any logit.
const LONGEST: usize = 42;

/// The longest repetition that each token would go on with.
#[derive(Debug)]
pub(super) struct Repetitions {
    /// [n_vocab]
    longest: Vec<u8>,
    /// Tokens whose length is not 0.
    found: Vec<u32>,
}

impl Repetitions {
    pub(super) fn new(n_vocab: usize) -> Repetitions {
        Repetitions { longest: vec![0; n_vocab], found: Vec::with_capacity(n_vocab) }
    }

    /// Lowers the logits of the tokens that would go on with a repetition in `history`.
    pub(super) fn apply(&mut self, out: &mut [f32], history: &[u32], dry: &Dry) {
        self.find(&history[history.len().saturating_sub(dry.last_n)..], &dry.breakers);
        for token in self.found.drain(..) {
            let token = token as usize;
            let length = std::mem::take(&mut self.longest[token]) as usize;
            if length >= dry.allowed_length {
                out[token] -= dry.multiplier * dry.base.powi((length - dry.allowed_length) as i32);
            }
        }
    }

    fn find(&mut self, recent: &[u32], breakers: &[u32]) {
        let is_breaker = |token: &u32| breakers.binary_search(token).is_ok();
        // What may be repeated begins after the last breaker.
        let open = recent.iter().rev().take(LONGEST).take_while(|token| !is_breaker(token)).count();
        for (end, next) in recent.iter().enumerate().skip(1) {
            let earlier = recent[..end].iter().rev().zip(recent.iter().rev());
            let length = earlier.take(open).take_while(|(a, b)| a == b).count();
            let Some(longest) = self.longest.get_mut(*next as usize) else { continue };
            if length == 0 || is_breaker(next) {
                continue;
            }
            if *longest == 0 {
                self.found.push(*next);
            }
            *longest = (*longest).max(length as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn penalties(history: &[u32], dry: &Dry) -> Vec<(usize, f32)> {
        let mut out = [0.0; 10];
        let mut repetitions = Repetitions::new(10);
        for _ in 0..2 {
            out = [0.0; 10]; // the second time, nothing is left of the first
            repetitions.apply(&mut out, history, dry);
        }
        out.iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(i, x)| (i, -x)).collect()
    }

    #[test]
    fn what_would_go_on_with_a_repetition_is_penalised_by_its_length() {
        let dry = Dry { multiplier: 0.5, base: 2.0, ..Dry::default() };
        // 1 2 3 went on with 4, and 2 3 with 5.
        let history = [1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3];
        assert_eq!(penalties(&history, &dry), [(4, 1.0), (5, 0.5)]);
        let strict = Dry { allowed_length: 3, ..dry.clone() };
        assert_eq!(penalties(&history, &strict), [(4, 0.5)]);
        let short = Dry { last_n: 6, ..dry.clone() };
        assert_eq!(penalties(&history, &short), [(5, 0.5)]);
        let broken = Dry { breakers: vec![1, 2], ..dry.clone() };
        assert_eq!(penalties(&history, &broken), []); // only the 3 is open
        let next = Dry { breakers: vec![4], ..dry.clone() };
        assert_eq!(penalties(&history, &next), [(5, 0.5)]);
        assert_eq!(penalties(&[7; 8], &dry), [(7, 0.5 * 32.0)]);
        assert_eq!(penalties(&[], &dry), []);
        assert_eq!(penalties(&[99, 3, 99, 3, 99], &dry), [(3, 1.0)]);
    }
}
