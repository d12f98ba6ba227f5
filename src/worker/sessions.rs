//! Saving what is in the cache, and restoring it: one message for each layer's bytes.

use super::answer::turn_unless_aborted;
use super::port::post_part;
use super::protocol::Reply;
use crate::Result;
use crate::session::{Engine, GenerateParams, Generation, Snapshot, Step};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast;
use web_sys::AbortSignal;

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
    parts: Option<Array>,
    signal: &AbortSignal,
) -> Result<Reply> {
    let parts = parts.unwrap_or_default();
    let mut whole = engine.begin_restore(&saved)? && parts.length() as usize == saved.layers;
    for layer in 0..saved.layers {
        if !whole {
            break;
        }
        turn_unless_aborted(signal).await?;
        let bytes = parts.get(layer as u32).dyn_into::<Uint8Array>();
        let bytes = bytes.map(|bytes| bytes.to_vec()).unwrap_or_default();
        whole = engine.restore_layer(layer, saved.tokens.len(), &bytes);
    }
    if whole {
        engine.finish_restore(&saved.tokens);
    } else if !saved.tokens.is_empty() {
        refill(engine, saved.tokens, signal).await?;
    }
    Ok(Reply::Restored { refilled: !whole })
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
