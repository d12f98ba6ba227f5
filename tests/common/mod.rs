//! What several tests share.
#![allow(dead_code)] // each test uses a part

use pagelm::model::{LoadOptions, Loader};
use pagelm::session::{Engine, Finish, GenerateParams, Generation, Scores, Scoring, Step};
use std::path::{Path, PathBuf};

pub struct Fixtures(PathBuf);
pub fn fixtures() -> Fixtures {
    Fixtures("/work/shared/fixtures/given".into())
}
impl Fixtures {
    pub fn path(&self, rel: &str) -> Option<PathBuf> {
        let p = self.0.join(rel);
        p.exists().then_some(p)
    }
    pub fn json(&self, rel: &str) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.path(rel).unwrap()).unwrap()).unwrap()
    }
}

/// Loads a model in pieces of an awkward size.
pub fn load(path: &Path, threads: usize) -> Engine {
    let mut loader = Loader::new(LoadOptions { context: None, threads });
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

/// The real model's file, or a line that says what is left out without it.
pub fn real_model() -> Option<PathBuf> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("www/models/SmolLM2-135M-Instruct.Q4_1.gguf");
    if !path.exists() {
        println!("skipped: {} is not there (./build.sh fetches it)", path.display());
    }
    path.exists().then_some(path)
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
