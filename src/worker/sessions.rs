//! Saving what is in the cache, one message for each layer's bytes, and restoring it from a blob
//! of all layers in their order.

use super::answer::turn_unless_aborted;
use super::port::post_part;
use super::protocol::Reply;
use crate::session::{Engine, GenerateParams, Generation, Snapshot, Step};
use crate::{Error, Result};
use js_sys::Uint8Array;
use std::ops::Range;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Blob};

/// Bytes that are read at once, in whole layers: of 1 MiB each, reading takes twice as long.
const READ: usize = 8 << 20;

/// Posts the layers, and answers what they belong to.
pub(super) async fn save(id: u32, engine: &Engine, signal: &AbortSignal) -> Result<Reply> {
    let snapshot = engine.snapshot();
    for layer in 0..snapshot.layers {
        turn_unless_aborted(signal).await?;
        post_part(id, layer, &Uint8Array::from(&engine.save_layer(layer)[..]));
    }
    Ok(Reply::Saved(snapshot))
}

/// Takes the layers; computes the tokens again where another build saved them, or where
/// they are not whole.
pub(super) async fn restore(
    engine: &mut Engine,
    saved: Snapshot,
    layers: Option<Blob>,
    signal: &AbortSignal,
) -> Result<Reply> {
    let fits = engine.begin_restore(&saved)?;
    let whole = match layers {
        Some(layers) if fits => restore_layers(engine, &saved, &layers, signal).await?,
        _ => false,
    };
    if whole {
        engine.finish_restore(&saved.tokens);
    } else if !saved.tokens.is_empty() {
        refill(engine, saved.tokens, signal).await?;
    }
    Ok(Reply::Restored { refilled: !whole })
}

/// Whether the blob has the layers, and they have been taken.
async fn restore_layers(
    engine: &mut Engine,
    saved: &Snapshot,
    layers: &Blob,
    signal: &AbortSignal,
) -> Result<bool> {
    let n_tokens = saved.tokens.len();
    let layer_bytes = engine.layer_bytes(n_tokens);
    if layers.size() != (saved.layers * layer_bytes) as f64 {
        return Ok(false);
    }
    if layer_bytes == 0 {
        return Ok(true);
    }
    let at_once = (READ / layer_bytes).max(1);
    for first in (0..saved.layers).step_by(at_once) {
        let end = saved.layers.min(first + at_once);
        let Ok(bytes) = read(layers, first * layer_bytes..end * layer_bytes).await else {
            return Ok(false);
        };
        if signal.aborted() {
            return Err(Error::Aborted);
        }
        for (layer, bytes) in (first..end).zip(bytes.chunks_exact(layer_bytes)) {
            if !engine.restore_layer(layer, n_tokens, bytes) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Fails where the browser has lost the file.
async fn read(blob: &Blob, range: Range<usize>) -> std::result::Result<Vec<u8>, JsValue> {
    let part = blob.slice_with_f64_and_f64(range.start as f64, range.end as f64)?;
    let buffer = JsFuture::from(part.array_buffer()).await?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

async fn refill(engine: &mut Engine, tokens: Vec<u32>, signal: &AbortSignal) -> Result<()> {
    let params = GenerateParams { max_tokens: Some(0), ..GenerateParams::default() };
    let mut generation = Generation::new(engine, tokens, params)?;
    loop {
        turn_unless_aborted(signal).await?;
        if let Step::Done(_) = generation.step(engine)? {
            return Ok(());
        }
    }
}
