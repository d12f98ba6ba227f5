//! A completion's tokens on their way to the page.

use super::port::post;
use super::protocol::{Delta, Event};
use std::time::Duration;
use web_time::Instant;

/// Tokens that come within a frame of the screen are posted together: each message wakes the
/// page's thread, which takes a core from the threads that decode.
const FRAME: Duration = Duration::from_millis(16);

/// The tokens that have not been posted yet.
pub(super) struct Deltas {
    id: u32,
    waiting: Vec<Delta>,
    posted: Option<Instant>,
}

impl Deltas {
    /// Of the completion `id`.
    pub(super) fn new(id: u32) -> Deltas {
        Deltas { id, waiting: Vec::new(), posted: None }
    }

    /// Adds a token. It is posted at once, unless others were within a frame.
    pub(super) fn push(&mut self, delta: Delta) {
        self.waiting.push(delta);
        if self.posted.is_none_or(|posted| posted.elapsed() >= FRAME) {
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
