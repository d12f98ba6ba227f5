//! How many tokens to prefill at a time: as many as take about [`TARGET_MS`], so that a
//! caller is never kept waiting long, on any device.

use crate::model::MAX_CHUNK;

const TARGET_MS: f64 = 150.0;
/// With no measurement yet.
const FIRST: usize = 16;

/// The speed seen so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    tokens_per_ms: Option<f64>,
}

impl Pace {
    /// Tokens for the next chunk, of `left` that remain.
    pub(super) fn chunk(&self, left: usize) -> usize {
        let n = match self.tokens_per_ms {
            Some(speed) => ((speed * TARGET_MS) as usize).clamp(FIRST, MAX_CHUNK),
            None => FIRST,
        };
        // Whole panels of tokens; and no crumb for a last chunk of its own.
        let n = n.next_multiple_of(8);
        if left <= n + n / 4 { left.min(MAX_CHUNK) } else { n }
    }

    /// Learns from a chunk.
    pub(super) fn learn(&mut self, tokens: usize, ms: f64) {
        if ms > 0.0 && tokens >= FIRST {
            self.tokens_per_ms = Some(tokens as f64 / ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_follow_the_speed_within_bounds() {
        let mut pace = Pace::default();
        assert_eq!(pace.chunk(1000), FIRST);
        pace.learn(16, 32.0);
        assert_eq!(pace.chunk(1000), 80);
        assert_eq!(pace.chunk(90), 90);
        pace.learn(16, 0.01);
        assert_eq!(pace.chunk(1000), MAX_CHUNK);
        pace.learn(16, 1e9);
        assert_eq!(pace.chunk(1000), FIRST);
        assert_eq!(pace.chunk(3), 3);
    }
}
