//! Answers and conversations longer than the context.

mod common;

use common::{fixtures, generate};
use pagelm::Error;
use pagelm::chat::RenderInput;
use pagelm::session::{
    ContextPolicy, Engine, FinishReason, GenerateParams, Generation, LoadOptions, Loader,
};
use serde_json::json;

const MODEL: &str = "tiny/llama-e192.Q4_1.gguf";
const CONTEXT: usize = 48;

fn engine() -> Engine {
    let path = fixtures().path(MODEL).expect("in the subset");
    let options = LoadOptions { context: Some(CONTEXT), ..LoadOptions::default() };
    let mut loader = Loader::new(options);
    loader.push(&std::fs::read(path).unwrap()).unwrap();
    loader.finish().unwrap()
}

fn params(max_tokens: usize, context_policy: ContextPolicy) -> GenerateParams {
    GenerateParams {
        max_tokens: Some(max_tokens),
        sampling: pagelm::sampling::SamplingParams::greedy(),
        ignore_eos: true,
        context_policy,
        keep: 5,
        ..GenerateParams::default()
    }
}

#[test]
fn a_shifted_context_gives_the_tokens_of_a_fresh_one() {
    let mut engine = engine();
    let prompt: Vec<u32> = (20..50).collect();
    let shift = params(80, ContextPolicy::Shift);
    let (tokens, _, finish) = generate(&mut engine, prompt.clone(), shift);
    assert_eq!((tokens.len(), finish.reason), (80, FinishReason::Length));
    assert_eq!(finish.usage.prompt_tokens, prompt.len());

    let mut all = prompt;
    for token in tokens {
        if all.len() >= CONTEXT {
            // The five tokens kept, and the last half of the others.
            let forgotten = (all.len() - 5).div_ceil(2);
            all.drain(5..5 + forgotten);
        }
        let fresh = GenerateParams { cache_prompt: false, ..params(1, ContextPolicy::Stop) };
        assert_eq!(generate(&mut engine, all.clone(), fresh).0, [token]);
        all.push(token);
    }
}

#[test]
fn without_a_shift_a_full_context_is_the_end() {
    let mut engine = engine();
    let prompt: Vec<u32> = (20..50).collect();
    let stop = params(80, ContextPolicy::Stop);
    let (tokens, _, finish) = generate(&mut engine, prompt, stop.clone());
    assert_eq!((tokens.len(), finish.reason), (CONTEXT - 30, FinishReason::Length));

    let long: Vec<u32> = (20..20 + 2 * CONTEXT as u32).collect();
    let error = Generation::new(&mut engine, long.clone(), stop).err().expect("too long");
    assert_eq!(error, Error::ContextOverflow { tokens: 2 * CONTEXT, context: CONTEXT });
    let (tokens, _, finish) = generate(&mut engine, long, params(30, ContextPolicy::Shift));
    assert_eq!((tokens.len(), finish.usage.prompt_tokens), (30, CONTEXT - CONTEXT / 4));
}

#[test]
fn a_context_of_one_token_is_refused() {
    let path = fixtures().path(MODEL).expect("in the subset");
    let mut loader = Loader::new(LoadOptions { context: Some(1), ..LoadOptions::default() });
    loader.push(&std::fs::read(path).unwrap()).unwrap();
    let mut engine = loader.finish().unwrap();
    for prompt in [vec![20], vec![20, 21, 22]] {
        let error = Generation::new(&mut engine, prompt, params(2, ContextPolicy::Shift)).err();
        assert!(matches!(error, Some(Error::ContextOverflow { .. })), "{error:?}");
    }
}

#[test]
fn penalties_count_an_answer_behind_a_shift() {
    let mut engine = engine();
    let mut penalised = params(160, ContextPolicy::Shift);
    penalised.sampling.frequency_penalty = 2.0;
    penalised.sampling.logit_bias = (0..8).map(|token| (token, 100.0)).collect();
    let (tokens, ..) = generate(&mut engine, (20..50).collect(), penalised);
    // The penalty makes the eight come equally often, but for the model's own preferences.
    for token in 0..8 {
        let count = tokens.iter().filter(|&&t| t == token).count();
        assert!(count.abs_diff(20) <= 3, "token {token} came {count} times");
    }
}

#[test]
fn a_long_history_loses_its_oldest_turns() {
    let mut engine = engine();
    let mut messages = vec![json!({ "role": "system", "content": "Be brief" })];
    for turn in 0..9 {
        messages.push(json!({ "role": "user", "content": format!("a{turn}") }));
        messages.push(json!({ "role": "assistant", "content": "b" }));
    }
    messages.push(json!({ "role": "user", "content": "last" }));
    let input = RenderInput {
        messages: messages.into(),
        add_generation_prompt: true,
        ..RenderInput::default()
    };
    let whole = engine.chat_prompt(&input, ContextPolicy::Stop).unwrap();
    assert!(whole.tokens.len() > CONTEXT && whole.forgotten == 0);
    let cut = engine.chat_prompt(&input, ContextPolicy::Shift).unwrap();
    assert!(cut.forgotten > 0 && cut.tokens.len() <= CONTEXT - CONTEXT / 4);
    assert!(cut.keep > 0 && cut.keep < cut.tokens.len());
    let text = |tokens: &[u32]| engine.tokenizer().decode(tokens);
    assert!(text(&cut.tokens[..cut.keep]).contains("Be brief"));
    assert_eq!(text(&whole.tokens[..whole.keep]), text(&cut.tokens[..cut.keep]));
    let shown = text(&cut.tokens);
    assert!(shown.contains("last") && !shown.contains("a0"), "{shown}");
    let params = GenerateParams { keep: cut.keep, ..params(60, ContextPolicy::Shift) };
    assert_eq!(generate(&mut engine, cut.tokens, params).0.len(), 60);
}
