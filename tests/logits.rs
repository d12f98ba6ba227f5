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
    for given in fixtures().files("tiny", ".gguf") {
        let name = given.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(names.contains(&name), "{name} is not in the table");
    }
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
            let (worst, worst_limit) = worst_loss(name, &scores.nll, &reference);
            let within = |x: f64, limit: f64| !x.is_nan() && x <= limit;
            if !within(rms, limit) || !within(nll_error, 0.05) || !within(worst, worst_limit) {
                wrong.push(format!(
                    "{name} ×{threads}: rms {rms}, limit {limit}; nll off {nll_error}; \
                     a loss off by {worst}, limit {worst_limit}"
                ));
            }
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

/// How far the loss of a single position is off, and how far it may be: one wrong position
/// would hide in the mean.
fn worst_loss(name: &str, found: &[f32], reference: &Value) -> (f64, f64) {
    let exact = reference["exact"]["nll"].as_array().unwrap();
    assert_eq!(found.len(), exact.len());
    let off = found.iter().zip(exact).map(|(a, b)| (*a as f64 - b.as_f64().unwrap()).abs());
    let limit = match name.ends_with("F16") {
        true => 0.05,
        false => 2.0 * reference["spread"]["max_abs_nll_diff"].as_f64().unwrap(),
    };
    (off.fold(0.0, |max, x| if x > max || x.is_nan() { x } else { max }), limit)
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
