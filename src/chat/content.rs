//! A message's `content`: a text, or OpenAI's list of parts
//! (`[{"type": "text", "text": ".."}]`).
//!
//! Most templates print `message.content` and want a text; some loop over parts and
//! want only those; some take both. Which one it is, a template is asked once, by
//! rendering one message each way. Then:
//!
//! - a template that takes both gets what the caller wrote;
//! - one that takes texts gets the text parts joined by line feeds;
//! - one that takes parts gets a text as a single part.

use serde_json::{Value, json};

use crate::{Error, Result};

/// What a template expects in `content`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentForm {
    /// Texts only.
    Text,
    /// Lists of parts only.
    Parts,
    /// Both.
    Either,
}

/// The text of the probing message.
const PROBE: &str = "Zq7probe";

impl ContentForm {
    /// Asks a template, given as a function from messages to text (`None` if it failed).
    pub(super) fn probe(render: impl Fn(Value) -> Option<String>) -> ContentForm {
        let rendered = |content: Value| {
            render(json!([{ "role": "user", "content": content }]))
                .filter(|text| text.contains(PROBE))
        };
        let takes_text = rendered(json!(PROBE)).is_some();
        // A template that knows nothing of parts prints the list itself.
        let takes_parts = rendered(json!([{ "type": "text", "text": PROBE }]))
            .is_some_and(|text| !text.contains("'type'") && !text.contains("\"type\""));
        match (takes_text, takes_parts) {
            (true, true) => ContentForm::Either,
            (false, true) => ContentForm::Parts,
            (_, false) => ContentForm::Text,
        }
    }

    /// The messages with each `content` in the form that the template expects.
    ///
    /// # Errors
    /// [`Error::BadRequest`] if `messages` is not a list of objects, or has a part
    /// that is no text where the template takes texts only.
    pub(super) fn adapt(self, messages: &Value) -> Result<Value> {
        let bad = |what: &str| Error::BadRequest { what: what.to_owned() };
        let list = messages.as_array().ok_or_else(|| bad("`messages` must be a list"))?;
        let mut adapted = Vec::with_capacity(list.len());
        for message in list {
            let mut message = message.as_object().cloned().ok_or_else(|| {
                bad("each of `messages` must be an object with `role` and `content`")
            })?;
            if let Some(content) = message.get_mut("content") {
                match (self, &*content) {
                    (ContentForm::Text, Value::Array(parts)) => *content = join(parts)?.into(),
                    (ContentForm::Parts, Value::String(text)) => {
                        *content = json!([{ "type": "text", "text": text }]);
                    }
                    _ => {}
                }
            }
            adapted.push(Value::Object(message));
        }
        Ok(Value::Array(adapted))
    }
}

fn join(parts: &[Value]) -> Result<String> {
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| match part {
            Value::String(text) => Some(text.as_str()),
            part => part.get("text").and_then(Value::as_str),
        })
        .collect();
    texts.map(|texts| texts.join("\n")).ok_or_else(|| Error::BadRequest {
        what: "this model reads text only, but `content` has a part of another type".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapts_each_form() {
        let messages = json!([
            { "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
            { "role": "assistant", "content": "c", "tool_calls": [] },
            { "role": "assistant", "content": null },
            { "role": "tool" },
        ]);
        let contents = |form: ContentForm| -> Vec<Value> {
            let adapted = form.adapt(&messages).expect("valid messages");
            adapted.as_array().expect("a list").iter().map(|m| m["content"].clone()).collect()
        };
        let part = |text| json!({ "type": "text", "text": text });
        assert_eq!(
            contents(ContentForm::Text),
            [json!("a\nb"), json!("c"), json!(null), json!(null)]
        );
        assert_eq!(
            contents(ContentForm::Parts),
            [json!([part("a"), part("b")]), json!([part("c")]), json!(null), json!(null)]
        );
        assert_eq!(ContentForm::Either.adapt(&messages), Ok(messages));
    }

    #[test]
    fn refuses_what_is_no_message() {
        for messages in [json!("hello"), json!(["hello"]), json!({ "role": "user" })] {
            let error = ContentForm::Either.adapt(&messages).expect_err("must be refused");
            assert_eq!(error.code(), "bad_request");
        }
        let image =
            json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": {} }] }]);
        assert_eq!(ContentForm::Text.adapt(&image).expect_err("an image").code(), "bad_request");
    }
}
