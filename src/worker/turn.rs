//! One turn of the event loop: what has been posted to the worker is heard.

use js_sys::Promise;
use std::cell::Cell;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;
use web_time::Instant;

/// Work goes on for so long between turns: a turn costs as much as a tenth of a small model's
/// token, and lets the other threads fall asleep.
const WORK: Duration = Duration::from_millis(8);

thread_local! {
    static CHANNEL: Option<MessageChannel> = MessageChannel::new().ok();
    static TURNED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets the event loop turn if the last turn is some time ago.
pub(super) async fn turn_if_due() {
    if TURNED.get().is_none_or(|turned| turned.elapsed() >= WORK) {
        turn().await;
    }
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
    TURNED.set(Some(Instant::now()));
}
