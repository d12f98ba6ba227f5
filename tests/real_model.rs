//! The real model, SmolLM2-135M-Instruct in Q4_1, against the reference engine. Run
//! `./build.sh serve` or `./build.sh test` once to have it.

mod common;

use common::{fixtures, generate, load, real_model, score};
use pagelm::sampling::SamplingParams;
use pagelm::session::{FinishReason, GenerateParams, Generation, Ranking, Snapshot, Step};
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

/// A saved session goes on in another engine as without the pause; one of another model is
/// refused, and one of another build is not taken as it is.
#[test]
fn a_restored_session_goes_on() {
    let Some(model) = real_model() else { return };
    let mut engine = load(&model, 1);
    let mut prompt =
        engine.tokenizer().encode(&"The tide comes in. ".repeat(9), false, false).unwrap();
    let (first, _, _) = generate(&mut engine, prompt.clone(), greedy(6));
    let saved = engine.snapshot();
    let layers: Vec<_> = (0..saved.layers).map(|layer| engine.save_layer(layer)).collect();
    prompt.extend(&first);
    let (expected, _, _) = generate(&mut engine, prompt.clone(), greedy(8));

    let mut other = load(&model, 1);
    assert_eq!(other.begin_restore(&saved), Ok(true));
    for (layer, bytes) in layers.iter().enumerate() {
        assert!(other.restore_layer(layer, saved.tokens.len(), bytes));
    }
    other.finish_restore(&saved.tokens);
    let (found, _, finish) = generate(&mut other, prompt, greedy(8));
    assert_eq!(found, expected);
    assert!(finish.usage.cached_tokens + 2 >= saved.tokens.len());

    let foreign = Snapshot { model: "0-1".into(), ..saved.clone() };
    assert!(other.begin_restore(&foreign).is_err());
    let of_another_build = Snapshot { build: "0/0".into(), ..saved.clone() };
    assert_eq!(other.begin_restore(&of_another_build), Ok(false));
    assert!(!other.restore_layer(0, saved.tokens.len() + 99, &layers[0]));
}

/// Continuations are as probable together as each from scratch.
#[test]
fn a_ranking_equals_the_scores() {
    let Some(model) = real_model() else { return };
    let mut engine = load(&model, 1);
    let encode = |text: &str| engine.tokenizer().encode(text, false, false).unwrap();
    let prompt = encode("The capital of France is");
    let continuations = [" Paris", " London", " a small town by the sea"].map(encode).to_vec();
    let mut ranking = Ranking::new(&mut engine, prompt.clone(), continuations.clone()).unwrap();
    let ranks = loop {
        if let Some(logprobs) = ranking.step(&mut engine).unwrap() {
            break logprobs.to_vec();
        }
    };
    assert!(ranks[0] > ranks[1]);
    for (rank, continuation) in ranks.iter().zip(&continuations) {
        let tokens = [&prompt[..], continuation].concat();
        let nll = score(&mut engine, tokens).nll;
        let alone: f64 = nll[prompt.len() - 1..].iter().map(|nll| -f64::from(*nll)).sum();
        assert!((rank - alone).abs() < 1e-4, "{rank} against {alone}");
    }
    assert!(Ranking::new(&mut engine, prompt.clone(), vec![vec![]]).is_err());
    assert!(Ranking::new(&mut engine, prompt, vec![vec![9; 100_000]]).is_err());
}

/// A generation that others have displaced from the cache goes on to the same text.
#[test]
fn a_resumed_generation_goes_on() {
    let Some(model) = real_model() else { return };
    let mut engine = load(&model, 1);
    let encode = |text: &str| engine.tokenizer().encode(text, false, false).unwrap();
    let (prompt, other) = (encode("Once upon a time"), encode("Once more"));
    let (expected, _, _) = generate(&mut engine, prompt.clone(), greedy(24));
    let mut generation = Generation::new(&mut engine, prompt, greedy(24)).unwrap();
    let mut tokens = Vec::new();
    loop {
        match generation.step(&mut engine).unwrap() {
            Step::Prefill { .. } => {}
            Step::Done(_) => break,
            Step::Token(event) => {
                tokens.push(event.token);
                if tokens.len() % 7 == 3 {
                    generate(&mut engine, other.clone(), greedy(3));
                    generation.resume(&mut engine);
                }
            }
        }
    }
    assert_eq!(tokens, expected);
}
