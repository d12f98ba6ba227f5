//! Models whose layers keep a state: what cannot be cut back is computed again, and the answers
//! stay the same.

mod common;

use common::{fixtures, generate, load};
use pagelm::sampling::SamplingParams;
use pagelm::session::{Engine, GenerateParams};

const MODELS: [&str; 2] = ["lfm2.F16", "qwen35.F16"];

fn greedy(engine: &mut Engine, prompt: &[u32], params: GenerateParams) -> (Vec<u32>, usize) {
    let params = GenerateParams {
        max_tokens: Some(24),
        sampling: SamplingParams::greedy(),
        ignore_eos: true,
        ..params
    };
    let (tokens, _, finish) = generate(engine, prompt.to_vec(), params);
    (tokens, finish.usage.cached_tokens)
}

#[test]
fn a_state_that_cannot_be_cut_back_is_computed_again() {
    for name in MODELS {
        let Some(model) = fixtures().path(&format!("tiny/{name}.gguf")) else { continue };
        let mut engine = load(&model, 2);
        // A loop: every place of it has occurred before.
        let prompt: Vec<u32> = (0..100).map(|i| 60 + i % 7).collect();
        let (answer, cached) = greedy(&mut engine, &prompt, GenerateParams::default());
        assert_eq!(cached, 0);

        let plain = GenerateParams { prompt_lookup: false, ..GenerateParams::default() };
        let uncached = GenerateParams { cache_prompt: false, ..plain.clone() };
        assert_eq!(
            greedy(&mut load(&model, 1), &prompt, plain.clone()).0,
            answer,
            "{name}: drafts"
        );

        // The conversation goes on: nothing is computed again.
        let mut longer = [&prompt[..], &answer[..], &[70, 71]].concat();
        let (second, cached) = greedy(&mut engine, &longer, plain.clone());
        assert_eq!(cached, prompt.len() + answer.len() - 1, "{name}");
        assert_eq!(greedy(&mut load(&model, 1), &longer, uncached.clone()).0, second, "{name}");

        // It takes another turn within what the cache holds.
        longer.truncate(prompt.len() + 5);
        longer.extend([80, 81, 82]);
        let (third, cached) = greedy(&mut engine, &longer, plain.clone());
        assert!(cached <= prompt.len() + 5, "{name}: {cached}");
        assert_eq!(greedy(&mut load(&model, 1), &longer, uncached.clone()).0, third, "{name}");

        // The same once more begins at the last chunk of the prompt, or anew.
        assert_eq!(greedy(&mut engine, &longer, plain).0, third, "{name}");
        assert_eq!(greedy(&mut engine, &prompt, uncached).0, answer, "{name}");
    }
}
