//! The request for a completion: the OpenAI shapes' fields, and those that are ours.

use super::fields::{Fields, must_be, token_ids};
use crate::chat::RenderInput;
use crate::sampling::SamplingParams;
use crate::session::{ContextPolicy, GenerateParams};
use crate::{Error, Result};
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
        refuse_unless_neutral(&mut fields, "n", 1.0)?;
        refuse_unless_neutral(&mut fields, "frequency_penalty", 0.0)?;
        refuse_unless_neutral(&mut fields, "presence_penalty", 0.0)?;
        let prompt = prompt(&mut fields)?;
        let default = SamplingParams::default();
        let max_tokens = fields.count("max_tokens")?;
        let params = GenerateParams {
            max_tokens: fields.count("max_completion_tokens")?.or(max_tokens),
            sampling: SamplingParams {
                temperature: fields.number("temperature")?.unwrap_or(default.temperature),
                top_k: fields.count("top_k")?.unwrap_or(default.top_k),
                top_p: fields.number("top_p")?.unwrap_or(default.top_p),
                min_p: fields.number("min_p")?.unwrap_or(default.min_p),
                repetition_penalty: fields
                    .number("repetition_penalty")?
                    .unwrap_or(default.repetition_penalty),
                // Only a name for the sequence of random numbers: the sign does not matter.
                seed: fields.integer("seed")?.map_or(seed, |seed| seed as u64),
                ..default
            },
            stop: fields.texts("stop")?,
            ignore_eos: fields.flag("ignore_eos")?.unwrap_or(false),
            cache_prompt: fields.flag("cache_prompt")?.unwrap_or(true),
            prompt_lookup: fields.flag("prompt_lookup")?.unwrap_or(true),
            logprobs: fields.count("logprobs")?,
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
                return Err(Error::BadRequest { what });
            }
        };
        fields.finish()?;
        Ok(CompletionRequest { prompt, params, separate_reasoning })
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

/// A field that is not supported may still be there with the value that changes nothing.
fn refuse_unless_neutral(fields: &mut Fields, name: &str, neutral: f32) -> Result<()> {
    match fields.number(name)? {
        Some(value) if value != neutral => Err(Error::BadRequest {
            what: format!("`{name}` is not supported, except as {neutral}"),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            "n": 1, "frequency_penalty": 0, "max_completion_tokens": 5, "stop": "\n",
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
            ("n", json!(2)),
            ("context_policy", json!("slide")),
            ("reasoning_format", json!("raw")),
            ("presence_penalty", json!(0.1)),
            ("logit_bias", json!({})),
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
