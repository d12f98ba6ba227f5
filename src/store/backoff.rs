//! When to ask a server again that did not answer well.

/// The wait after a first failure is up to so long, and doubles with each further one.
const FIRST_MS: u32 = 200;
/// It grows no longer than this.
const LONGEST_MS: u32 = 30_000;
/// A server may ask for so long a wait; beyond it, a person had better decide.
const LONGEST_ASKED_MS: u32 = 120_000;

/// Counts attempts that bring nothing.
#[derive(Debug)]
pub(super) struct Backoff {
    retries: u32,
    failed: u32,
}

impl Backoff {
    /// `retries` attempts may follow a failure.
    pub(super) fn new(retries: u32) -> Backoff {
        Backoff { retries, failed: 0 }
    }

    /// Bytes came.
    pub(super) fn progress(&mut self) {
        self.failed = 0;
    }

    /// Which attempt comes next, from 1.
    pub(super) fn attempt(&self) -> u32 {
        self.failed
    }

    /// An attempt failed: how many milliseconds to wait before the next, `None` to give up.
    /// `random` in 0..1 keeps many visitors from coming back at once.
    pub(super) fn failed(&mut self, after: Option<u32>, random: f64) -> Option<u32> {
        let after = after.unwrap_or(0);
        if self.failed >= self.retries || after > LONGEST_ASKED_MS {
            return None;
        }
        let longest = FIRST_MS.saturating_mul(1 << self.failed.min(16)).min(LONGEST_MS);
        self.failed += 1;
        let wait = f64::from(longest) * (0.5 + random / 2.0);
        Some((wait as u32).max(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let mut backoff = Backoff::new(3);
        let waits: Vec<_> = (0..4).map(|_| backoff.failed(None, 0.0)).collect();
        assert_eq!(waits, [Some(100), Some(200), Some(400), None]);
        backoff.progress();
        assert_eq!(backoff.failed(None, 1.0), Some(200));
        assert_eq!(backoff.attempt(), 1);
        assert_eq!(Backoff::new(0).failed(None, 0.5), None);
        assert_eq!(Backoff { retries: 99, failed: 50 }.failed(None, 0.0), Some(LONGEST_MS / 2));
    }

    #[test]
    fn a_server_may_ask_for_a_wait_but_not_for_an_hour() {
        assert_eq!(Backoff::new(3).failed(Some(5000), 0.5), Some(5000));
        assert_eq!(Backoff::new(3).failed(Some(3_600_000), 0.5), None);
    }
}
