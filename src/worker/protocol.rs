//! The messages between the page and the worker. `pkg/protocol.js` is the other side.
//!
//! The page sends `{ id, type, … }`; every answer carries the same id. A request ends in
//! exactly one of `done`, `error` and `aborted`; before that come any number of `progress`
//! and `deltas`. `abort { target }` and `read { target, count }` have no answers of their own.
//! A completion with a `window` waits while so many of its deltas have not been read.

use super::fields::{Fields, bad, must_be};
use super::load_request::LoadRequest;
use super::request::{CompletionRequest, RankRequest, conversation};
use crate::chat::RenderInput;
use crate::session::{FinishReason, Outlook, ProfileReport, Snapshot, Timings, Usage};
use crate::store::recipe::Settings;
use crate::{Error, Result};
use serde::Serialize;
use serde_json::Value;

pub use super::progress::{Phase, Progress, Retry};

/// What the page wants.
#[derive(Clone, Debug)]
pub enum Request {
    /// To load the model; once in a worker's life.
    Load(LoadRequest),
    /// To tell what a model would take.
    Preflight(LoadRequest),
    /// To complete a prompt or a conversation.
    Complete(Box<CompletionRequest>),
    /// The tokens of a text; with `special`, special tokens are added and recognised.
    Tokenize {
        /// The text.
        text: String,
        /// Whether with special tokens.
        special: bool,
    },
    /// The text of tokens.
    Detokenize {
        /// The tokens.
        tokens: Vec<u32>,
    },
    /// How many tokens a conversation is.
    Count(RenderInput),
    /// A conversation as the model's template writes it.
    Render(RenderInput),
    /// How probable a text or a sequence of tokens is.
    Score(ScoreInput),
    /// How probable each of several continuations is.
    Rank(Box<RankRequest>),
    /// What is in the cache, to be kept.
    Save,
    /// What was kept, to be put back into the cache; the layers' bytes come beside it.
    Restore(Snapshot),
    /// Where the time of a prefill and of a decode goes.
    Profile {
        /// Tokens of the prompt.
        prefill: usize,
        /// Tokens after it.
        decode: usize,
    },
    /// That deltas have been read of a completion that has a window.
    Read {
        /// Its id.
        target: u32,
        /// How many since the last time.
        count: usize,
    },
    /// That a request ends.
    Abort {
        /// Its id.
        target: u32,
    },
}

/// What to score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScoreInput {
    /// A text; the model's first token is added, special text in it is not recognised.
    Text(String),
    /// Tokens as they are.
    Tokens(Vec<u32>),
}

impl Request {
    /// Reads a message. The id is 0 where it has none. `seed` is for a completion that has
    /// no seed.
    pub fn from_message(message: Value, seed: u64) -> (u32, Result<Request>) {
        let mut fields = match Fields::new("message", message) {
            Ok(fields) => fields,
            Err(error) => return (0, Err(error)),
        };
        let id = match fields.count("id") {
            Ok(id) => id.and_then(|id| id.try_into().ok()).unwrap_or(0),
            Err(error) => return (0, Err(error)),
        };
        (id, Request::from_fields(fields, seed))
    }

    fn from_fields(mut fields: Fields, seed: u64) -> Result<Request> {
        let kind = fields.text("type")?.unwrap_or_default();
        let request = match &kind[..] {
            "load" => Request::Load(LoadRequest::from_fields(&mut fields)?),
            "preflight" => Request::Preflight(LoadRequest::from_fields(&mut fields)?),
            "complete" => {
                let request = fields.required("request")?;
                let mut request = CompletionRequest::from_value(request, seed)?;
                request.window = fields.count("window")?.map(|window| window.max(1));
                Request::Complete(Box::new(request))
            }
            "tokenize" => Request::Tokenize {
                text: required_text(&mut fields, "text")?,
                special: fields.flag("special")?.unwrap_or(false),
            },
            "detokenize" => {
                let tokens = fields.tokens("tokens")?;
                Request::Detokenize { tokens: tokens.ok_or_else(|| missing("tokens"))? }
            }
            "count" => Request::Count(conversation(&mut fields)?),
            "render" => Request::Render(conversation(&mut fields)?),
            "score" => Request::Score(match fields.tokens("tokens")? {
                Some(tokens) => ScoreInput::Tokens(tokens),
                None => ScoreInput::Text(required_text(&mut fields, "text")?),
            }),
            "rank" => Request::Rank(Box::new(RankRequest::from_fields(&mut fields)?)),
            "save" => Request::Save,
            "restore" => Request::Restore(Snapshot {
                model: required_text(&mut fields, "model")?,
                build: required_text(&mut fields, "build")?,
                tokens: fields.tokens("tokens")?.ok_or_else(|| missing("tokens"))?,
                layers: fields.count("layers")?.ok_or_else(|| missing("layers"))?,
            }),
            "profile" => Request::Profile {
                prefill: fields.count("prefill")?.unwrap_or(512),
                decode: fields.count("decode")?.unwrap_or(64),
            },
            "read" => Request::Read {
                target: target(&mut fields)?,
                count: fields.count("count")?.unwrap_or(0),
            },
            "abort" => Request::Abort { target: target(&mut fields)? },
            other => return Err(bad(format!("there is no request \"{other}\""))),
        };
        fields.finish()?;
        Ok(request)
    }
}

fn target(fields: &mut Fields) -> Result<u32> {
    let target = fields.required("target")?;
    let id = target.as_u64().and_then(|id| id.try_into().ok());
    id.ok_or_else(|| must_be("target", "an id", &target))
}

pub(super) fn required_text(fields: &mut Fields, name: &str) -> Result<String> {
    fields.text(name)?.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    bad(format!("`{name}` is missing"))
}

/// An answer to the request `id`.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The request's id.
    pub id: u32,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened to a request.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event {
    /// It goes on.
    Progress(Progress),
    /// Tokens came.
    Deltas {
        /// In their order.
        deltas: Vec<Delta>,
    },
    /// It ended well.
    Done(Reply),
    /// It failed.
    Error {
        /// [`Error::code`].
        code: &'static str,
        /// The sentence for people.
        message: String,
        /// [`Error::data`].
        data: Value,
    },
    /// It was aborted.
    Aborted,
}

impl Event {
    /// How a request that failed ends.
    pub fn failed(error: &Error) -> Event {
        match error {
            Error::Aborted => Event::Aborted,
            other => {
                Event::Error { code: other.code(), message: other.to_string(), data: other.data() }
            }
        }
    }
}

/// One token of a completion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delta {
    /// Its id.
    pub token: u32,
    /// Text that is complete with it; may be empty.
    pub text: String,
    /// The same of the reasoning before the answer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// With log-probabilities only.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<TokenLogprobs>,
}

/// The log-probabilities at one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenLogprobs {
    /// The token by itself, as [`token_name`] writes it.
    pub name: String,
    /// Its log-probability; `None` for the first token of all, which nothing predicts.
    pub logprob: Option<f32>,
    /// The most probable tokens: id, name, log-probability.
    pub top: Vec<(u32, String, f32)>,
}

/// What a request that ended well brings.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// Of `load`.
    Loaded {
        /// The engine's `Info`, `variant`, and `memory.total`.
        info: Value,
        /// Whether the model has been stored now.
        stored: bool,
        /// What its `pagelm.json` says beside.
        settings: Settings,
    },
    /// Of `preflight`.
    Outlook(Outlook),
    /// Of `complete`.
    Completed {
        /// Why it ended.
        finish_reason: FinishReason,
        /// Text that was held back until now.
        text: String,
        /// The same of the reasoning before the answer.
        #[serde(skip_serializing_if = "String::is_empty")]
        reasoning: String,
        /// Tokens.
        usage: Usage,
        /// Time.
        timings: Timings,
    },
    /// Of `tokenize`.
    Tokens {
        /// The tokens.
        tokens: Vec<u32>,
    },
    /// Of `detokenize`.
    Text {
        /// The text.
        text: String,
    },
    /// Of `count`.
    Count {
        /// Tokens.
        count: usize,
    },
    /// Of `render`.
    Rendered {
        /// What the template wrote.
        text: String,
        /// Its tokens.
        tokens: Vec<u32>,
    },
    /// Of `score`.
    Scores {
        /// The tokens, n of them.
        tokens: Vec<u32>,
        /// ln P(token | all before) of each; none for the first.
        logprobs: Vec<Option<f32>>,
        /// Mean negative log-likelihood of the n - 1 that are predicted.
        nll: f64,
        /// e^nll.
        perplexity: f64,
    },
    /// Of `rank`.
    Ranks {
        /// Σ ln P(token | all before) of each continuation.
        logprobs: Vec<f64>,
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Of these, not computed again.
        cached_tokens: usize,
    },
    /// Of `save`.
    Saved(Snapshot),
    /// Of `restore`.
    Restored {
        /// Whether the tokens had to be computed again.
        refilled: bool,
    },
    /// Of `profile`.
    Profile(ProfileReport),
}

/// A token's bytes as text, distinct for distinct bytes: as they are where they are whole
/// characters, else as `bytes:\xf0\x9f`, which is how OpenAI's API writes them.
pub fn token_name(piece: &[u8]) -> String {
    match std::str::from_utf8(piece) {
        Ok(text) => text.into(),
        Err(_) => piece.iter().fold("bytes:".into(), |name, byte| format!("{name}\\x{byte:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::KvType;
    use crate::store;
    use serde_json::json;

    fn parse(message: Value) -> (u32, Result<Request>) {
        Request::from_message(message, 7)
    }

    #[test]
    fn reads_every_request() {
        let messages = [
            json!({ "id": 1, "type": "load", "url": "u", "options": { "threads": 2, "context": 64, "variant": "simd", "kv_cache": "q8", "cache": false,
                "storage": "opfs", "retries": 2, "record_mb": 0.5, "sha256": "a".repeat(64), "stall_ms": 5000, "tokenizer": "t" } }),
            json!({ "id": 1, "type": "complete", "request": { "prompt": "a" }, "window": 32 }),
            json!({ "id": 1, "type": "read", "target": 3, "count": 8 }),
            json!({ "id": 1, "type": "tokenize", "text": "a", "special": true }),
            json!({ "id": 1, "type": "detokenize", "tokens": [1] }),
            json!({ "id": 1, "type": "count", "messages": [] }),
            json!({ "id": 1, "type": "render", "messages": [] }),
            json!({ "id": 1, "type": "score", "text": "a" }),
            json!({ "id": 1, "type": "rank", "prompt": "a", "continuations": [" b", " c"] }),
            json!({ "id": 1, "type": "save" }),
            json!({ "id": 1, "type": "restore", "model": "m", "build": "b", "tokens": [1], "layers": 2 }),
            json!({ "id": 1, "type": "profile", "prefill": 16 }),
            json!({ "id": 1, "type": "abort", "target": 3 }),
        ];
        for message in messages {
            let (id, request) = parse(message.clone());
            assert_eq!(id, 1);
            let request = request.unwrap_or_else(|error| panic!("{message}: {error}"));
            let kv_cache = KvType::Q8;
            let sha256 = vec!["a".repeat(64)];
            let source = store::Options { retries: 2, record_bytes: 1 << 19, sha256, file: None };
            let expected = LoadRequest {
                url: "u".into(),
                context: Some(64),
                kv_cache,
                cache: false,
                backend: store::Backend::Opfs,
                tokenizer: Some("t".into()),
                source,
                stall_ms: 5000,
            };
            match request {
                Request::Load(load) => assert_eq!(load, expected),
                Request::Tokenize { special, .. } => assert!(special),
                Request::Profile { prefill, decode } => assert_eq!((prefill, decode), (16, 64)),
                Request::Complete(request) => assert_eq!(request.window, Some(32)),
                Request::Read { target, count } => assert_eq!((target, count), (3, 8)),
                Request::Abort { target } => assert_eq!(target, 3),
                _ => {}
            }
        }
    }

    #[test]
    fn a_bad_message_keeps_its_id() {
        for message in [
            json!({ "id": 5, "type": "dance" }),
            json!({ "id": 5 }),
            json!({ "id": 5, "type": "tokenize" }),
            json!({ "id": 5, "type": "tokenize", "text": 1 }),
            json!({ "id": 5, "type": "tokenize", "text": "a", "speciall": true }),
            json!({ "id": 5, "type": "load", "url": "u", "options": { "contxt": 1 } }),
            json!({ "id": 5, "type": "load", "url": "u", "options": { "kv_cache": "f8" } }),
            json!({ "id": 5, "type": "load", "url": "u", "options": { "record_mb": 128 } }),
            json!({ "id": 5, "type": "load", "url": "u", "options": { "sha256": "abc" } }),
            json!({ "id": 5, "type": "abort", "target": "x" }),
            json!({ "id": 5, "type": "rank", "prompt": "a" }),
            json!({ "id": 5, "type": "restore", "model": "m", "build": "b", "layers": 2 }),
        ] {
            let (id, request) = parse(message.clone());
            assert_eq!(id, 5);
            assert!(matches!(request, Err(Error::BadRequest { .. })), "{message}");
        }
        assert!(matches!(parse(json!(1)), (0, Err(Error::BadRequest { .. }))));
    }

    #[test]
    fn answers_are_flat_objects() {
        let text = |event| serde_json::to_value(Answer { id: 2, event }).unwrap();
        let progress = Progress::new(Phase::Download, 1, None);
        assert_eq!(
            text(Event::Progress(progress)),
            json!({ "id": 2, "type": "progress", "phase": "download", "loaded": 1, "total": null })
        );
        let plain = Delta { token: 3, text: "x".into(), reasoning: String::new(), logprobs: None };
        let deltas = |delta| text(Event::Deltas { deltas: vec![delta] });
        let expected =
            json!({ "id": 2, "type": "deltas", "deltas": [{ "token": 3, "text": "x" }] });
        assert_eq!(deltas(plain.clone()), expected);
        let logprobs = TokenLogprobs {
            name: "x".into(),
            logprob: Some(-0.5),
            top: vec![(3, "x".into(), -0.5)],
        };
        let delta = &deltas(Delta { logprobs: Some(logprobs), ..plain })["deltas"][0];
        assert_eq!(delta["logprob"], -0.5);
        assert_eq!(delta["top"], json!([[3, "x", -0.5]]));
        let done = text(Event::Done(Reply::Count { count: 4 }));
        assert_eq!(done, json!({ "id": 2, "type": "done", "count": 4 }));
        assert_eq!(text(Event::failed(&Error::Aborted)), json!({ "id": 2, "type": "aborted" }));
        let failed = text(Event::failed(&Error::HttpStatus { status: 404, url: "u".into() }));
        assert_eq!((&failed["type"], &failed["code"]), (&json!("error"), &json!("http_status")));
        assert_eq!(failed["data"]["status"], 404);
    }

    #[test]
    fn token_names_differ_where_bytes_do() {
        assert_eq!(token_name(" é".as_bytes()), " é");
        assert_eq!(token_name(b"\xc3"), "bytes:\\xc3");
        assert_eq!(token_name(b"a\xff"), "bytes:\\x61\\xff");
    }
}
