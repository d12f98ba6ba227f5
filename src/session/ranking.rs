//! How probable each of several continuations of one prompt is. The prompt is computed once.

use super::engine::Engine;
use crate::model::MAX_HEAD;
use crate::sampling::log_softmax_at;
use crate::{Error, Result};

/// A ranking under way.
pub struct Ranking {
    prompt: Vec<u32>,
    continuations: Vec<Vec<u32>>,
    /// Σ ln P(token | all before) over each continuation, as far as they are done.
    logprobs: Vec<f64>,
    cached_tokens: usize,
}

impl Ranking {
    /// Checks it; the work is done by [`Ranking::step`].
    ///
    /// # Errors
    /// [`Error::ContextOverflow`], [`Error::BadRequest`].
    pub fn new(
        engine: &mut Engine,
        prompt: Vec<u32>,
        continuations: Vec<Vec<u32>>,
    ) -> Result<Ranking> {
        let n_vocab = engine.forward.config().n_vocab;
        let bad = |what: &str| Err(Error::BadRequest { what: what.into() });
        if prompt.is_empty() || continuations.iter().any(Vec::is_empty) {
            return bad("neither the prompt nor a continuation may be empty");
        }
        if prompt.iter().chain(continuations.iter().flatten()).any(|t| *t as usize >= n_vocab) {
            return bad("a token is not in the vocabulary");
        }
        let longest = continuations.iter().map(Vec::len).max().unwrap_or(0);
        if prompt.len() + longest > engine.context {
            let (tokens, context) = (prompt.len() + longest, engine.context);
            return Err(Error::ContextOverflow { tokens, context });
        }
        let cached_tokens = engine.keep_prefix(&prompt, prompt.len() - 1);
        engine.drafting.settle();
        let logprobs = Vec::with_capacity(continuations.len());
        Ok(Ranking { prompt, continuations, logprobs, cached_tokens })
    }

    /// Tokens of the prompt that are done, and all.
    pub fn progress(&self, engine: &Engine) -> (usize, usize) {
        (engine.cached.len().min(self.prompt.len()), self.prompt.len())
    }

    /// Tokens of the prompt that were in the cache.
    pub fn cached_tokens(&self) -> usize {
        self.cached_tokens
    }

    /// Tokens of the prompt.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt.len()
    }

    /// The next part of the prompt, or the next continuation; once all are done, the
    /// log-probability of each.
    ///
    /// # Errors
    /// [`Error::ThreadLost`].
    pub fn step(&mut self, engine: &mut Engine) -> Result<Option<&[f64]>> {
        engine.forward.set_threads(engine.forward.n_threads());
        // The last token of the prompt predicts a continuation's first: it is run with each.
        let shared = self.prompt.len() - 1;
        // What the last continuation left is cut off; where layers cannot be cut back that
        // far, some of the prompt is run again.
        let done = engine.keep_prefix(&self.prompt, shared);
        if done < shared {
            let n = engine.pace.chunk(shared - done);
            let ms = engine.run(&self.prompt[done..done + n])?;
            engine.pace.learn(n, ms);
            return Ok(None);
        }
        let Some(continuation) = self.continuations.get(self.logprobs.len()) else {
            return Ok(Some(&self.logprobs));
        };
        // The last token of a continuation predicts nothing that is asked.
        let tokens: Vec<u32> = [self.prompt[shared]]
            .iter()
            .chain(&continuation[..continuation.len() - 1])
            .copied()
            .collect();
        let mut sum = 0.0;
        for (chunk, targets) in
            tokens.chunks(crate::model::MAX_CHUNK).zip(continuation.chunks(crate::model::MAX_CHUNK))
        {
            engine.run(chunk)?;
            for (i, targets) in targets.chunks(MAX_HEAD).enumerate() {
                let first = i * MAX_HEAD;
                let logits = engine.forward.logits(first..first + targets.len())?;
                for (row, target) in logits.rows().zip(targets) {
                    sum += f64::from(log_softmax_at(row, *target));
                }
            }
        }
        self.logprobs.push(sum);
        Ok(None)
    }
}
