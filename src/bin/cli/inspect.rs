//! `inspect`.

use super::args::Inspect;
use super::{header, print, tokenizer_file};
use pagelm::Result;
use pagelm::gguf::{Header, Value as Metavalue};
use pagelm::session::{self, LoadOptions, Preflight};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Longer arrays of the metadata are shown by their length alone.
const SHORT_ARRAY: usize = 16;

pub(super) fn run(args: &Inspect) -> Result<()> {
    let header = header(&args.model)?;
    let options = LoadOptions { tokenizer: tokenizer_file(&args.given)?, ..LoadOptions::default() };
    let preflight = session::preflight(&header, &options);
    let mut types: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for tensor in &header.tensors {
        let (count, bytes) = types.entry(tensor.dtype.name()).or_default();
        (*count, *bytes) = (*count + 1, *bytes + tensor.n_bytes);
    }
    let types: Map<String, Value> = types
        .into_iter()
        .map(|(name, (count, bytes))| (name.into(), json!({ "tensors": count, "bytes": bytes })))
        .collect();
    let metadata: Map<String, Value> =
        header.metadata.iter().map(|(key, value)| (key.into(), shown(value))).collect();
    let mut value = json!({
        "version": header.version,
        "file_bytes": header.file_len(),
        "parameters": header.n_elements(),
        "types": types,
        "can_run": preflight.is_ok(),
        "metadata": metadata,
    });
    match &preflight {
        Ok(need) => value["memory"] = json!(need),
        Err(e) => value["error"] = json!({ "code": e.code(), "message": e.to_string() }),
    }
    print(args.json, value.clone(), || text(&header, &value, &preflight));
    Ok(())
}

/// A metadata value as JSON; long arrays as their length.
fn shown(value: &Metavalue) -> Value {
    match value {
        Metavalue::Array(array) if array.len() > SHORT_ARRAY => json!({ "length": array.len() }),
        other => json!(other),
    }
}

fn text(header: &Header, value: &Value, preflight: &Result<Preflight>) -> String {
    let mut lines: Vec<String> =
        header.metadata.iter().map(|(key, v)| format!("{key} = {}", shown(v))).collect();
    lines.push(format!("types: {}", value["types"]));
    lines.push(match preflight {
        Ok(need) => format!(
            "can run: {} bytes of weights, {} of KV cache for {} tokens, {} beside",
            need.weights, need.kv_cache, need.context, need.scratch
        ),
        Err(e) => format!("cannot run: {}: {e}", e.code()),
    });
    lines.join("\n")
}
