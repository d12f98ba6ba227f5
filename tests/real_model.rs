//! The real model, SmolLM2-135M-Instruct in Q4_1, against the reference engine. Run
//! `./build.sh serve` or `./build.sh test` once to have it.

mod common;

use common::{fixtures, generate, load, real_model, score};
use pagelm::sampling::SamplingParams;
use pagelm::session::{FinishReason, GenerateParams};
use serde_json::Value;

const FIXTURES: &str = "real/smollm2-135m-q4_1";

fn greedy(max_tokens: usize) -> GenerateParams {
    GenerateParams {
        max_tokens: Some(max_tokens),
        sampling: SamplingParams::greedy(),
        ignore_eos: true,
        ..GenerateParams::default()
    }
}

fn ids(json: &Value) -> Vec<u32> {
    json.as_array().unwrap().iter().map(|t| t.as_u64().unwrap() as u32).collect()
}

/// Greedy text equals the reference up to the first step where its two best tokens are
/// less than 0.5 apart: two right engines may part there.
#[test]
fn greedy_text_follows_the_reference() {
    let Some(model) = real_model() else { return };
    let mut engine = load(&model, 1);
    let reference = fixtures().json(&format!("{FIXTURES}/greedy.json"));
    for kind in ["llamacpp", "exact"] {
        let Some(rows) = reference[kind].as_array() else { continue };
        for row in rows {
            let expected = ids(&row["tokens"]);
            let margins: Vec<f64> =
                row["margin"].as_array().unwrap().iter().map(|m| m.as_f64().unwrap()).collect();
            let sure = margins.iter().position(|m| *m < 0.5).unwrap_or(expected.len());
            let (found, _, _) =
                generate(&mut engine, ids(&row["prompt_tokens"]), greedy(expected.len()));
            let prompt = row["prompt"].as_str().unwrap_or("messages");
            assert_eq!(found[..sure], expected[..sure], "{kind}: {prompt}");
        }
    }
}

#[test]
fn perplexity_is_that_of_the_reference() {
    let Some(model) = real_model() else { return };
    let reference = fixtures().json(&format!("{FIXTURES}/nll.json"));
    let scores = score(&mut load(&model, 1), ids(&reference["tokens"]));
    let exact = 20.78;
    let off = (scores.perplexity() / exact - 1.0).abs();
    println!("perplexity {:.3}, {:.2} % off", scores.perplexity(), off * 100.0);
    assert!(off < 0.005, "perplexity {} is not within 0.5 % of {exact}", scores.perplexity());
}

/// The second turn prefills only what is new, and says the same: the reference's two best
/// tokens are 0.8 and more apart at each of these steps, so rounding cannot decide.
#[test]
fn a_cached_prefix_changes_nothing() {
    let Some(model) = real_model() else { return };
    let mut engine = load(&model, 1);
    let prompt = engine.tokenizer().encode("The capital of France is", false, false).unwrap();
    let (first, _, _) = generate(&mut engine, prompt.clone(), greedy(5));
    let mut longer = prompt.clone();
    longer.extend(&first[..2]);
    let (rest, _, finish) = generate(&mut engine, longer.clone(), greedy(3));
    assert_eq!(rest, first[2..]);
    assert_eq!(finish.usage.cached_tokens, longer.len() - 1);
    let fresh = GenerateParams { cache_prompt: false, ..greedy(3) };
    let (rest, _, finish) = generate(&mut engine, longer, fresh);
    assert_eq!(rest, first[2..]);
    assert_eq!((finish.usage.cached_tokens, finish.reason), (0, FinishReason::Length));
}

/// Drafts save passes where an answer repeats its prompt, and change no token: greedy, and
/// with random numbers.
#[test]
fn drafts_change_nothing() {
    let Some(model) = real_model() else { return };
    let mut engine = load(&model, 1);
    let list = "red, green, blue, yellow, black, white, orange, purple, brown, pink";
    let prompt = format!("Colours: {list}.\nThe same colours again: {list}.\nColours: red,");
    let prompt = engine.tokenizer().encode(&prompt, false, false).unwrap();
    let mut accepted = 0;
    for sampling in
        [SamplingParams::greedy(), SamplingParams { seed: 7, ..SamplingParams::default() }]
    {
        let params = GenerateParams { sampling, ..greedy(40) };
        let plain = GenerateParams { prompt_lookup: false, ..params.clone() };
        let (with, _, finish) = generate(&mut engine, prompt.clone(), params);
        accepted += finish.timings.draft_n_accepted;
        let (without, _, _) = generate(&mut engine, prompt.clone(), plain);
        assert_eq!(with, without);
    }
    assert!(accepted > 10, "only {accepted} drafted tokens were right");
}

#[test]
fn stop_strings_and_echo_with_logprobs() {
    let Some(model) = real_model() else { return };
    let mut engine = load(&model, 1);
    let prompt = engine.tokenizer().encode("One, two, three, four,", false, false).unwrap();
    let (_, text, _) = generate(&mut engine, prompt.clone(), greedy(16));
    let stop = text.chars().skip(4).take(5).collect::<String>();
    let params = GenerateParams { stop: vec![stop.clone()], ..greedy(16) };
    let (_, stopped, finish) = generate(&mut engine, prompt.clone(), params);
    assert_eq!(stopped, text[..text.find(&stop).unwrap()]);
    assert_eq!(finish.reason, FinishReason::Stop);

    let params = GenerateParams { echo: true, logprobs: Some(2), ..greedy(0) };
    let (tokens, text, finish) = generate(&mut engine, prompt.clone(), params);
    assert_eq!((tokens, text.as_str()), (prompt.clone(), "One, two, three, four,"));
    assert_eq!(finish.usage.completion_tokens, 0);
}
