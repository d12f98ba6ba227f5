//! Requests wait here and run one after the other.

use super::answer;
use super::port::post;
use super::protocol::{Event, Phase, Progress, Request};
use crate::Error;
use crate::session::Engine;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::AbortController;

thread_local! {
    static WAITING: RefCell<VecDeque<(u32, Request)>> = const { RefCell::new(VecDeque::new()) };
    /// The request that runs.
    static RUNNING: RefCell<Option<(u32, AbortController)>> = const { RefCell::new(None) };
    /// The engine while nothing runs.
    static ENGINE: Cell<Option<Engine>> = const { Cell::new(None) };
}

/// Takes a message of the page.
pub(super) fn receive(message: JsValue) {
    let message = serde_wasm_bindgen::from_value::<Value>(message).unwrap_or(Value::Null);
    let (id, request) = Request::from_message(message, fresh_seed());
    match request {
        Err(error) => post(id, Event::failed(&error)),
        Ok(Request::Abort { target }) => abort(target),
        Ok(request) => {
            if matches!(request, Request::Complete(_)) {
                let queued = Progress::new(Phase::Queued, 0, None);
                post(id, Event::Progress(queued));
            }
            WAITING.with_borrow_mut(|waiting| waiting.push_back((id, request)));
            if RUNNING.with_borrow(Option::is_none) {
                run_next();
            }
        }
    }
}

/// Runs the requests that wait, the first now.
fn run_next() {
    let Some((id, request)) = WAITING.with_borrow_mut(VecDeque::pop_front) else { return };
    let controller = match AbortController::new() {
        Ok(controller) => controller,
        Err(_) => {
            let what = "the browser makes no AbortController".into();
            post(id, Event::failed(&Error::Internal { what }));
            return run_next();
        }
    };
    let signal = controller.signal();
    RUNNING.set(Some((id, controller)));
    spawn_local(async move {
        let mut engine = ENGINE.take();
        let outcome = answer::answer(id, request, &mut engine, &signal).await;
        ENGINE.set(engine);
        RUNNING.set(None);
        post(id, outcome.map_or_else(|error| Event::failed(&error), Event::Done));
        run_next();
    });
}

/// Ends a request, whether it runs or waits. One that has ended already stays so.
fn abort(target: u32) {
    let waited = WAITING.with_borrow_mut(|waiting| {
        let at = waiting.iter().position(|(id, _)| *id == target)?;
        waiting.remove(at)
    });
    if waited.is_some() {
        post(target, Event::Aborted);
        return;
    }
    RUNNING.with_borrow(|running| match running {
        Some((id, controller)) if *id == target => controller.abort(),
        _ => {}
    });
}

/// For requests without a seed: not to be guessed is not asked of it.
fn fresh_seed() -> u64 {
    (js_sys::Math::random() * (1u64 << 53) as f64) as u64
}
