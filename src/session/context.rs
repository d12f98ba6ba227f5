//! What happens when the context is full.
//!
//! Shifting forgets the oldest tokens behind those to keep, and computes the remaining ones
//! anew: keys and values in the cache know their positions and what came before them, so
//! nothing less is exact. Half of what can go goes at once, so that it is rare.

use super::engine::Engine;
use crate::chat::{ReasoningStream, RenderInput};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::ops::Range;

/// What happens when the context is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContextPolicy {
    /// A prompt that is too long is refused; an answer ends.
    #[default]
    Stop,
    /// The oldest messages and tokens are forgotten, the system prompt never.
    Shift,
}

impl ContextPolicy {
    /// Reads `stop` or `shift`.
    ///
    /// # Errors
    /// [`Error::BadRequest`].
    pub fn parse(name: &str) -> Result<ContextPolicy> {
        match name {
            "stop" => Ok(ContextPolicy::Stop),
            "shift" => Ok(ContextPolicy::Shift),
            other => Err(Error::BadRequest {
                what: format!("`context_policy` must be \"stop\" or \"shift\", not {other:?}"),
            }),
        }
    }
}

/// A conversation, ready to be answered.
#[derive(Clone, Debug)]
pub struct ChatPrompt {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// How many of them a shift keeps: BOS, the system prompt and what the template writes
    /// before the first other message.
    pub keep: usize,
    /// Separates the reasoning from the answer.
    pub reasoning: ReasoningStream,
    /// Messages left out because the context is too short.
    pub forgotten: usize,
}

/// The part of the context, as its divisor, that a shift leaves to the answer at least.
const ROOM: usize = 4;

impl Engine {
    /// The prompt of a conversation. With [`ContextPolicy::Shift`] the oldest messages that
    /// are not of the system are left out until there is room for an answer.
    ///
    /// # Errors
    /// As [`Engine::render_chat`]; [`Error::BadRequest`] where there is no message to answer.
    pub fn chat_prompt(&self, input: &RenderInput, policy: ContextPolicy) -> Result<ChatPrompt> {
        if input.messages.as_array().is_some_and(Vec::is_empty) {
            return Err(Error::BadRequest {
                what: "`messages` is empty: there is nothing to answer".into(),
            });
        }
        let (mut text, mut tokens) = self.render_chat(input)?;
        let room = self.context - self.context / ROOM;
        let turns = turns(&input.messages);
        let mut forgotten = 0;
        if policy == ContextPolicy::Shift && tokens.len() > room && !turns.is_empty() {
            let rendered =
                |n: usize| self.render_chat(&without(input, turns[0].start..turns[n - 1].end));
            // The fewest that make room: rendering and tokenising a long history takes a while.
            let (mut least, mut most) = (1, turns.len());
            while least < most {
                let middle = usize::midpoint(least, most);
                if rendered(middle)?.1.len() > room {
                    least = middle + 1;
                } else {
                    most = middle;
                }
            }
            forgotten = least;
            (text, tokens) = rendered(forgotten)?;
        }
        let keep = self.system_tokens(input, &tokens);
        Ok(ChatPrompt { tokens, keep, reasoning: self.reasoning(&text)?, forgotten })
    }

    /// How many tokens a conversation has in common with one of the same system prompt.
    fn system_tokens(&self, input: &RenderInput, tokens: &[u32]) -> usize {
        let system = input.messages.as_array().map_or(&[] as &[Value], Vec::as_slice);
        let mut messages: Vec<Value> =
            system.iter().take_while(|m| is_system(m)).cloned().collect();
        messages.push(json!({ "role": "user", "content": "\u{1}" }));
        let other = RenderInput { messages: Value::Array(messages), ..input.clone() };
        let Ok((_, other)) = self.render_chat(&other) else {
            return usize::from(!tokens.is_empty());
        };
        other.iter().zip(tokens).take_while(|(a, b)| a == b).count()
    }

    /// Cuts tokens to what leaves room for an answer: `keep` from the beginning, and the
    /// end. Does nothing where they fit.
    pub(super) fn fit(&self, tokens: &mut Vec<u32>, keep: usize) {
        if tokens.len() >= self.context {
            let most = self.context - (self.context / ROOM).max(1);
            shift(tokens, keep, most.max(1));
        }
    }
}

/// Forgets tokens behind the first `keep` (at most half of `most`), so that `most` remain.
/// Returns which.
pub(super) fn shift(tokens: &mut Vec<u32>, keep: usize, most: usize) -> Range<usize> {
    let keep = keep.min(most / 2);
    let forgotten = keep..keep + tokens.len().saturating_sub(most);
    tokens.drain(forgotten.clone());
    forgotten
}

fn is_system(message: &Value) -> bool {
    matches!(message["role"].as_str(), Some("system" | "developer"))
}

/// The turns that may be forgotten, oldest first: a message that is not of the system, and
/// what follows it up to the next of the user. The last one stays.
fn turns(messages: &Value) -> Vec<Range<usize>> {
    let list = messages.as_array().map_or(&[] as &[Value], Vec::as_slice);
    let Some(mut start) = list.iter().position(|message| !is_system(message)) else {
        return Vec::new();
    };
    let starts = (start + 1..list.len()).filter(|&i| list[i]["role"] == "user");
    starts.map(|next| std::mem::replace(&mut start, next)..next).collect()
}

/// A conversation without some of its messages.
fn without(input: &RenderInput, messages: Range<usize>) -> RenderInput {
    let mut input = input.clone();
    if let Some(list) = input.messages.as_array_mut() {
        list.drain(messages);
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_keeps_the_beginning_and_the_end() {
        let shifted = |keep, most| {
            let mut tokens: Vec<u32> = (0..10).collect();
            shift(&mut tokens, keep, most);
            tokens
        };
        assert_eq!(shifted(2, 6), [0, 1, 6, 7, 8, 9]);
        assert_eq!(shifted(0, 3), [7, 8, 9]);
        assert_eq!(shifted(9, 4), [0, 1, 8, 9]);
        assert_eq!(shifted(2, 10).len(), 10);
    }

    #[test]
    fn whole_turns_are_forgotten() {
        let message = |role: &str| json!({ "role": role, "content": "" });
        let roles = |messages: &Value| -> String {
            let list = messages.as_array().expect("a list");
            list.iter().map(|m| &m["role"].as_str().expect("a role")[..1]).collect()
        };
        let all = ["system", "user", "assistant", "tool", "assistant", "user", "assistant", "user"];
        let messages = Value::Array(all.map(message).to_vec());
        let oldest = turns(&messages);
        assert_eq!(oldest, [1..5, 5..7]);
        let input = RenderInput { messages, ..RenderInput::default() };
        assert_eq!(roles(&without(&input, 1..5).messages), "suau");
        assert_eq!(roles(&without(&input, 1..7).messages), "su");
        assert!(turns(&json!([message("system"), message("user")])).is_empty());
        assert!(turns(&json!("none")).is_empty());
    }

    #[test]
    fn policies_have_names() {
        assert_eq!(ContextPolicy::parse("shift"), Ok(ContextPolicy::Shift));
        assert_eq!(ContextPolicy::parse("stop"), Ok(ContextPolicy::Stop));
        assert!(ContextPolicy::parse("slide").is_err());
    }
}
