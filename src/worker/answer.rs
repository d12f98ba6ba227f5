//! Each request's work, in steps between which the event loop turns.

use super::deltas::Deltas;
use super::load::{load, preflight};
use super::port::post;
use super::protocol::{
    Delta, Event, Phase, Progress, Reply, Request, ScoreInput, TokenLogprobs, token_name,
};
use super::queue::{Seat, Ticket};
use super::request::{CompletionRequest, Prompt, RankRequest};
use super::sessions;
use super::turn::turn_if_due;
use crate::session::{Engine, Generation, Ranking, Scoring, Step, TokenEvent};
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
use web_sys::AbortSignal;

/// Works on a request until its end; progress and deltas are posted on the way.
pub(super) async fn answer(request: Request, seat: &mut Seat, ticket: &Ticket) -> Result<Reply> {
    let (id, signal) = (ticket.id, &ticket.signal());
    let request = match (request, &seat.engine) {
        (Request::Load(_), Some(_)) => {
            let what = "this worker has a model already".into();
            return Err(Error::BadRequest { what });
        }
        (Request::Load(request), None) => {
            let (loaded, reply) = load(id, request, signal).await?;
            seat.engine = Some(loaded);
            return Ok(reply);
        }
        (Request::Preflight(request), _) => return preflight(id, request, signal).await,
        (Request::Complete(request), Some(_)) => return complete(*request, seat, ticket).await,
        (request, _) => request,
    };
    let engine = engine(seat)?;
    let tokenizer = engine.tokenizer();
    match request {
        Request::Tokenize { text, special } => {
            Ok(Reply::Tokens { tokens: tokenizer.encode(&text, special, special)? })
        }
        Request::Detokenize { tokens } => Ok(Reply::Text { text: tokenizer.decode(&tokens) }),
        Request::Count(input) => Ok(Reply::Count { count: engine.render_chat(&input)?.1.len() }),
        Request::Render(input) => {
            let (text, tokens) = engine.render_chat(&input)?;
            Ok(Reply::Rendered { text, tokens })
        }
        Request::Score(input) => score(id, input, engine, signal).await,
        Request::Rank(request) => rank(id, *request, engine, signal).await,
        Request::Save => sessions::save(id, engine, signal).await,
        Request::Restore(saved) => {
            sessions::restore(engine, saved, ticket.layers.take(), signal).await
        }
        Request::Profile { prefill, decode } => {
            Ok(Reply::Profile(engine.profile(prefill, decode)?))
        }
        // `receive` keeps two for itself, and the others are answered above.
        Request::Load(_)
        | Request::Preflight(_)
        | Request::Complete(_)
        | Request::Abort { .. }
        | Request::Read { .. } => Err(Error::Internal { what: "a request out of place".into() }),
    }
}

async fn complete(request: CompletionRequest, seat: &mut Seat, ticket: &Ticket) -> Result<Reply> {
    let (id, signal) = (ticket.id, ticket.signal());
    let mut params = request.params;
    let prompt = match request.prompt {
        Prompt::Messages(input) => {
            let prompt = engine(seat)?.chat_prompt(&input, params.context_policy)?;
            params.keep = prompt.keep;
            if request.separate_reasoning {
                params.reasoning = prompt.reasoning;
            }
            prompt.tokens
        }
        other => prompt_tokens(other, engine(seat)?)?,
    };
    let logprobs = params.logprobs.is_some();
    let mut generation = Generation::new(engine(seat)?, prompt, params)?;
    let mut deltas = Deltas::new(id);
    let mut n_deltas = 0;
    loop {
        turn_unless_aborted(&signal).await?;
        if let Some(window) = request.window
            && ticket.is_behind(n_deltas, window)
        {
            deltas.flush();
            seat.wait_for_reader(ticket, n_deltas, window).await?;
            generation.resume(engine(seat)?);
        }
        let engine = engine(seat)?;
        match generation.step(engine)? {
            Step::Prefill { done, total } => {
                deltas.flush();
                prefilled(id, done, total);
            }
            Step::Token(token) => {
                let echoed = token.prompt;
                let delta = delta(token, engine.tokenizer(), logprobs);
                if echoed {
                    deltas.echo(delta)
                } else {
                    deltas.push(delta)
                }
                n_deltas += 1;
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

fn engine(seat: &mut Seat) -> Result<&mut Engine> {
    seat.engine.as_mut().ok_or_else(|| Error::BadRequest { what: "no model is loaded".into() })
}

fn prompt_tokens(prompt: Prompt, engine: &Engine) -> Result<Vec<u32>> {
    match prompt {
        Prompt::Messages(input) => Ok(engine.render_chat(&input)?.1),
        Prompt::Text(text) => engine.tokenizer().encode(&text, true, true),
        Prompt::Tokens(tokens) => Ok(tokens),
    }
}

async fn rank(
    id: u32,
    request: RankRequest,
    engine: &mut Engine,
    signal: &AbortSignal,
) -> Result<Reply> {
    let prompt = prompt_tokens(request.prompt, engine)?;
    let texts = request.continuations.iter();
    let continuations = texts.map(|text| engine.tokenizer().encode(text, false, false));
    let continuations = continuations.collect::<Result<_>>()?;
    let mut ranking = Ranking::new(engine, prompt, continuations)?;
    loop {
        turn_unless_aborted(signal).await?;
        if let Some(logprobs) = ranking.step(engine)? {
            let logprobs = logprobs.to_vec();
            let prompt_tokens = ranking.prompt_tokens();
            let cached_tokens = ranking.cached_tokens();
            return Ok(Reply::Ranks { logprobs, prompt_tokens, cached_tokens });
        }
        let (done, total) = ranking.progress(engine);
        prefilled(id, done, total);
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
            let predicted = scores.nll.iter().map(|nll| Some(-nll));
            return Ok(Reply::Scores {
                tokens,
                logprobs: std::iter::once(None).chain(predicted).collect(),
                nll: scores.mean_nll(),
                perplexity: scores.perplexity(),
            });
        }
        let (done, total) = scoring.progress(engine);
        prefilled(id, done, total);
    }
}

pub(super) async fn turn_unless_aborted(signal: &AbortSignal) -> Result<()> {
    turn_if_due().await;
    if signal.aborted() { Err(Error::Aborted) } else { Ok(()) }
}

fn prefilled(id: u32, done: usize, total: usize) {
    let (loaded, total) = (done as u64, Some(total as u64));
    post(id, Event::Progress(Progress::new(Phase::Prefill, loaded, total)));
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
