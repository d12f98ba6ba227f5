//! Generation: prefill of the prompt, then one token a step.

use super::context::{ContextPolicy, shift};
use super::draft::MAX_DRAFT;
use super::engine::Engine;
use super::stop::StopMatcher;
use crate::chat::{Parts, ReasoningStream};
use crate::model::MAX_HEAD;
use crate::sampling::{Sampler, SamplingParams, log_softmax_at, top_logprobs};
use crate::tokenizer::TextStream;
use crate::{Error, Result};
use serde::Serialize;
use web_time::Instant;

/// What to generate.
#[derive(Clone, Debug)]
pub struct GenerateParams {
    /// Tokens to generate at most; until the context is full where `None`.
    pub max_tokens: Option<usize>,
    /// How to choose tokens.
    pub sampling: SamplingParams,
    /// Texts that no repetition reaches across, for DRY.
    pub dry_sequence_breakers: Vec<String>,
    /// Texts that end the generation; they are not part of it.
    pub stop: Vec<String>,
    /// Whether to go on after an end-of-generation token.
    pub ignore_eos: bool,
    /// Whether what is in the cache of an equal prefix may be used.
    pub cache_prompt: bool,
    /// Whether what the tokens have in common with earlier ones may speed up decoding; it
    /// never changes them.
    pub prompt_lookup: bool,
    /// Log-probabilities, with this many of the most probable tokens.
    pub logprobs: Option<usize>,
    /// Whether the prompt's tokens are part of the answer.
    pub echo: bool,
    /// What happens when the context is full.
    pub context_policy: ContextPolicy,
    /// How many tokens of the prompt a shift of the context keeps.
    pub keep: usize,
    /// Separates the reasoning from the answer; by default all is answer.
    pub reasoning: ReasoningStream,
}

impl Default for GenerateParams {
    fn default() -> GenerateParams {
        GenerateParams {
            max_tokens: None,
            sampling: SamplingParams::default(),
            dry_sequence_breakers: ["\n", ":", "\"", "*"].map(String::from).to_vec(),
            stop: Vec::new(),
            ignore_eos: false,
            cache_prompt: true,
            prompt_lookup: true,
            logprobs: None,
            echo: false,
            context_policy: ContextPolicy::default(),
            keep: 0,
            reasoning: ReasoningStream::default(),
        }
    }
}

/// What a step did.
#[derive(Clone, Debug)]
pub enum Step {
    /// Part of the prompt was processed.
    Prefill {
        /// Tokens of the prompt that are in the cache.
        done: usize,
        /// Tokens of the prompt.
        total: usize,
    },
    /// A token came, or, with `echo`, one of the prompt.
    Token(TokenEvent),
    /// It is over.
    Done(Finish),
}

/// One token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenEvent {
    /// Its id.
    pub token: u32,
    /// Text that is complete with it; empty while characters or stop strings are open.
    pub text: String,
    /// The same of the reasoning before the answer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// ln P(token | all before), if asked for; `None` for the first token of all.
    pub logprob: Option<f32>,
    /// The most probable tokens at its place, with their log-probabilities.
    pub top_logprobs: Vec<(u32, f32)>,
    /// Whether it is of the prompt.
    pub prompt: bool,
}

/// Why and with what a generation ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finish {
    /// Why.
    pub reason: FinishReason,
    /// Text that was held back until now.
    pub text: String,
    /// The same of the reasoning before the answer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// Tokens.
    pub usage: Usage,
    /// Time.
    pub timings: Timings,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// An end-of-generation token or a stop string.
    Stop,
    /// `max_tokens`, or the context is full and is not shifted.
    Length,
}

/// Tokens of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// In the prompt.
    pub prompt_tokens: usize,
    /// Of these, not computed again.
    pub cached_tokens: usize,
    /// Generated, the end-of-generation token included.
    pub completion_tokens: usize,
}

/// Milliseconds of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// The prompt, as far as it was not cached.
    pub prefill_ms: f64,
    /// All tokens after the prompt.
    pub decode_ms: f64,
    /// Tokens that were drafted.
    pub draft_n: usize,
    /// Of the tokens that were drafted, those that the model chose as well.
    pub draft_n_accepted: usize,
}

/// A request under way.
pub struct Generation {
    params: GenerateParams,
    sampler: Sampler,
    /// Prompt and what was generated.
    tokens: Vec<u32>,
    prompt_len: usize,
    /// How many of `tokens` to run in chunks: the prompt, or what a shift has left.
    prefill_len: usize,
    /// Log-probabilities of the prompt's tokens, with `echo` and `logprobs`.
    prompt_logprobs: Vec<(f32, Vec<(u32, f32)>)>,
    echoed: usize,
    text: TextStream,
    stop: StopMatcher,
    finish: Option<FinishReason>,
    usage: Usage,
    timings: Timings,
}

impl Generation {
    /// Checks a request; the work is done by [`Generation::step`].
    ///
    /// # Errors
    /// [`Error::ContextOverflow`], [`Error::BadRequest`].
    pub fn new(
        engine: &mut Engine,
        mut prompt: Vec<u32>,
        mut params: GenerateParams,
    ) -> Result<Generation> {
        if prompt.is_empty() {
            let what = "the prompt is empty, and this model has no token to begin with".into();
            prompt.push(engine.tokenizer().bos().ok_or(Error::BadRequest { what })?);
        }
        let n_vocab = engine.forward.config().n_vocab;
        if let Some(token) = prompt.iter().find(|t| **t as usize >= n_vocab) {
            let what = format!("token {token} of the prompt is not in the vocabulary");
            return Err(Error::BadRequest { what });
        }
        // A text's beginning is kept in any case.
        let begins = prompt.first().copied() == engine.tokenizer().bos();
        params.keep = params.keep.max(usize::from(begins));
        if params.context_policy == ContextPolicy::Shift {
            engine.fit(&mut prompt, params.keep);
        }
        let room = usize::from(params.max_tokens != Some(0));
        if prompt.len() + room > engine.context {
            let (tokens, context) = (prompt.len(), engine.context);
            return Err(Error::ContextOverflow { tokens, context });
        }
        let mut sampling = params.sampling.clone();
        if sampling.dry.multiplier > 0.0 {
            sampling.dry.breakers = tokens_with(engine, &params.dry_sequence_breakers);
        }
        let sampler = Sampler::new(sampling, n_vocab)?.after_prompt(prompt.len());
        let all_logits = params.echo && params.logprobs.is_some();
        let most = if params.cache_prompt && !all_logits { prompt.len() - 1 } else { 0 };
        let cached_tokens = engine.keep_prefix(&prompt, most);
        engine.drafting.settle();
        let prompt_len = prompt.len();
        // Room for all tokens: none is allocated while decoding.
        prompt.reserve(params.max_tokens.unwrap_or(engine.context).min(engine.context));
        Ok(Generation {
            stop: StopMatcher::new(params.stop.clone()),
            sampler,
            tokens: prompt,
            prompt_len,
            prefill_len: prompt_len,
            prompt_logprobs: Vec::new(),
            echoed: if params.echo { 0 } else { prompt_len },
            text: TextStream::new(),
            finish: None,
            usage: Usage { prompt_tokens: prompt_len, cached_tokens, completion_tokens: 0 },
            timings: Timings::default(),
            params,
        })
    }

    /// Says that something else may have run on the engine since the last step: what it has
    /// displaced will be computed again.
    pub fn resume(&mut self, engine: &mut Engine) {
        engine.keep_prefix(&self.tokens, self.tokens.len() - 1);
        engine.drafting.settle();
    }

    /// The next step: a chunk of the prompt, a token, or the end. After the end, the end
    /// again. `engine` must be the one of [`Generation::new`], with nothing else run on it
    /// in between, unless [`Generation::resume`] was told.
    ///
    /// # Errors
    /// [`Error::ThreadLost`].
    pub fn step(&mut self, engine: &mut Engine) -> Result<Step> {
        if self.tokens.len() >= engine.context && self.shifts() {
            self.shift(engine);
        }
        if engine.cached.len() < self.known_len() {
            return self.prefill(engine);
        }
        if self.echoed < self.prompt_len {
            return Ok(Step::Token(self.echo(engine)));
        }
        if self.finish.is_none() && self.params.max_tokens == Some(0) {
            self.finish = Some(FinishReason::Length);
        }
        if let Some(reason) = self.finish {
            return Ok(Step::Done(self.done(reason)));
        }
        self.decode(engine)
    }

    /// Tokens to be in the cache before the next one is chosen: the last token of the answer
    /// is run when another is wanted.
    fn known_len(&self) -> usize {
        self.prefill_len.max(self.tokens.len() - 1)
    }

    /// Whether to make room and go on.
    fn shifts(&self) -> bool {
        self.params.context_policy == ContextPolicy::Shift
            && self.finish.is_none()
            && self.usage.completion_tokens > 0
    }

    /// Forgets half of what may be forgotten.
    fn shift(&mut self, engine: &mut Engine) {
        let keep = self.params.keep.min(self.tokens.len() / 2);
        let most = keep + (self.tokens.len() - keep) / 2;
        let forgotten = shift(&mut self.tokens, keep, most.max(1));
        self.sampler.forget(&forgotten);
        engine.keep_prefix(&self.tokens, self.tokens.len() - 1);
        engine.drafting.settle();
        self.prefill_len = self.tokens.len();
    }

    fn prefill(&mut self, engine: &mut Engine) -> Result<Step> {
        let done = engine.cached.len();
        let total = self.known_len();
        let n = engine.pace.chunk(total - done);
        let chunk = &self.tokens[done..done + n];
        engine.forward.set_threads(engine.forward.n_threads());
        let ms = engine.run(chunk)?;
        engine.pace.learn(n, ms);
        self.timings.prefill_ms += ms;
        let known = self.prompt_logprobs.len() + 1 >= self.prompt_len;
        let echoes = self.params.echo && self.usage.completion_tokens == 0 && !known;
        if let (true, Some(top)) = (echoes, self.params.logprobs) {
            // Row i predicts token done + i + 1.
            for first in (0..n).step_by(MAX_HEAD) {
                let logits = engine.forward.logits(first..n.min(first + MAX_HEAD))?;
                let targets = self.tokens[..self.prompt_len].iter().skip(done + first + 1);
                for (row, target) in logits.rows().zip(targets) {
                    let logprob = log_softmax_at(row, *target);
                    self.prompt_logprobs.push((logprob, top_logprobs(row, top)));
                }
            }
        }
        Ok(Step::Prefill { done: done + n, total })
    }

    /// The next token of the prompt, as part of the answer.
    fn echo(&mut self, engine: &Engine) -> TokenEvent {
        let at = self.echoed;
        self.echoed += 1;
        let token = self.tokens[at];
        let known = at.checked_sub(1).and_then(|i| self.prompt_logprobs.get_mut(i));
        let (logprob, top_logprobs) = match known {
            Some((logprob, top)) => (Some(*logprob), std::mem::take(top)),
            None => (None, Vec::new()),
        };
        let text = self.text.push(&engine.tokenizer().piece(token));
        let reasoning = String::new();
        TokenEvent { token, text, reasoning, logprob, top_logprobs, prompt: true }
    }

    fn decode(&mut self, engine: &mut Engine) -> Result<Step> {
        let start = Instant::now();
        let last = self.tokens.len() - 1;
        // The last token is run only now, when another is wanted, and only if no draft had it.
        if engine.cached.get(last) == Some(&self.tokens[last]) {
            engine.drafting.right();
            self.timings.draft_n_accepted += usize::from(last >= self.prefill_len);
        } else {
            self.run_last(engine)?;
        }
        let logits = engine.logits(last)?;
        let token = self.sampler.sample_token(logits, &self.tokens);
        let (logprob, top_logprobs) = match self.params.logprobs {
            Some(top) => (Some(log_softmax_at(logits, token)), top_logprobs(logits, top)),
            None => (None, Vec::new()),
        };
        self.timings.decode_ms += start.elapsed().as_secs_f64() * 1e3;
        self.usage.completion_tokens += 1;
        if !self.params.ignore_eos && engine.tokenizer().is_end_of_generation(token) {
            self.finish = Some(FinishReason::Stop);
            return Ok(Step::Done(self.done(FinishReason::Stop)));
        }
        self.tokens.push(token);
        let text = self.text.push(&engine.tokenizer().piece(token));
        let Parts { reasoning, content } = self.params.reasoning.push(&text);
        let text = self.stop.push(content);
        self.finish = if self.stop.stopped() {
            Some(FinishReason::Stop)
        } else if Some(self.usage.completion_tokens) == self.params.max_tokens
            || self.tokens.len() >= engine.context
                && self.params.context_policy == ContextPolicy::Stop
        {
            Some(FinishReason::Length)
        } else {
            None
        };
        Ok(Step::Token(TokenEvent { token, text, reasoning, logprob, top_logprobs, prompt: false }))
    }

    /// Runs the last token, and a draft of what may follow it.
    fn run_last(&mut self, engine: &mut Engine) -> Result<()> {
        let start = Instant::now();
        let last = self.tokens.len() - 1;
        engine.cut(last);
        let left = self.params.max_tokens.map(|n| n - self.usage.completion_tokens);
        let room = engine.context.min(self.tokens.len().saturating_add(left.unwrap_or(usize::MAX)));
        // What is drafted in vain has to be forgotten.
        let room = match self.params.prompt_lookup && engine.forward.can_rewind() {
            true => room.saturating_sub(self.tokens.len() + 1),
            false => 0,
        };
        let draft = engine.drafting.draft(&self.tokens, room);
        let drafted = draft.len();
        let mut batch = [0; 1 + MAX_DRAFT];
        batch[0] = self.tokens[last];
        batch[1..1 + drafted].copy_from_slice(draft);
        engine.forward.set_threads(engine.tempo.threads());
        engine.run(&batch[..1 + drafted])?;
        engine.logits(last)?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        engine.drafting.learn(drafted, ms);
        self.timings.draft_n += drafted;
        if drafted == 0 {
            engine.tempo.learn(ms);
        }
        Ok(())
    }

    fn done(&mut self, reason: FinishReason) -> Finish {
        let rest = self.text.finish();
        let mut parts = self.params.reasoning.push(&rest);
        let last = self.params.reasoning.finish();
        parts.reasoning.push_str(&last.reasoning);
        let mut text = self.stop.push(parts.content + &last.content);
        text.push_str(&self.stop.finish());
        let reasoning = parts.reasoning;
        Finish { reason, text, reasoning, usage: self.usage, timings: self.timings }
    }
}

/// The tokens whose text has one of `texts` in it, in the order of their ids.
fn tokens_with(engine: &Engine, texts: &[String]) -> Vec<u32> {
    let has = |piece: &[u8], text: &[u8]| piece.windows(text.len().max(1)).any(|w| w == text);
    let tokens = 0..engine.forward.config().n_vocab as u32;
    let breaks = |token: &u32| {
        let piece = engine.tokenizer().piece(*token);
        texts.iter().any(|text| has(&piece, text.as_bytes()))
    };
    tokens.filter(breaks).collect()
}
