//! JavaScript's exceptions, as words and as our errors, and its memory.

use crate::Error;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};

/// An exception's own words, or what it looks like.
pub(super) fn words(exception: &JsValue) -> String {
    match exception.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => exception.as_string().unwrap_or_else(|| format!("{exception:?}")),
    }
}

/// Whether an exception is a `DOMException` or error of this name.
pub(super) fn is_named(exception: &JsValue, name: &str) -> bool {
    exception.dyn_ref::<js_sys::Error>().is_some_and(|error| error.name() == name)
}

/// An exception of the database: the storage cannot be used.
pub(super) fn unavailable(exception: &JsValue) -> Error {
    Error::StorageUnavailable { what: words(exception) }
}

/// Frees an array's memory now, if it is all of its buffer. The garbage collector would let
/// a good part of a model pile up first.
pub(super) fn release(bytes: &Uint8Array) {
    let buffer = bytes.buffer();
    if bytes.byte_length() == buffer.byte_length() {
        // Browsers without `transfer` (before 2024) are left to their garbage collector.
        let _ = buffer.transfer_with_length(0);
    }
}
