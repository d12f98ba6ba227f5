//! Logits and losses of the tiny models against the reference engine, within the
//! tolerances of the fixtures' README.

mod common;

use common::{fixtures, load, npy, score};
use serde_json::Value;

/// Architecture `llama` in every format that runs.
const MODELS: [&str; 34] = [
    "llama-e192.F16",
    "llama-e192.IQ4_XS",
    "llama-e192.Q2_K",
    "llama-e192.Q3_K_M",
    "llama-e192.Q4_1",
    "llama-e192.Q4_K_M",
    "llama-e192.Q5_K_M",
    "llama-e192.Q8_0",
    "llama-spm.Q4_0",
    "llama-spm.Q4_K_M",
    "llama-spm.Q8_0",
    "llama-types.BF16",
    "llama-types.F16",
    "llama-types.IQ3_S",
    "llama-types.IQ4_NL",
    "llama-types.IQ4_XS",
    "llama-types.MXFP4",
    "llama-types.Q1_0",
    "llama-types.Q2_0",
    "llama-types.Q2_K",
    "llama-types.Q3_K_S",
    "llama-types.Q4_0",
    "llama-types.Q4_1",
    "llama-types.Q4_K_S",
    "llama-types.Q5_0",
    "llama-types.Q5_1",
    "llama-types.Q5_K_S",
    "llama-types.Q6_K",
    "llama-types.Q8_0",
    "llama-types.TQ1_0",
    "llama-types.TQ2_0",
    "llama3.Q4_0",
    "llama3.Q4_K_M",
    "llama3.Q8_0",
];

#[test]
fn tiny_models_match_the_reference() {
    let mut compared = 0;
    for name in MODELS {
        let Some(model) = fixtures().path(&format!("tiny/{name}.gguf")) else { continue };
        let reference = fixtures().json(&format!("tiny/{name}.ref.json"));
        let exact = npy(&fixtures().path(&format!("tiny/{name}.last_logits.exact.npy")).unwrap());
        for threads in [1, 2] {
            let scores = score(&mut load(&model, threads), tokens(&reference["tokens"]));
            let rms = relative_rms(&scores.last_logits, &exact);
            let mean = reference["exact"]["mean_nll"].as_f64().unwrap();
            let nll_error = (scores.mean_nll() - mean).abs();
            let limit = rms_limit(name, &reference);
            println!("{name} ×{threads}: rms {rms:.5} (limit {limit:.5}), nll off {nll_error:.5}");
            assert!(rms <= limit, "{name}: relative rms {rms}, limit {limit}");
            assert!(nll_error <= 0.05, "{name}: mean nll off by {nll_error}");
            let all = reference["exact"]["nll"].as_array().unwrap();
            assert_eq!(scores.nll.len(), all.len());
        }
        compared += 1;
    }
    assert!(compared >= 2, "the subset in tests/fixtures has at least two models");
    println!("{compared} of {} models compared", MODELS.len());
}

/// Float weights run with f32 activations: 0.005. Others: 1.5 times what llama.cpp's own
/// 8-bit activations cost.
fn rms_limit(name: &str, reference: &Value) -> f64 {
    if name.ends_with("F16") {
        return 0.005;
    }
    1.5 * reference["spread"]["rel_rms"].as_f64().unwrap()
}

fn relative_rms(found: &[f32], exact: &[f32]) -> f64 {
    assert_eq!(found.len(), exact.len());
    let square = |x: f64| x * x;
    let error: f64 = found.iter().zip(exact).map(|(a, b)| square((a - b) as f64)).sum();
    let norm: f64 = exact.iter().map(|b| square(*b as f64)).sum();
    (error / norm).sqrt()
}

fn tokens(json: &Value) -> Vec<u32> {
    json.as_array().unwrap().iter().map(|t| t.as_u64().unwrap() as u32).collect()
}
