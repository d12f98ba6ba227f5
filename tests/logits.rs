//! Logits and losses of the tiny models against the reference engine, within the
//! tolerances of the fixtures' README.

mod common;

use common::{fixtures, load, npy, score};
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn tiny_models_match_the_reference() {
    let (mut compared, mut wrong) = (0, Vec::new());
    let names = tiny_models();
    for name in &names {
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
            if rms.is_nan() || rms > limit || nll_error.is_nan() || nll_error > 0.05 {
                wrong.push(format!(
                    "{name} ×{threads}: rms {rms}, limit {limit}; nll off {nll_error}"
                ));
            }
            let all = reference["exact"]["nll"].as_array().unwrap();
            assert_eq!(scores.nll.len(), all.len());
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(compared >= 10, "the subset in tests/fixtures has some");
    println!("{compared} of {} models compared", names.len());
}

/// Every tiny model in every format of the table that the browser's test reads, too.
fn tiny_models() -> Vec<String> {
    let table: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("models.json")).unwrap();
    let names = |(model, formats): (&String, &Vec<String>)| -> Vec<String> {
        formats.iter().map(|format| format!("{model}.{format}")).collect()
    };
    table.iter().flat_map(names).collect()
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
