//! When the tokens of a completion are posted to the page.

use std::time::Duration;
use web_time::Instant;

/// Tokens that come within two frames of a screen are posted together: each message wakes the
/// page's thread, which takes a core from the threads that decode.
const FRAMES: Duration = Duration::from_millis(33);
/// Tokens that a pass may bring, and one more.
const LATELY: usize = 9;

/// How quickly tokens have come.
#[derive(Default)]
pub(super) struct Rhythm {
    /// When the last were posted, if any.
    posted: Option<Instant>,
    came: Option<Instant>,
    /// What lay between the last tokens.
    gaps: [Duration; LATELY],
}

impl Rhythm {
    /// A token has come: whether it is to be posted now, with those that wait. So it is, unless
    /// others were posted within [`FRAMES`] and the last passes took less: the next one most
    /// likely does too. (If it brings a draft for the first time, or makes room in the context,
    /// it may take some times as long.)
    pub(super) fn token(&mut self, now: Instant) -> bool {
        if let Some(last) = self.came.replace(now) {
            self.gaps.rotate_left(1);
            self.gaps[LATELY - 1] = now - last;
        }
        let slow = self.gaps.iter().any(|gap| *gap >= FRAMES);
        slow || self.posted.is_none_or(|posted| now - posted >= FRAMES)
    }

    /// What waits is posted. Before the first token, of an echoed prompt, that means nothing.
    pub(super) fn post(&mut self, now: Instant) {
        self.posted = self.came.map(|_| now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the tokens that come after these milliseconds are posted at once.
    fn posts(gaps: impl IntoIterator<Item = u64>) -> Vec<bool> {
        let (mut rhythm, mut now) = (Rhythm::default(), Instant::now());
        gaps.into_iter()
            .map(|gap| {
                now += Duration::from_millis(gap);
                let post = rhythm.token(now);
                if post {
                    rhythm.post(now);
                }
                post
            })
            .collect()
    }

    #[test]
    fn the_first_token_and_slow_ones_are_posted_at_once() {
        assert!(posts([0, 40, 35, 400, 33]).iter().all(|post| *post));
    }

    #[test]
    fn the_first_token_does_not_wait_behind_an_echo() {
        let (mut rhythm, now) = (Rhythm::default(), Instant::now());
        rhythm.post(now);
        assert!(rhythm.token(now));
    }

    #[test]
    fn quick_tokens_are_posted_every_other_frame() {
        let posted = posts(std::iter::repeat_n(3, 111));
        assert_eq!(posted.iter().filter(|post| **post).count(), 11);
        assert!(posted[0] && posted[11] && posted[22]);
    }

    #[test]
    fn a_slow_pass_that_brings_eight_tokens_is_followed_by_another() {
        let eight = [60, 0, 0, 0, 0, 0, 0, 0];
        let posted = posts([0].into_iter().chain(eight).chain(eight));
        assert!(posted.iter().all(|post| *post));
    }
}
