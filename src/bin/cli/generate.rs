//! `generate`.

use super::args::Generate;
use super::render::messages;
use super::{load, print, read_text};
use pagelm::sampling::SamplingParams;
use pagelm::session::{ContextPolicy, GenerateParams, Generation, Step};
use pagelm::{Error, Result};
use serde_json::json;

pub(super) fn run(args: &Generate) -> Result<()> {
    let mut engine = load(&args.model, &args.run)?;
    let context_policy = ContextPolicy::parse(&args.context_policy)?;
    let (mut keep, mut separation) = (0, None);
    let prompt = match (&args.messages, &args.prompt_file) {
        (Some(file), _) => {
            let prompt = engine.chat_prompt(&messages(file, true)?, context_policy)?;
            (keep, separation) = (prompt.keep, Some(prompt.reasoning));
            prompt.tokens
        }
        (None, Some(file)) => engine.tokenizer().encode(&read_text(file)?, true, true)?,
        (None, None) => {
            return Err(Error::BadRequest { what: "give --prompt-file or --messages".into() });
        }
    };
    let sampling = SamplingParams {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        min_p: args.min_p,
        repetition_penalty: args.repetition_penalty,
        seed: args.seed,
        ..SamplingParams::default()
    };
    let params = GenerateParams {
        max_tokens: Some(args.max_tokens),
        sampling,
        context_policy,
        keep,
        reasoning: separation.unwrap_or_default(),
        ..GenerateParams::default()
    };
    let mut generation = Generation::new(&mut engine, prompt, params)?;
    let (mut tokens, mut text, mut reasoning) = (Vec::new(), String::new(), String::new());
    let finish = loop {
        match generation.step(&mut engine)? {
            Step::Prefill { .. } => {}
            Step::Token(event) => {
                tokens.push(event.token);
                text.push_str(&event.text);
                reasoning.push_str(&event.reasoning);
            }
            Step::Done(finish) => break finish,
        }
    };
    text.push_str(&finish.text);
    reasoning.push_str(&finish.reasoning);
    let value = json!({
        "tokens": tokens,
        "text": text,
        "reasoning": reasoning,
        "finish_reason": finish.reason,
        "usage": finish.usage,
        "timings": finish.timings,
    });
    print(args.json, value, || text.clone());
    Ok(())
}
