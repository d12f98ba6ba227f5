//! How probable a given sequence is: the self-supervised view of training.

use super::engine::Engine;
use crate::model::MAX_HEAD;
use crate::sampling::log_softmax_at;
use crate::{Error, Result};

/// Scoring under way.
pub struct Scoring {
    tokens: Vec<u32>,
    nll: Vec<f32>,
    last_logits: Vec<f32>,
}

/// The result of scoring n tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// -ln P(token t | tokens before t), for t in 1..n.
    pub nll: Vec<f32>,
    /// Logits `[n_vocab]` after the last token.
    pub last_logits: Vec<f32>,
}

impl Scores {
    /// Mean negative log-likelihood; NaN for a single token, which has no prediction.
    pub fn mean_nll(&self) -> f64 {
        self.nll.iter().map(|x| *x as f64).sum::<f64>() / self.nll.len() as f64
    }

    /// e^mean_nll.
    pub fn perplexity(&self) -> f64 {
        self.mean_nll().exp()
    }
}

impl Scoring {
    /// Checks the sequence; the work is done by [`Scoring::step`].
    ///
    /// # Errors
    /// [`Error::ContextOverflow`], [`Error::BadRequest`].
    pub fn new(engine: &mut Engine, tokens: Vec<u32>) -> Result<Scoring> {
        if tokens.is_empty() {
            return Err(Error::BadRequest { what: "there are no tokens to score".into() });
        }
        let n_vocab = engine.forward.config().n_vocab;
        if let Some(token) = tokens.iter().find(|t| **t as usize >= n_vocab) {
            return Err(Error::BadRequest {
                what: format!("token {token} is not in the vocabulary"),
            });
        }
        if tokens.len() > engine.context {
            let (tokens, context) = (tokens.len(), engine.context);
            return Err(Error::ContextOverflow { tokens, context });
        }
        engine.keep_prefix(&[], 0);
        Ok(Scoring { nll: Vec::with_capacity(tokens.len()), tokens, last_logits: Vec::new() })
    }

    /// Tokens that are done, and all.
    pub fn progress(&self, engine: &Engine) -> (usize, usize) {
        (engine.cached.len(), self.tokens.len())
    }

    /// Scores a further chunk; the result once all are done.
    ///
    /// # Errors
    /// [`Error::ThreadLost`].
    pub fn step(&mut self, engine: &mut Engine) -> Result<Option<Scores>> {
        let done = engine.cached.len();
        let n = engine.pace.chunk(self.tokens.len() - done);
        engine.forward.set_threads(engine.forward.n_threads());
        let ms = engine.run(&self.tokens[done..done + n])?;
        engine.pace.learn(n, ms);
        for first in (0..n).step_by(MAX_HEAD) {
            let logits = engine.forward.logits(first..n.min(first + MAX_HEAD))?;
            // Row i predicts token done + i + 1; the very last row predicts the unknown.
            let targets = self.tokens.iter().skip(done + first + 1);
            self.nll.extend(logits.rows().zip(targets).map(|(row, &t)| -log_softmax_at(row, t)));
            if done + n == self.tokens.len() && first + MAX_HEAD >= n {
                self.last_logits = logits.last().to_vec();
            }
        }
        Ok((done + n == self.tokens.len()).then(|| Scores {
            nll: std::mem::take(&mut self.nll),
            last_logits: std::mem::take(&mut self.last_logits),
        }))
    }
}
