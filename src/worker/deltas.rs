//! A completion's tokens on their way to the page.

use super::port::post;
use super::protocol::{Delta, Event};
use super::rhythm::Rhythm;
use web_time::Instant;

/// The tokens that have not been posted yet.
pub(super) struct Deltas {
    id: u32,
    waiting: Vec<Delta>,
    rhythm: Rhythm,
}

impl Deltas {
    /// Of the completion `id`.
    pub(super) fn new(id: u32) -> Deltas {
        Deltas { id, waiting: Vec::new(), rhythm: Rhythm::default() }
    }

    /// Adds a token of the prompt, which takes no pass: it is posted with the first other.
    pub(super) fn echo(&mut self, delta: Delta) {
        self.waiting.push(delta);
    }

    /// Adds a token, and posts what waits unless more comes soon.
    pub(super) fn push(&mut self, delta: Delta) {
        self.waiting.push(delta);
        if self.rhythm.token(Instant::now()) {
            self.flush();
        }
    }

    /// Posts what waits.
    pub(super) fn flush(&mut self) {
        if !self.waiting.is_empty() {
            self.rhythm.post(Instant::now());
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
