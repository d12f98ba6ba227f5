//! A measured prefill and decode, step by step of the forward pass.

use super::engine::Engine;
use crate::model::{MAX_CHUNK, OpTimes};
use crate::{Error, Result};
use serde::Serialize;
use web_time::Instant;

/// Where the time goes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ProfileReport {
    /// A prompt in one go, with the logits of its last token.
    pub prefill: PhaseProfile,
    /// Tokens one by one behind that prompt, each with its logits.
    pub decode: PhaseProfile,
}

/// One phase.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PhaseProfile {
    /// How many tokens.
    pub tokens: usize,
    /// All of the time, in milliseconds.
    pub ms: f64,
    /// Its parts.
    pub ops: OpTimes,
}

impl Engine {
    /// Runs a prompt of `prefill` tokens and then `decode` more, and takes the times. The
    /// tokens mean nothing; what was cached is forgotten.
    ///
    /// # Errors
    /// [`Error::ContextOverflow`](crate::Error::ContextOverflow),
    /// [`Error::ThreadLost`](crate::Error::ThreadLost).
    pub fn profile(&mut self, prefill: usize, decode: usize) -> Result<ProfileReport> {
        let tokens = prefill.saturating_add(decode);
        if tokens > self.context {
            return Err(Error::ContextOverflow { tokens, context: self.context });
        }
        let n_vocab = self.forward.config().n_vocab as u32;
        let tokens: Vec<u32> = (0..tokens as u32).map(|i| i.wrapping_mul(7919) % n_vocab).collect();
        let (prompt, rest) = tokens.split_at(prefill);
        self.keep_prefix(&[], 0);
        self.forward.set_threads(self.forward.n_threads());
        let prefill = self.profiled(prompt, MAX_CHUNK)?;
        let decode = self.profiled(rest, 1)?;
        self.keep_prefix(&[], 0);
        Ok(ProfileReport { prefill, decode })
    }

    fn profiled(&mut self, tokens: &[u32], chunk: usize) -> Result<PhaseProfile> {
        self.forward.start_profile();
        let start = Instant::now();
        for (i, tokens_of_chunk) in tokens.chunks(chunk).enumerate() {
            self.run(tokens_of_chunk)?;
            if chunk == 1 || (i + 1) * chunk >= tokens.len() {
                self.logits(self.cached.len() - 1)?;
            }
        }
        let ms = start.elapsed().as_secs_f64() * 1e3;
        Ok(PhaseProfile { tokens: tokens.len(), ms, ops: self.forward.stop_profile() })
    }
}
