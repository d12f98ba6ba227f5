//! Drafts of what comes next: what followed the last tokens where they occurred before
//! (prompt lookup; Saxena, 2023). The model reads a whole draft in one pass, and as long as
//! its own choices are those of the draft, each costs a fraction of a pass. What is chosen,
//! and with which random numbers, is never changed by a draft.
//!
//! Whether it pays depends on text and device, so it is measured: tokens won against time
//! spent. A draft that did not pay is followed by a pause, longer each time.

use crate::model::LOGITS_ROWS;

/// Tokens that must have occurred before, in this order.
const NGRAM: usize = 3;
/// Tokens of a draft: with the token before it, one panel of tokens.
const SHORT_DRAFT: usize = LOGITS_ROWS - 1;
/// Tokens of a draft after one that was right to its end: two panels.
pub(super) const MAX_DRAFT: usize = 2 * LOGITS_ROWS - 1;
/// Tokens without drafts after one that did not pay; doubled each time.
const FIRST_PAUSE: u32 = 8;
const LONGEST_PAUSE: u32 = 256;

/// When to draft.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drafting {
    /// Tokens until the next draft, and how long the next pause will be.
    pause: u32,
    next_pause: u32,
    /// Milliseconds of a pass over one token, of late.
    single_ms: Option<f64>,
    /// The last pass that had a draft.
    batch: Option<Batch>,
    /// Tokens of the next draft.
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Batch {
    ms: f64,
    drafted: usize,
    right: usize,
}

impl Default for Drafting {
    fn default() -> Drafting {
        Drafting {
            pause: 0,
            next_pause: FIRST_PAUSE,
            single_ms: None,
            batch: None,
            most: SHORT_DRAFT,
        }
    }
}

impl Drafting {
    /// What may follow `tokens`, at most `room` of it; nothing where nothing is known, or
    /// where it would not pay.
    pub(super) fn draft<'a>(&mut self, tokens: &'a [u32], room: usize) -> &'a [u32] {
        self.settle();
        if self.pause > 0 {
            self.pause -= 1;
            return &[];
        }
        if self.single_ms.is_none() {
            return &[]; // without a measure, nothing can be said to pay
        }
        let Some(start) = last_occurrence(tokens) else { return &[] };
        let end = tokens.len().min(start + room.min(self.most));
        &tokens[start..end]
    }

    /// Learns how long the pass took that read one token and a draft.
    pub(super) fn learn(&mut self, drafted: usize, ms: f64) {
        if drafted > 0 {
            self.batch = Some(Batch { ms, drafted, right: 0 });
            return;
        }
        let before = self.single_ms.unwrap_or(ms);
        self.single_ms = Some(before + (ms - before) / 4.0);
    }

    /// A token of the draft was chosen.
    pub(super) fn right(&mut self) {
        if let Some(batch) = &mut self.batch {
            batch.right += 1;
        }
    }

    /// Judges the last draft. To be called when a request begins, whose first token is no
    /// draft's.
    pub(super) fn settle(&mut self) {
        let (Some(batch), Some(single_ms)) = (self.batch.take(), self.single_ms) else { return };
        self.most = if batch.right == batch.drafted { MAX_DRAFT } else { SHORT_DRAFT };
        if (1 + batch.right) as f64 * single_ms > batch.ms {
            self.next_pause = FIRST_PAUSE;
        } else {
            self.pause = self.next_pause;
            self.next_pause = (2 * self.next_pause).min(LONGEST_PAUSE);
        }
    }
}

/// Where the continuation begins of the last earlier occurrence of the last [`NGRAM`] tokens.
fn last_occurrence(tokens: &[u32]) -> Option<usize> {
    let (before, last) = (tokens.len().checked_sub(1)?, tokens.last_chunk::<NGRAM>()?);
    tokens[..before].windows(NGRAM).rposition(|window| window == last).map(|at| at + NGRAM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Drafting {
        Drafting { single_ms: Some(5.0), ..Drafting::default() }
    }

    #[test]
    fn a_draft_is_what_followed_last_time() {
        let tokens = [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 9, 8, 1, 2, 3];
        assert_eq!(ready().draft(&tokens, 10), [9, 8, 1]);
        assert_eq!(ready().draft(&tokens, 1), [9]);
        assert_eq!(ready().draft(&tokens[..9], 10), [] as [u32; 0]);
        assert_eq!(ready().draft(&[], 10), [] as [u32; 0]);
        assert_eq!(Drafting::default().draft(&tokens, 10), [] as [u32; 0]);
        // A loop drafts itself.
        assert_eq!(ready().draft(&[7, 7, 7, 7], 10), [7]);
    }

    #[test]
    fn what_does_not_pay_rests() {
        let tokens: Vec<u32> = (0..40).chain(0..3).collect();
        let mut drafting = ready();
        for n in [SHORT_DRAFT, MAX_DRAFT, MAX_DRAFT] {
            assert_eq!(drafting.draft(&tokens, 10).len(), n);
            drafting.learn(n, 10.0);
            (0..n).for_each(|_| drafting.right());
        }
        for (pause, n) in [(FIRST_PAUSE, MAX_DRAFT), (2 * FIRST_PAUSE, SHORT_DRAFT)] {
            assert_eq!(drafting.draft(&tokens, 10).len(), n);
            drafting.learn(n, 20.0);
            drafting.right();
            for _ in 0..pause {
                assert!(drafting.draft(&tokens, 10).is_empty());
                drafting.learn(0, 5.0);
            }
        }
    }
}
