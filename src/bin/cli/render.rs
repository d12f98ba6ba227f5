//! `render`, and reading a file of messages.

use super::args::Render;
use super::{header, print, read_text, tokenizer};
use pagelm::chat::{ChatTemplate, RenderInput};
use pagelm::session::LoadOptions;
use pagelm::tokenizer::Tokenizer;
use pagelm::{Error, Result};
use serde_json::{Map, Value, json};
use std::path::Path;

pub(super) fn run(args: &Render) -> Result<()> {
    let input = messages(&args.messages, !args.no_generation_prompt)?;
    let (tokenizer, own) = match &args.model {
        Some(model) => {
            let header = header(model)?;
            let tokenizer = tokenizer(&header, &args.given)?;
            let template = ChatTemplate::from_gguf(&header.metadata, &tokenizer)?;
            (Some(tokenizer), Some(template.unwrap_or_else(ChatTemplate::plain)))
        }
        None => (None, None),
    };
    let token = |given: &Option<String>, own: fn(&Tokenizer) -> Option<u32>| {
        let text = |t: &Tokenizer| own(t).map(|id| t.decode(&[id]));
        given.clone().or_else(|| tokenizer.as_ref().and_then(text)).unwrap_or_default()
    };
    let mut template = match (&args.template, own) {
        (Some(file), _) => {
            let bos = token(&args.bos_token, Tokenizer::bos);
            let eos = token(&args.eos_token, Tokenizer::eos);
            ChatTemplate::new(&read_text(file)?, &bos, &eos)?
        }
        (None, Some(template)) => template,
        (None, None) => {
            return Err(Error::BadRequest { what: "give a model or --template".into() });
        }
    };
    if args.now {
        template.set_clock(LoadOptions::default().clock);
    }
    let text = template.render(&input)?;
    let mut value = json!({ "text": text });
    if let Some(tokenizer) = &tokenizer {
        value["tokens"] = json!(tokenizer.encode(&text, false, true)?);
    }
    print(args.json, value, || text.clone());
    Ok(())
}

/// An array of messages, or an object with `messages` and the template's variables.
pub(super) fn messages(path: &Path, add_generation_prompt: bool) -> Result<RenderInput> {
    let bad = |what: String| Error::BadRequest { what: format!("{}: {what}", path.display()) };
    let value = serde_json::from_str(&read_text(path)?).map_err(|e| bad(e.to_string()))?;
    let (messages, mut variables) = match value {
        Value::Array(_) => (value, Map::new()),
        Value::Object(mut object) => {
            let messages = object.shift_remove("messages");
            (messages.ok_or_else(|| bad("no `messages` in it".into()))?, object)
        }
        _ => return Err(bad("neither an array nor an object".into())),
    };
    let add_generation_prompt = match variables.shift_remove("add_generation_prompt") {
        Some(Value::Bool(add)) => add && add_generation_prompt,
        _ => add_generation_prompt,
    };
    Ok(RenderInput { messages, add_generation_prompt, variables })
}
