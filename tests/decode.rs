//! Decoding holds no more memory than the text of a token and a few iterators, whatever the layers
//! are.

#![cfg(not(target_arch = "wasm32"))] // counts with an allocator of its own

mod allocations;
mod common;

use common::{fixtures, load};
use pagelm::session::{GenerateParams, Generation, Step};

#[test]
fn a_token_costs_no_memory_but_its_text() {
    for name in ["llama-e192.Q4_1", "mixtral.F16", "olmo3.F16", "lfm2.F16", "qwen35.F16"] {
        let Some(model) = fixtures().path(&format!("tiny/{name}.gguf")) else { continue };
        let mut engine = load(&model, 1);
        let params = GenerateParams { ignore_eos: true, ..GenerateParams::default() };
        let mut generation = Generation::new(&mut engine, vec![60, 61, 62], params).unwrap();
        let mut most = 0;
        for token in 0..40 {
            let (step, usage) = allocations::during(|| generation.step(&mut engine).unwrap());
            assert!(!matches!(step, Step::Done(_)), "{name}: token {token}");
            if token > 8 {
                most = most.max(usage.peak_bytes);
            }
        }
        println!("{name}: {most} bytes at most");
        assert!(most <= 512, "{name}: {most} bytes for one token");
    }
}
