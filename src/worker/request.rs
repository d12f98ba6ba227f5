//! The request for a completion: the OpenAI shapes' fields, and those that are ours.

use super::fields::{Fields, bad, must_be, token_ids};
use super::sampling;
use crate::Result;
use crate::chat::RenderInput;
use crate::session::{ContextPolicy, GenerateParams};
use serde_json::{Map, Value};

/// What to complete, and how.
#[derive(Clone, Debug)]
pub struct CompletionRequest {
    /// What comes before.
    pub prompt: Prompt,
    /// How to go on.
    pub params: GenerateParams,
    /// Whether reasoning is kept apart from the answer.
    pub separate_reasoning: bool,
    /// Deltas that may lie unread at a time; any number where `None`.
    pub window: Option<usize>,
}

/// Continuations to compare.
#[derive(Clone, Debug)]
pub struct RankRequest {
    /// What comes before them all.
    pub prompt: Prompt,
    /// The texts; special text in them is not recognised.
    pub continuations: Vec<String>,
}

impl RankRequest {
    pub(super) fn from_fields(fields: &mut Fields) -> Result<RankRequest> {
        let prompt = prompt(fields)?;
        let continuations = fields.texts("continuations")?;
        let missing = || bad("`continuations` is missing".into());
        Ok(RankRequest { prompt, continuations: continuations.ok_or_else(missing)? })
    }
}

/// What a completion continues.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// A conversation, to be written by the model's template.
    Messages(RenderInput),
    /// A text. Special tokens are added and recognised in it.
    Text(String),
    /// Tokens as they are.
    Tokens(Vec<u32>),
}

/// Fields that say nothing to a local model.
const IGNORED: [&str; 5] = ["model", "user", "metadata", "stream", "stream_options"];

impl CompletionRequest {
    /// Reads a request. `seed` is taken where the request has none.
    ///
    /// # Errors
    /// [`Error::BadRequest`], naming the field.
    pub fn from_value(request: Value, seed: u64) -> Result<CompletionRequest> {
        let mut fields = Fields::new("request", request)?;
        for name in IGNORED {
            fields.take(name);
        }
        let prompt = prompt(&mut fields)?;
        let max_tokens = fields.count("max_tokens")?;
        let default = GenerateParams::default();
        let breakers = fields.texts("dry_sequence_breakers")?;
        let params = GenerateParams {
            max_tokens: fields.count("max_completion_tokens")?.or(max_tokens),
            sampling: sampling::params(&mut fields, seed)?,
            dry_sequence_breakers: breakers.unwrap_or(default.dry_sequence_breakers),
            stop: fields.texts("stop")?.unwrap_or_default(),
            ignore_eos: fields.flag("ignore_eos")?.unwrap_or(false),
            cache_prompt: fields.flag("cache_prompt")?.unwrap_or(true),
            prompt_lookup: fields.flag("prompt_lookup")?.unwrap_or(true),
            logprobs: logprobs(&mut fields, matches!(prompt, Prompt::Messages(_)))?,
            echo: fields.flag("echo")?.unwrap_or(false),
            context_policy: match fields.text("context_policy")? {
                Some(name) => ContextPolicy::parse(&name)?,
                None => ContextPolicy::default(),
            },
            ..GenerateParams::default()
        };
        let separate_reasoning = match fields.text("reasoning_format")?.as_deref() {
            None | Some("auto") => true,
            Some("none") => false,
            Some(other) => {
                let what =
                    format!("`reasoning_format` must be \"auto\" or \"none\", not {other:?}");
                return Err(bad(what));
            }
        };
        fields.finish()?;
        Ok(CompletionRequest { prompt, params, separate_reasoning, window: None })
    }
}

/// The conversation of a request for its length or its completion.
///
/// # Errors
/// [`Error::BadRequest`], naming the field.
pub(super) fn conversation(fields: &mut Fields) -> Result<RenderInput> {
    let messages = fields.required("messages")?;
    if !messages.as_array().is_some_and(|all| all.iter().all(Value::is_object)) {
        return Err(must_be("messages", "an array of messages", &messages));
    }
    let mut variables: Map<String, Value> = fields.object("variables")?;
    for name in ["tools", "documents"] {
        if let Some(value) = fields.take(name) {
            variables.insert(name.into(), value);
        }
    }
    let add_generation_prompt = fields.flag("add_generation_prompt")?.unwrap_or(true);
    Ok(RenderInput { messages, add_generation_prompt, variables })
}

fn prompt(fields: &mut Fields) -> Result<Prompt> {
    let Some(prompt) = fields.take("prompt") else {
        return Ok(Prompt::Messages(conversation(fields)?));
    };
    match (token_ids(&prompt), prompt) {
        (Some(tokens), _) => Ok(Prompt::Tokens(tokens)),
        (None, Value::String(text)) => Ok(Prompt::Text(text)),
        (None, other) => Err(must_be("prompt", "a string or an array of token ids", &other)),
    }
}

/// How many of the most probable tokens to tell beside each token, if any: a number in the
/// older completions, a flag and a number in a chat.
fn logprobs(fields: &mut Fields, chat: bool) -> Result<Option<usize>> {
    if !chat {
        return fields.count("logprobs");
    }
    let (wanted, top) = (fields.flag("logprobs")?.unwrap_or(false), fields.count("top_logprobs")?);
    match (wanted, top) {
        (true, top) => Ok(Some(top.unwrap_or(0))),
        (false, None | Some(0)) => Ok(None),
        (false, Some(_)) => Err(bad("`top_logprobs` needs `logprobs: true`".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::sampling::SamplingParams;
    use serde_json::json;

    fn parse(request: Value) -> Result<CompletionRequest> {
        CompletionRequest::from_value(request, 7)
    }

    fn refusal(request: Value) -> String {
        match parse(request) {
            Err(Error::BadRequest { what }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_openai_chat_request_is_taken_as_it_is() {
        let request = parse(json!({
            "model": "any", "user": "u", "stream": true, "stream_options": { "include_usage": true },
            "messages": [{ "role": "user", "content": "Hi" }], "tools": [],
            "frequency_penalty": 0, "max_completion_tokens": 5, "stop": "\n",
            "temperature": 1, "top_p": 0.5, "seed": -1,
        }))
        .unwrap();
        let Prompt::Messages(input) = request.prompt else { panic!("{:?}", request.prompt) };
        assert!(input.add_generation_prompt);
        assert_eq!(input.messages[0]["content"], "Hi");
        assert_eq!(input.variables["tools"], json!([]));
        let params = request.params;
        assert_eq!((params.max_tokens, params.stop), (Some(5), vec!["\n".to_string()]));
        assert_eq!((params.sampling.temperature, params.sampling.top_p), (1.0, 0.5));
        assert_eq!(params.sampling.seed, u64::MAX);
        assert!(params.cache_prompt && !params.ignore_eos && params.logprobs.is_none());
    }

    #[test]
    fn log_probabilities_are_asked_for_in_either_shape() {
        let chat = |more: Value| {
            let mut request = json!({ "messages": [] });
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            parse(request).map(|request| request.params.logprobs)
        };
        assert_eq!(chat(json!({})), Ok(None));
        assert_eq!(chat(json!({ "logprobs": false, "top_logprobs": 0 })), Ok(None));
        assert_eq!(chat(json!({ "logprobs": true })), Ok(Some(0)));
        assert_eq!(chat(json!({ "logprobs": true, "top_logprobs": 5 })), Ok(Some(5)));
        assert!(chat(json!({ "top_logprobs": 5 })).is_err());
        assert!(chat(json!({ "logprobs": 5 })).is_err());
        let text = parse(json!({ "prompt": "a", "logprobs": 3 })).unwrap();
        assert_eq!(text.params.logprobs, Some(3));
        assert!(refusal(json!({ "prompt": "a", "top_logprobs": 3 })).starts_with("`top_logprobs`"));
    }

    #[test]
    fn what_is_not_given_is_the_samplers_default() {
        let params = parse(json!({ "prompt": "a", "temperature": null })).unwrap().params;
        assert_eq!(params.sampling, SamplingParams { seed: 7, ..SamplingParams::default() });
        assert_eq!(params.max_tokens, None);
    }

    #[test]
    fn prompts_are_texts_or_tokens() {
        let prompt = |value| parse(json!({ "prompt": value })).map(|request| request.prompt);
        assert_eq!(prompt(json!("a")), Ok(Prompt::Text("a".into())));
        assert_eq!(prompt(json!([1, 2.0])), Ok(Prompt::Tokens(vec![1, 2])));
        for wrong in [json!({ "text": "a" }), json!(["a"]), json!([-1]), json!([0.5])] {
            assert!(refusal(json!({ "prompt": wrong })).starts_with("`prompt` must be"));
        }
    }

    #[test]
    fn refusals_name_the_field() {
        let with = |name: &str, value: Value| {
            refusal(Value::Object(Map::from_iter([
                ("prompt".to_string(), json!("a")),
                (name.to_string(), value),
            ])))
        };
        for (name, value) in [
            ("max_tokens", json!(-1)),
            ("max_tokens", json!(1.5)),
            ("temperature", json!("hot")),
            ("seed", json!("x")),
            ("stop", json!([1])),
            ("ignore_eos", json!(1)),
            ("presence_penalty", json!("x")),
            ("logit_bias", json!({ "a": 1 })),
            ("logit_bias", json!({ "5": "a" })),
            ("mirostat", json!(300)),
            ("dry_sequence_breakers", json!([1])),
            ("context_policy", json!("slide")),
            ("reasoning_format", json!("raw")),
        ] {
            let what = with(name, value);
            assert!(what.starts_with(&format!("`{name}`")), "{what}");
        }
        assert_eq!(refusal(json!({})), "`messages` is missing");
        assert!(refusal(json!({ "messages": "hello" })).starts_with("`messages` must be"));
        assert!(refusal(json!({ "messages": ["hello"] })).starts_with("`messages` must be"));
        assert!(refusal(json!("hello")).starts_with("`request` must be an object"));
    }
}
