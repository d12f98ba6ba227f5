//! Speaking to the page.

use super::protocol::{Answer, Event};
use js_sys::Uint8Array;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

/// Posts an answer.
pub(super) fn post(id: u32, event: Event) {
    // Objects for maps, null for `None`, numbers for 64-bit integers.
    match (Answer { id, event }).serialize(&Serializer::json_compatible()) {
        Ok(message) => send(&message),
        Err(error) => crashed(&error.to_string()),
    }
}

/// Tells the page that the engine has failed and will answer nothing more.
pub(super) fn crashed(what: &str) {
    let message = js_sys::Object::new();
    for (name, value) in [("type", "crashed"), ("what", what)] {
        // Setting a field of a fresh object cannot fail.
        let _ = js_sys::Reflect::set(&message, &name.into(), &value.into());
    }
    send(&message);
}

/// Posts bytes that belong to a request, and gives them away.
pub(super) fn post_part(id: u32, index: usize, bytes: &Uint8Array) {
    let message = js_sys::Object::new();
    for (name, value) in [
        ("id", &id.into()),
        ("type", &"part".into()),
        ("index", &(index as u32).into()),
        ("bytes", bytes.as_ref()),
    ] {
        // Setting a field of a fresh object cannot fail.
        let _: Result<bool, JsValue> = js_sys::Reflect::set(&message, &name.into(), value);
    }
    if let Some(scope) = js_sys::global().dyn_ref::<DedicatedWorkerGlobalScope>() {
        let transfer = js_sys::Array::of1(&bytes.buffer());
        let _ = scope.post_message_with_transfer(&message, &transfer);
    }
}

fn send(message: &JsValue) {
    if let Some(scope) = js_sys::global().dyn_ref::<DedicatedWorkerGlobalScope>() {
        // Posting fails for values that cannot be cloned, and ours all can.
        let _ = scope.post_message(message);
    }
}
