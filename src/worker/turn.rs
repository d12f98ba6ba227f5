//! One turn of the event loop: what has been posted to the worker is heard.

use js_sys::{Function, Promise, Reflect};
use std::cell::Cell;
use std::time::Duration;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;
use web_time::Instant;

/// Work goes on for so long between turns: a turn costs as much as a tenth of a small model's
/// token, and lets the other threads fall asleep.
const WORK: Duration = Duration::from_millis(8);

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
    // It is never rejected.
    let _ = JsFuture::from(task.unwrap_or_else(message)).await;
    TURNED.set(Some(Instant::now()));
}

/// The browser's scheduler of tasks. Not all have one; a message to oneself takes ten times
/// as long.
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

    /// Is fulfilled by a task behind those that wait.
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
