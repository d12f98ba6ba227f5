//! Requests wait here for the engine. Clients take turns, and each one's requests get it in
//! the order in which they came. One whose reader is behind steps aside for those that wait.

use super::answer;
use super::line::Line;
use super::port::post;
use super::protocol::{Event, Phase, Progress, Request};
use crate::session::Engine;
use crate::{Error, Result};
use js_sys::{Object, Reflect};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, AbortSignal, Blob};

thread_local! {
    /// The requests that have not ended.
    static TICKETS: RefCell<Vec<Rc<Ticket>>> = const { RefCell::new(Vec::new()) };
    /// Those that wait for the engine.
    static LINE: RefCell<Line> = const { RefCell::new(Line::new()) };
    /// The engine while no request has it; inside, `None` before a model is loaded.
    static ENGINE: RefCell<Option<Option<Engine>>> = const { RefCell::new(Some(None)) };
}

/// A request that has not ended.
pub(super) struct Ticket {
    pub(super) id: u32,
    /// Which tab asks, where several share this worker.
    client: u32,
    controller: AbortController,
    /// A saved session's layers, which came beside the message.
    pub(super) layers: Cell<Option<Blob>>,
    /// Deltas that its reader has read.
    read: Cell<usize>,
    waker: Cell<Option<Waker>>,
}

/// The engine in a request's hands.
pub(super) struct Seat {
    /// None before a model is loaded.
    pub(super) engine: Option<Engine>,
    held: bool,
}

/// Takes a message of the page.
pub(super) fn receive(message: JsValue) {
    let layers = take_layers(&message);
    let mut message = serde_wasm_bindgen::from_value::<Value>(message).unwrap_or(Value::Null);
    let client = message.as_object_mut().and_then(|fields| fields.shift_remove("client"));
    let client = client.and_then(|client| client.as_u64()).unwrap_or(0) as u32;
    let (id, request) = Request::from_message(message, fresh_seed());
    match request {
        Err(error) => post(id, Event::failed(&error)),
        // Of a request that has ended already there is no ticket.
        Ok(Request::Abort { target }) => with_ticket(target, |ticket| ticket.controller.abort()),
        Ok(Request::Read { target, count }) => {
            with_ticket(target, |ticket| ticket.read.set(ticket.read.get() + count));
        }
        Ok(request) => admit(id, client, request, layers),
    }
}

/// The field `bytes`, which is no JSON.
fn take_layers(message: &JsValue) -> Option<Blob> {
    let layers = Reflect::get(message, &"bytes".into()).ok()?.dyn_into::<Blob>().ok()?;
    Reflect::delete_property(message.dyn_ref::<Object>()?, &"bytes".into()).ok()?;
    Some(layers)
}

/// Begins a request.
fn admit(id: u32, client: u32, request: Request, layers: Option<Blob>) {
    if matches!(request, Request::Complete(_)) {
        let queued = Progress::new(Phase::Queued, 0, None);
        post(id, Event::Progress(queued));
    }
    let Ok(controller) = AbortController::new() else {
        let what = "the browser makes no AbortController".into();
        return post(id, Event::failed(&Error::Internal { what }));
    };
    let (layers, read, waker) = (Cell::new(layers), Cell::new(0), Cell::new(None));
    let ticket = Rc::new(Ticket { id, client, controller, layers, read, waker });
    TICKETS.with_borrow_mut(|tickets| tickets.push(Rc::clone(&ticket)));
    spawn_local(async move {
        let mut seat = Seat { engine: None, held: false };
        let outcome = match seat.take(&ticket).await {
            Ok(()) => answer::answer(request, &mut seat, &ticket).await,
            Err(error) => Err(error),
        };
        TICKETS.with_borrow_mut(|tickets| tickets.retain(|other| other.id != ticket.id));
        seat.leave();
        post(id, outcome.map_or_else(|error| Event::failed(&error), Event::Done));
    });
}

fn with_ticket(id: u32, act: impl FnOnce(&Ticket)) {
    let of = |tickets: &Vec<Rc<Ticket>>| tickets.iter().find(|ticket| ticket.id == id).cloned();
    if let Some(ticket) = TICKETS.with_borrow(of) {
        act(&ticket);
        ticket.wake();
    }
}

impl Seat {
    /// Waits until the engine is free and nobody waits who came before.
    ///
    /// # Errors
    /// [`Error::Aborted`].
    async fn take(&mut self, ticket: &Ticket) -> Result<()> {
        let first = || LINE.with_borrow(|line| line.first() == Some(ticket.id));
        LINE.with_borrow_mut(|line| line.join(ticket.client, ticket.id));
        let turn = ticket.until(|| first() && ENGINE.with_borrow(Option::is_some)).await;
        LINE.with_borrow_mut(|line| line.leave(ticket.id));
        match turn {
            Ok(()) => {
                LINE.with_borrow_mut(|line| line.served(ticket.client));
                self.engine = ENGINE.take().flatten();
                self.held = true;
            }
            Err(_) => wake_first(), // who is behind may be first now
        }
        turn
    }

    /// Lets the next one have the engine.
    fn leave(&mut self) {
        if std::mem::take(&mut self.held) {
            ENGINE.set(Some(self.engine.take()));
            wake_first();
        }
    }

    /// Waits until fewer than `window` of the `posted` deltas are unread. Others have the
    /// engine meanwhile.
    ///
    /// # Errors
    /// [`Error::Aborted`].
    pub(super) async fn wait_for_reader(
        &mut self,
        ticket: &Ticket,
        posted: usize,
        window: usize,
    ) -> Result<()> {
        self.leave();
        ticket.until(|| !ticket.is_behind(posted, window)).await?;
        self.take(ticket).await
    }
}

fn wake_first() {
    if let Some(id) = LINE.with_borrow(Line::first) {
        with_ticket(id, |_| {});
    }
}

impl Ticket {
    /// Becomes aborted when the page says so.
    pub(super) fn signal(&self) -> AbortSignal {
        self.controller.signal()
    }

    /// Whether `window` of the `posted` deltas, or more, are unread.
    pub(super) fn is_behind(&self, posted: usize, window: usize) -> bool {
        posted.saturating_sub(self.read.get()) >= window
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits for a condition, which is asked whenever the ticket is woken.
    async fn until(&self, condition: impl Fn() -> bool) -> Result<()> {
        poll_fn(|context| {
            if self.signal().aborted() {
                return Poll::Ready(Err(Error::Aborted));
            }
            if condition() {
                return Poll::Ready(Ok(()));
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

/// For requests without a seed: not to be guessed is not asked of it.
fn fresh_seed() -> u64 {
    (js_sys::Math::random() * (1u64 << 53) as f64) as u64
}
