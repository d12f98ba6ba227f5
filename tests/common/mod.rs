//! What several tests share.
// Each test compiles this module for itself and uses a part of it.
#![allow(dead_code, unused_imports, unreachable_pub)]

mod fixtures;

pub use fixtures::{Fixtures, fixtures, real_model, report_skipped};

use pagelm::session::{
    Engine, Finish, GenerateParams, Generation, LoadOptions, Loader, Scores, Scoring, Step,
};
use std::path::Path;

/// Loads a model in pieces of an awkward size.
pub fn load(path: &Path, threads: usize) -> Engine {
    let mut loader = Loader::new(LoadOptions { threads, ..LoadOptions::default() });
    for piece in std::fs::read(path).unwrap().chunks(100_003) {
        loader.push(piece).unwrap();
    }
    loader.finish().unwrap()
}

/// Scores tokens to the end.
pub fn score(engine: &mut Engine, tokens: Vec<u32>) -> Scores {
    let mut scoring = Scoring::new(engine, tokens).unwrap();
    loop {
        if let Some(scores) = scoring.step(engine).unwrap() {
            return scores;
        }
    }
}

/// A file of float32 values as NumPy saves them, version 1.
pub fn npy(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let header = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    assert!(bytes[10..10 + header].windows(3).any(|w| w == b"<f4"));
    bytes[10 + header..]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

/// Generates to the end: tokens, text, and how it finished.
pub fn generate(
    engine: &mut Engine,
    prompt: Vec<u32>,
    params: GenerateParams,
) -> (Vec<u32>, String, Finish) {
    let mut generation = Generation::new(engine, prompt, params).unwrap();
    let (mut tokens, mut text) = (Vec::new(), String::new());
    loop {
        match generation.step(engine).unwrap() {
            Step::Prefill { .. } => {}
            Step::Token(event) => {
                tokens.push(event.token);
                text.push_str(&event.text);
            }
            Step::Done(finish) => {
                text.push_str(&finish.text);
                return (tokens, text, finish);
            }
        }
    }
}
