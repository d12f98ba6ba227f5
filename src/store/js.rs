//! What JavaScript throws, as words and as our errors.

use crate::Error;
use js_sys::{ArrayBuffer, Function, Reflect};
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

/// Gives a buffer's memory back at once, where the browser can: waiting for the garbage
/// collector, a load would hold several records more than it uses. The buffer is empty
/// afterwards.
pub(super) fn release(buffer: &ArrayBuffer) {
    let transfer = Reflect::get(buffer, &"transfer".into()).ok();
    if let Some(transfer) = transfer.and_then(|f| f.dyn_into::<Function>().ok()) {
        // A buffer that cannot be transferred stays with the garbage collector.
        let _ = transfer.call1(buffer, &0.into());
    }
}
