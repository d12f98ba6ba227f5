//! What `pkg/worker.js` calls.

use super::{port, queue};
use crate::{Error, Result, team};
use js_sys::{Function, Promise};
use std::cell::RefCell;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Which binary this is.
pub(super) const VARIANT: &str = if cfg!(target_feature = "atomics") {
    "threads"
} else if cfg!(target_feature = "relaxed-simd") {
    "relaxed"
} else {
    "simd"
};

struct Helpers {
    /// Resolves to the number of threads, this one among them, when they are prepared.
    threads: Promise,
    /// Sends the helpers into [`thread_main`]; resolves when they are about to enter it.
    start: Function,
}

thread_local! {
    static HELPERS: RefCell<Option<Helpers>> = const { RefCell::new(None) };
}

/// Prepares this instance to [`receive`] requests. Helpers are being made of the same module
/// and memory; `threads` is a promise of their number and one. `start_helpers` is called once,
/// when there is a team for them, and returns a promise.
#[wasm_bindgen]
pub fn start(threads: Promise, start_helpers: Function) {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        port::crashed(&panic.to_string());
    }));
    HELPERS.set(Some(Helpers { threads, start: start_helpers }));
}

/// Takes a message of the page.
#[wasm_bindgen]
pub fn receive(message: JsValue) {
    queue::receive(message);
}

/// A helper's life: returns when the team ends.
///
/// # Errors
/// If there is no team.
#[wasm_bindgen]
pub fn thread_main(tid: usize) -> std::result::Result<(), JsValue> {
    team::helper_loop(tid).map_err(|error| error.to_string().into())
}

/// Tells the team that this helper has trapped; a trap does not unwind.
#[wasm_bindgen]
pub fn thread_failed() {
    team::poison();
}

/// Threads of the team to be, once the helpers are prepared. A model is read meanwhile.
pub(super) async fn threads() -> usize {
    let threads = HELPERS.with_borrow(|helpers| Some(helpers.as_ref()?.threads.clone()));
    let Some(threads) = threads else { return 1 };
    let threads = JsFuture::from(threads).await.ok().and_then(|threads| threads.as_f64());
    threads.map_or(1, |threads| threads as usize)
}

/// Sends the helpers to their team.
pub(super) async fn start_helpers() -> Result<()> {
    let started = HELPERS.with_borrow(|helpers| {
        let helpers = helpers.as_ref()?;
        Some(helpers.start.call0(&JsValue::UNDEFINED).and_then(JsCast::dyn_into::<Promise>))
    });
    match started {
        None => Ok(()),
        Some(Ok(started)) => {
            JsFuture::from(started).await.map(|_| ()).map_err(|_| Error::ThreadLost)
        }
        Some(Err(_)) => Err(Error::ThreadLost),
    }
}

/// Bytes of this instance's memory: weights, caches, and all else.
pub(super) fn memory_bytes() -> u64 {
    const PAGE: u64 = 64 << 10;
    core::arch::wasm32::memory_size(0) as u64 * PAGE
}

/// Bytes of memory that this device has, as far as the browser tells: rounded, and no more
/// than some limit of its own.
pub(super) fn device_memory() -> Option<u64> {
    const GIB: f64 = (1u64 << 30) as f64;
    let navigator = js_sys::Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    let told = js_sys::Reflect::get(&navigator, &"deviceMemory".into()).ok()?;
    told.as_f64().map(|gib| (gib * GIB) as u64)
}
