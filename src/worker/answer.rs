//! Each request's work, in steps between which the event loop turns.

use super::load::load;
use super::port::post;
use super::protocol::{
    Delta, Event, Phase, Progress, Reply, Request, ScoreInput, TokenLogprobs, token_name,
};
use super::request::{CompletionRequest, Prompt};
use super::turn::turn;
use crate::session::{Engine, Generation, Scoring, Step, TokenEvent};
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
use web_sys::AbortSignal;

/// Works on a request until its end; progress and deltas are posted on the way.
pub(super) async fn answer(
    id: u32,
    request: Request,
    engine: &mut Option<Engine>,
    signal: &AbortSignal,
) -> Result<Reply> {
    let request = match (request, &engine) {
        (Request::Load(_), Some(_)) => {
            let what = "this worker has a model already".into();
            return Err(Error::BadRequest { what });
        }
        (Request::Load(request), None) => {
            let (loaded, reply) = load(id, request, signal).await?;
            *engine = Some(loaded);
            return Ok(reply);
        }
        (request, _) => request,
    };
    let Some(engine) = engine else {
        return Err(Error::BadRequest { what: "no model is loaded".into() });
    };
    let tokenizer = engine.tokenizer();
    match request {
        Request::Complete(request) => complete(id, *request, engine, signal).await,
        Request::Tokenize { text, special } => {
            Ok(Reply::Tokens { tokens: tokenizer.encode(&text, special, special)? })
        }
        Request::Detokenize { tokens } => Ok(Reply::Text { text: tokenizer.decode(&tokens) }),
        Request::Count(input) => Ok(Reply::Count { count: engine.render_chat(&input)?.1.len() }),
        Request::Score(input) => score(id, input, engine, signal).await,
        Request::Profile { prefill, decode } => {
            Ok(Reply::Profile(engine.profile(prefill, decode)?))
        }
        // `receive` keeps the one for itself, and the other is answered above.
        Request::Load(_) | Request::Abort { .. } => {
            Err(Error::Internal { what: "a request out of place".into() })
        }
    }
}

async fn complete(
    id: u32,
    request: CompletionRequest,
    engine: &mut Engine,
    signal: &AbortSignal,
) -> Result<Reply> {
    let mut params = request.params;
    let prompt = match request.prompt {
        Prompt::Messages(input) => {
            let prompt = engine.chat_prompt(&input, params.context_policy)?;
            params.keep = prompt.keep;
            if request.separate_reasoning {
                params.reasoning = prompt.reasoning;
            }
            prompt.tokens
        }
        Prompt::Text(text) => engine.tokenizer().encode(&text, true, true)?,
        Prompt::Tokens(tokens) => tokens,
    };
    let logprobs = params.logprobs.is_some();
    let mut generation = Generation::new(engine, prompt, params)?;
    loop {
        turn_unless_aborted(signal).await?;
        match generation.step(engine)? {
            Step::Prefill { done, total } => prefilled(id, done, total),
            Step::Token(token) => {
                let delta = delta(token, engine.tokenizer(), logprobs);
                post(id, Event::Delta(delta));
            }
            Step::Done(finish) => {
                return Ok(Reply::Completed {
                    finish_reason: finish.reason,
                    text: finish.text,
                    reasoning: finish.reasoning,
                    usage: finish.usage,
                    timings: finish.timings,
                });
            }
        }
    }
}

async fn score(
    id: u32,
    input: ScoreInput,
    engine: &mut Engine,
    signal: &AbortSignal,
) -> Result<Reply> {
    let tokens = match input {
        ScoreInput::Text(text) => engine.tokenizer().encode(&text, true, false)?,
        ScoreInput::Tokens(tokens) => tokens,
    };
    let mut scoring = Scoring::new(engine, tokens.clone())?;
    loop {
        turn_unless_aborted(signal).await?;
        if let Some(scores) = scoring.step(engine)? {
            let foretold = scores.nll.iter().map(|nll| Some(-nll));
            return Ok(Reply::Scores {
                tokens,
                logprobs: std::iter::once(None).chain(foretold).collect(),
                nll: scores.mean_nll(),
                perplexity: scores.perplexity(),
            });
        }
        let (done, total) = scoring.progress(engine);
        prefilled(id, done, total);
    }
}

async fn turn_unless_aborted(signal: &AbortSignal) -> Result<()> {
    turn().await;
    if signal.aborted() { Err(Error::Aborted) } else { Ok(()) }
}

fn prefilled(id: u32, done: usize, total: usize) {
    let (loaded, total) = (done as u64, Some(total as u64));
    post(id, Event::Progress(Progress { phase: Phase::Prefill, loaded, total }));
}

fn delta(event: TokenEvent, tokenizer: &Tokenizer, logprobs: bool) -> Delta {
    let name = |id: u32| token_name(&tokenizer.piece(id));
    let top = |(id, logprob): (u32, f32)| (id, name(id), logprob);
    let logprobs = logprobs.then(|| TokenLogprobs {
        name: name(event.token),
        logprob: event.logprob,
        top: event.top_logprobs.into_iter().map(top).collect(),
    });
    Delta { token: event.token, text: event.text, reasoning: event.reasoning, logprobs }
}
