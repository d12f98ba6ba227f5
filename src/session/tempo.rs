//! How many threads to decode on: all, unless another program keeps a core so busy that one
//! thread alone is faster. Measured, because nothing else tells: a helper that waits for its
//! core keeps all others waiting, some hundred times a token.

/// Tokens of a trial that count.
const TRIAL: u32 = 2;
/// Tokens before them: threads that have slept wake up.
const WARM_UP: u32 = 1;
/// Tokens whose median tells how fast all threads are together.
const LATELY: usize = 5;
/// All threads together are in doubt when they take this much longer than they once did.
const DOUBT: f64 = 1.3;
/// What one thread must win against all: the page, busy with the first tokens, delays those.
const ONE_WINS: f64 = 0.8;
/// What all threads must win to be taken back.
const ALL_WIN: f64 = 0.95;
/// A trial of all threads in which a token takes this many times one thread's time is over.
const LOST: f64 = 2.0;
/// Time on one thread before all are tried again; doubled after each trial that fails.
const FIRST_WAIT_MS: f64 = 50.0;
const LONGEST_WAIT_MS: f64 = 8000.0;

/// The choice between all threads and one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tempo {
    n_threads: usize,
    state: State,
    /// Milliseconds of the last tokens on all threads, the newest last.
    lately: [f64; LATELY],
    /// The median of as many, at best.
    best_ms: f64,
    wait_ms: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// All threads, nothing known yet: some tokens to wake up, some to measure.
    First { tokens: u32 },
    /// All threads.
    All,
    /// One thread, to see whether it is faster: its best so far.
    TryOne { tokens: u32, best_ms: f64 },
    /// One thread: for how long by now, and its time for a token.
    One { for_ms: f64, token_ms: f64 },
    /// All threads again, to see whether they are faster than one's `token_ms`.
    TryAll { tokens: u32, sum_ms: f64, token_ms: f64 },
}

impl Tempo {
    pub(super) fn new(n_threads: usize) -> Tempo {
        Tempo {
            n_threads,
            state: State::First { tokens: 0 },
            lately: [0.0; LATELY],
            best_ms: f64::INFINITY,
            wait_ms: FIRST_WAIT_MS,
        }
    }

    /// Threads for the next token.
    pub(super) fn threads(&self) -> usize {
        match self.state {
            State::TryOne { .. } | State::One { .. } => 1,
            State::First { .. } | State::All | State::TryAll { .. } => self.n_threads,
        }
    }

    /// Learns how long the token took on that many.
    pub(super) fn learn(&mut self, ms: f64) {
        if self.n_threads == 1 {
            return;
        }
        self.state = match self.state {
            State::First { tokens } => {
                self.remember(ms);
                match tokens + 1 < WARM_UP + LATELY as u32 {
                    true => State::First { tokens: tokens + 1 },
                    false => State::TryOne { tokens: 0, best_ms: f64::INFINITY },
                }
            }
            State::All => {
                self.remember(ms);
                self.best_ms = self.best_ms.min(self.all_ms());
                match self.all_ms() > DOUBT * self.best_ms {
                    true => State::TryOne { tokens: 0, best_ms: f64::INFINITY },
                    false => State::All,
                }
            }
            State::TryOne { tokens, best_ms } => {
                let best_ms = best_ms.min(ms);
                if tokens + 1 < TRIAL {
                    State::TryOne { tokens: tokens + 1, best_ms }
                } else if best_ms < ONE_WINS * self.all_ms() {
                    self.wait_ms = FIRST_WAIT_MS;
                    State::One { for_ms: 0.0, token_ms: best_ms }
                } else {
                    // As good as it gets: a longer context, or a slower clock.
                    self.best_ms = self.all_ms();
                    State::All
                }
            }
            State::One { for_ms, token_ms } => {
                let (for_ms, token_ms) = (for_ms + ms, token_ms + (ms - token_ms) / 4.0);
                match for_ms < self.wait_ms {
                    true => State::One { for_ms, token_ms },
                    false => State::TryAll { tokens: 0, sum_ms: 0.0, token_ms },
                }
            }
            State::TryAll { tokens, sum_ms, token_ms } => {
                let sum_ms = if tokens < WARM_UP { 0.0 } else { sum_ms + ms };
                if ms > LOST * token_ms {
                    self.one_again(token_ms)
                } else if tokens + 1 < WARM_UP + TRIAL {
                    State::TryAll { tokens: tokens + 1, sum_ms, token_ms }
                } else {
                    let all_ms = sum_ms / f64::from(TRIAL);
                    match all_ms < ALL_WIN * token_ms {
                        true => {
                            self.lately = [all_ms; LATELY];
                            self.best_ms = all_ms;
                            State::All
                        }
                        false => self.one_again(token_ms),
                    }
                }
            }
        };
    }

    fn remember(&mut self, ms: f64) {
        self.lately.rotate_left(1);
        self.lately[LATELY - 1] = ms;
    }

    /// Milliseconds of a token on all threads, of late.
    fn all_ms(&self) -> f64 {
        let mut sorted = self.lately;
        sorted.sort_unstable_by(f64::total_cmp);
        sorted[LATELY / 2]
    }

    /// A trial of all threads has failed.
    fn one_again(&mut self, token_ms: f64) -> State {
        self.wait_ms = (2.0 * self.wait_ms).min(LONGEST_WAIT_MS);
        State::One { for_ms: 0.0, token_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of tokens on all threads, of `n`, a token taking `all` and `one` milliseconds.
    fn share_of_all(tempo: &mut Tempo, n: u32, all: f64, one: f64) -> f64 {
        let mut on_all = 0;
        for _ in 0..n {
            let together = tempo.threads() > 1;
            on_all += u32::from(together);
            tempo.learn(if together { all } else { one });
        }
        f64::from(on_all) / f64::from(n)
    }

    #[test]
    fn all_threads_stay_where_they_are_faster() {
        let mut tempo = Tempo::new(4);
        assert!(share_of_all(&mut tempo, 100, 2.0, 5.0) >= 0.98);
        // A context that grows is no contention.
        let mut on_all = 0.0;
        for i in 0..1000 {
            on_all += share_of_all(&mut tempo, 1, 2.0 + f64::from(i) / 500.0, 6.0);
        }
        assert!(on_all > 985.0, "{on_all} of 1000");
        assert!(share_of_all(&mut tempo, 100, 4.0, 8.0) >= 0.95);
    }

    #[test]
    fn a_busy_core_leaves_one_thread_and_all_come_back() {
        let mut tempo = Tempo::new(2);
        share_of_all(&mut tempo, 50, 3.0, 5.0);
        assert!(share_of_all(&mut tempo, 400, 20.0, 5.0) < 0.05);
        share_of_all(&mut tempo, 1600, 3.0, 5.0);
        assert_eq!(tempo.threads(), 2);
        assert!(share_of_all(&mut tempo, 100, 3.0, 5.0) >= 0.95);
    }

    #[test]
    fn a_core_that_is_busy_from_the_start_is_seen() {
        let mut tempo = Tempo::new(2);
        assert!(share_of_all(&mut tempo, 500, 20.0, 5.0) < 0.03);
    }

    #[test]
    fn a_slow_start_is_no_busy_core() {
        // The page compiles what shows the first tokens, beside the helper.
        let mut tempo = Tempo::new(2);
        for all in [3.0, 9.5, 4.9, 4.8] {
            assert_eq!(tempo.threads(), 2);
            tempo.learn(all);
        }
        assert!(share_of_all(&mut tempo, 100, 3.5, 4.5) >= 0.98);
        // If it lasts, one thread serves for a moment only.
        let mut tempo = Tempo::new(2);
        share_of_all(&mut tempo, 6, 9.0, 4.5);
        assert_eq!(tempo.threads(), 1);
        let share = share_of_all(&mut tempo, 200, 3.5, 4.5);
        assert!(share > 0.8, "{share}");
    }

    #[test]
    fn a_token_that_is_late_changes_nothing() {
        let mut tempo = Tempo::new(2);
        share_of_all(&mut tempo, 20, 3.5, 4.5);
        for i in 0..300 {
            assert_eq!(tempo.threads(), 2, "token {i}");
            tempo.learn(if i % 10 == 0 { 12.0 } else { 3.5 });
        }
    }

    #[test]
    fn one_thread_alone_is_never_measured() {
        let mut tempo = Tempo::new(1);
        assert_eq!(share_of_all(&mut tempo, 10, 1.0, 1.0), 0.0);
        assert_eq!(tempo.state, State::First { tokens: 0 });
    }
}
