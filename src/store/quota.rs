//! How much room the browser has for this site.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{StorageEstimate, WorkerGlobalScope};

/// Bytes that may still be stored, as the browser estimates; `None` where it does not tell
/// (pages without HTTPS).
pub(super) async fn available() -> Option<u64> {
    let scope = js_sys::global().dyn_into::<WorkerGlobalScope>().ok()?;
    let navigator: JsValue = scope.navigator().into();
    // Absent outside secure contexts, whatever the binding says.
    let storage = js_sys::Reflect::get(&navigator, &"storage".into()).ok()?;
    let storage = storage.dyn_into::<web_sys::StorageManager>().ok()?;
    let estimate = JsFuture::from(storage.estimate().ok()?).await.ok()?;
    let estimate = estimate.unchecked_into::<StorageEstimate>();
    let room = estimate.get_quota()? - estimate.get_usage()?;
    // Casts saturate: more usage than quota leaves 0.
    Some(room as u64)
}
