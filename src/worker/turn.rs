//! One turn of the event loop: what has been posted to the worker is heard.

use js_sys::Promise;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;

thread_local! {
    static CHANNEL: Option<MessageChannel> = MessageChannel::new().ok();
}

/// Lets the event loop turn once. By a message to oneself: timers would wait 4 ms, a
/// resolved promise would not let other messages in.
pub(super) async fn turn() {
    let turned = Promise::new(&mut |resolve, _| {
        let posted = CHANNEL.with(|channel| {
            let channel = channel.as_ref()?;
            channel.port1().set_onmessage(Some(&resolve));
            channel.port2().post_message(&JsValue::NULL).ok()
        });
        if posted.is_none() {
            // No channel to be had: at least do not wait for ever.
            let _ = resolve.unchecked_ref::<js_sys::Function>().call0(&JsValue::UNDEFINED);
        }
    });
    // It is never rejected.
    let _ = JsFuture::from(turned).await;
}
