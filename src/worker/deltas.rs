//! A completion's tokens on their way to the page.

use super::port::post;
use super::protocol::{Delta, Event};
use std::time::Duration;
use web_time::Instant;

/// Tokens that come within a frame of the screen are posted together: each message wakes the
/// page's thread, which takes a core from the threads that decode.
const FRAME: Duration = Duration::from_millis(16);
/// Tokens that a pass may bring, and one more.
const LATELY: usize = 9;

/// The tokens that have not been posted yet.
pub(super) struct Deltas {
    id: u32,
    waiting: Vec<Delta>,
    posted: Instant,
    pushed: Instant,
    /// What lay between the last tokens.
    gaps: [Duration; LATELY],
}

impl Deltas {
    /// Of the completion `id`.
    pub(super) fn new(id: u32) -> Deltas {
        let now = Instant::now();
        Deltas { id, waiting: Vec::new(), posted: now, pushed: now, gaps: [FRAME; LATELY] }
    }

    /// Adds a token. It is posted at once, unless another was within a frame, and the next pass
    /// is likely to end within one as well.
    pub(super) fn push(&mut self, delta: Delta) {
        self.waiting.push(delta);
        self.gaps.rotate_left(1);
        self.gaps[LATELY - 1] = self.pushed.elapsed();
        self.pushed = Instant::now();
        let slow = self.gaps.iter().any(|gap| *gap >= FRAME);
        if slow || self.posted.elapsed() >= FRAME {
            self.flush();
        }
    }

    /// Posts what waits.
    pub(super) fn flush(&mut self) {
        if !self.waiting.is_empty() {
            self.posted = Instant::now();
            post(self.id, Event::Deltas { deltas: std::mem::take(&mut self.waiting) });
        }
    }
}

impl Drop for Deltas {
    /// Nothing is lost, however the completion ends.
    fn drop(&mut self) {
        self.flush();
    }
}
