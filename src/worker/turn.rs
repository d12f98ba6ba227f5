//! One turn of the event loop: what has been posted to the worker is heard.

use js_sys::{Function, Promise, Reflect};
use std::cell::Cell;
use std::time::Duration;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;
use web_time::Instant;

/// Work goes on for so long between turns. A turn costs a twentieth of a small model's token or
/// more (the browser's code has left the caches since the last), and lets the other threads fall
/// asleep; a person does not notice that an abort waits so long.
const WORK: Duration = Duration::from_millis(32);

thread_local! {
    static SCHEDULER: Option<Scheduler> = Scheduler::find();
    static CHANNEL: Option<MessageChannel> = MessageChannel::new().ok();
    static TURNED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets the event loop turn if the last turn is some time ago.
pub(super) async fn turn_if_due() {
    if TURNED.get().is_none_or(|turned| turned.elapsed() >= WORK) {
        turn().await;
    }
}

/// Lets the event loop turn once. Timers would wait 4 ms, a resolved promise would not let
/// other messages in.
pub(super) async fn turn() {
    let task = SCHEDULER.with(|scheduler| scheduler.as_ref()?.post());
    let turned = match task {
        Some(task) => JsFuture::from(task).await.is_ok(),
        None => false,
    };
    if !turned {
        // It is never rejected.
        let _ = JsFuture::from(message()).await;
    }
    TURNED.set(Some(Instant::now()));
}

/// The browser's scheduler of tasks. Not all have one; a message to oneself takes longer.
struct Scheduler {
    scheduler: JsValue,
    post_task: Function,
    nothing: Closure<dyn FnMut()>,
}

impl Scheduler {
    fn find() -> Option<Scheduler> {
        let scheduler = Reflect::get(&js_sys::global(), &"scheduler".into()).ok()?;
        let post_task = Reflect::get(&scheduler, &"postTask".into()).ok()?.dyn_into().ok()?;
        Some(Scheduler { scheduler, post_task, nothing: Closure::new(|| {}) })
    }

    /// Is fulfilled by a task, behind what waits: browsers keep to the order of posting, which the
    /// tests of aborting rely on.
    fn post(&self) -> Option<Promise> {
        self.post_task.call1(&self.scheduler, self.nothing.as_ref()).ok()?.dyn_into().ok()
    }
}

/// Is fulfilled by a message to oneself.
fn message() -> Promise {
    Promise::new(&mut |resolve, _| {
        let posted = CHANNEL.with(|channel| {
            let channel = channel.as_ref()?;
            channel.port1().set_onmessage(Some(&resolve));
            channel.port2().post_message(&JsValue::NULL).ok()
        });
        if posted.is_none() {
            // No channel to be had: at least do not wait for ever.
            let _ = resolve.unchecked_ref::<Function>().call0(&JsValue::UNDEFINED);
        }
    })
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use super::*;
    use std::rc::Rc;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// Whether a message that was posted before `turn` is heard by its end.
    async fn hears(turn: impl FnOnce() -> Promise) -> bool {
        let channel = MessageChannel::new().unwrap();
        let heard = Rc::new(Cell::new(false));
        let on_message = Closure::<dyn FnMut()>::new({
            let heard = heard.clone();
            move || heard.set(true)
        });
        channel.port1().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        channel.port2().post_message(&JsValue::NULL).unwrap();
        JsFuture::from(turn()).await.unwrap();
        heard.get()
    }

    #[wasm_bindgen_test]
    async fn what_was_posted_before_is_heard() {
        assert!(hears(message).await);
        if let Some(scheduler) = Scheduler::find() {
            assert!(hears(|| scheduler.post().unwrap()).await);
        }
        assert!(!hears(|| Promise::resolve(&JsValue::NULL)).await);
    }
}
