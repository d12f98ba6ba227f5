//! A completion's tokens on their way to the page.

use super::port::post;
use super::protocol::{Delta, Event};
use std::time::Duration;
use web_time::Instant;

/// Tokens that come within two frames of a screen are posted together: each message wakes the
/// page's thread, which takes a core from the threads that decode.
const FRAMES: Duration = Duration::from_millis(33);
/// Tokens that a pass may bring, and one more.
const LATELY: usize = 9;

/// The tokens that have not been posted yet.
pub(super) struct Deltas {
    id: u32,
    waiting: Vec<Delta>,
    /// When the last were posted, if any.
    posted: Option<Instant>,
    pushed: Option<Instant>,
    /// What lay between the last tokens.
    gaps: [Duration; LATELY],
}

impl Deltas {
    /// Of the completion `id`.
    pub(super) fn new(id: u32) -> Deltas {
        let gaps = [Duration::ZERO; LATELY];
        Deltas { id, waiting: Vec::new(), posted: None, pushed: None, gaps }
    }

    /// Adds a token. It is posted at once, unless another was within [`FRAMES`], and the next pass
    /// is likely to end within them as well.
    pub(super) fn push(&mut self, delta: Delta) {
        self.waiting.push(delta);
        let now = Instant::now();
        if let Some(pushed) = self.pushed.replace(now) {
            self.gaps.rotate_left(1);
            self.gaps[LATELY - 1] = now - pushed;
        }
        let slow = self.gaps.iter().any(|gap| *gap >= FRAMES);
        if slow || self.posted.is_none_or(|posted| now - posted >= FRAMES) {
            self.flush();
        }
    }

    /// Posts what waits.
    pub(super) fn flush(&mut self) {
        if !self.waiting.is_empty() {
            self.posted = Some(Instant::now());
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
