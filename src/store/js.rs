//! JavaScript's exceptions, as words and as our errors, and its memory.

use crate::Error;
use js_sys::{Array, ArrayBuffer, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// What JavaScript may throw.
pub(super) type Js<T> = std::result::Result<T, JsValue>;

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

/// Frees a buffer's memory now. The garbage collector would let a good part of a model
/// pile up first.
pub(super) fn release(bytes: &ArrayBuffer) {
    // Browsers without `transfer` (before 2024) are left to their garbage collector.
    let _ = bytes.transfer_with_length(0);
}

/// Has the garbage collector take what a load has left behind: database requests keep a
/// copy of their record until then, and a worker that waits for questions allocates nothing
/// that would wake the collector. V8 counts a buffer's bytes, not its pages: these are
/// never touched.
pub(super) fn collect_garbage() {
    const BYTES: u32 = 64 << 20;
    let constructor = Reflect::get(&js_sys::global(), &"ArrayBuffer".into());
    let Ok(constructor) = constructor.and_then(|c| c.dyn_into::<Function>()) else { return };
    let make = |_| {
        // Where there is no room for it, the collector has just run.
        Reflect::construct(&constructor, &Array::of1(&BYTES.into())).ok()?.dyn_into().ok()
    };
    // All at once: one after the other they stay below what wakes it.
    let buffers: Vec<ArrayBuffer> = (0..8).map_while(make).collect();
    buffers.iter().for_each(release);
}

/// A wait that can be given up by dropping it.
pub(super) struct Timer {
    id: JsValue,
    done: Promise,
}

impl Timer {
    /// Runs out in so many milliseconds.
    pub(super) fn start(ms: u32) -> Timer {
        let mut id = JsValue::UNDEFINED;
        let done = Promise::new(&mut |resolve, _| {
            // Of the global scope by name: pages and workers have it alike.
            id = call_global("setTimeout", &[resolve.into(), ms.into()]).unwrap_or_default();
        });
        Timer { id, done }
    }

    /// Waits until it has run out.
    pub(super) fn done(&self) -> impl Future<Output = ()> + use<> {
        let done = JsFuture::from(self.done.clone());
        async move {
            // It is never rejected.
            let _ = done.await;
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let _ = call_global("clearTimeout", std::slice::from_ref(&self.id));
    }
}

fn call_global(name: &str, arguments: &[JsValue]) -> Js<JsValue> {
    let global = js_sys::global();
    let function = Reflect::get(&global, &name.into())?.dyn_into::<Function>()?;
    function.apply(&global, &arguments.iter().collect::<Array>())
}
