//! Files over HTTP, as streams.

use super::host::{Answer, Attempt, Body, Fault, Later};
use super::http::{Ask, Head, Version};
use super::js::{Js, Timer, words};
use super::record::Record;
use super::stream::Reading;
use gloo::net::http::{Request, Response};
use js_sys::{Array, Date, Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortController, AbortSignal, RequestCache, Url, WorkerGlobalScope};

/// Asks a server, and waits for the answer's head.
pub(super) async fn get(ask: &Ask, signal: &AbortSignal, stall_ms: u32) -> Attempt<Answer> {
    let broken = |what: &JsValue| Fault::Broken(words(what));
    let own = AbortController::new().map_err(|e| broken(&e))?;
    // The store keeps the file; a second copy in the HTTP cache would only cost disk, and
    // might be a damaged one.
    let mut request = Request::get(&ask.url)
        .abort_signal(Some(&either(signal, &own.signal())))
        .cache(RequestCache::NoStore);
    if let Some(range) = ask.range() {
        request = request.header("Range", &range);
        // Other origins would have to allow the header, and few do. Their answer's own
        // validators are compared in any case.
        if let Some(validator) = ask.if_range.as_ref().filter(|_| is_same_origin(&ask.url)) {
            request = request.header("If-Range", validator);
        }
    }
    let timer = Timer::start(stall_ms);
    let answer = {
        let sent = std::pin::pin!(request.send());
        let late = std::pin::pin!(timer.done());
        first_of(sent, late).await
    };
    let response = match answer {
        None => {
            own.abort();
            return Err(Fault::Stalled(stall_ms));
        }
        Some(Err(_)) if signal.aborted() => return Err(Fault::Aborted),
        Some(Err(error)) => return Err(Fault::Broken(error.to_string())),
        Some(Ok(response)) => response,
    };
    let head = head(&response);
    let reading = match response.body() {
        Some(body) => Reading::of(&body).map_err(|e| broken(&e))?,
        None => Reading::Nothing,
    };
    let download = Download {
        signal: signal.clone(),
        stall_ms,
        reading,
        received: 0,
        length: head.content_length,
    };
    Ok((head, Box::new(download)))
}

/// What is ready first; `None` if it is `late`.
async fn first_of<T>(
    mut wanted: impl Future<Output = T> + Unpin,
    mut late: impl Future<Output = ()> + Unpin,
) -> Option<T> {
    use std::pin::Pin;
    use std::task::Poll;
    std::future::poll_fn(|context| match Pin::new(&mut wanted).poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Pin::new(&mut late).poll(context).map(|()| None),
    })
    .await
}

/// A signal that is aborted when one of the two is; the first where browsers cannot (2023).
fn either(first: &AbortSignal, second: &AbortSignal) -> AbortSignal {
    let any = || -> Js<AbortSignal> {
        let class = Reflect::get(&js_sys::global(), &"AbortSignal".into())?;
        let any = Reflect::get(&class, &"any".into())?.dyn_into::<Function>()?;
        any.call1(&class, &Array::of2(first, second))?.dyn_into()
    };
    any().unwrap_or_else(|_| first.clone())
}

fn is_same_origin(url: &str) -> bool {
    let Ok(scope) = js_sys::global().dyn_into::<WorkerGlobalScope>() else { return false };
    Url::new(url).is_ok_and(|url| url.origin() == scope.location().origin())
}

fn head(response: &Response) -> Head {
    let headers = response.headers();
    let length = match headers.get("Content-Encoding").as_deref() {
        None | Some("identity") => headers.get("Content-Length").and_then(|n| n.parse().ok()),
        // That of the compressed bytes.
        Some(_) => None,
    };
    Head {
        status: response.status(),
        version: Version { etag: headers.get("ETag"), last_modified: headers.get("Last-Modified") },
        content_range: headers.get("Content-Range"),
        content_length: length,
        retry_after: headers.get("Retry-After").and_then(|value| retry_after(&value)),
    }
}

/// Seconds or a date, as milliseconds from now.
fn retry_after(value: &str) -> Option<u32> {
    let ms = match value.trim().parse::<u32>() {
        Ok(seconds) => f64::from(seconds) * 1e3,
        Err(_) => Date::parse(value) - Date::now(),
    };
    (!ms.is_nan()).then_some(ms.max(0.0) as u32)
}

/// The body of an answer.
struct Download {
    signal: AbortSignal,
    stall_ms: u32,
    reading: Reading,
    received: u64,
    length: Option<u64>,
}

impl Body for Download {
    fn read<'a>(&'a mut self, record: &'a mut Record, most: u32) -> Later<'a, Attempt<u32>> {
        Box::pin(async move {
            let timer = Timer::start(self.stall_ms);
            let read = {
                let reading = std::pin::pin!(self.reading.next(most));
                let late = std::pin::pin!(timer.done());
                first_of(reading, late).await
            };
            let bytes = match read {
                None => return Err(Fault::Stalled(self.stall_ms)),
                Some(Err(_)) if self.signal.aborted() => return Err(Fault::Aborted),
                Some(Err(exception)) => return Err(Fault::Broken(words(&exception))),
                Some(Ok(bytes)) => bytes,
            };
            let Some(bytes) = bytes else {
                return match self.length {
                    // Browsers report most breaks themselves, but not over HTTP/1.0 and
                    // through some proxies.
                    Some(length) if self.received < length => {
                        Err(Fault::Broken("the connection ended early".into()))
                    }
                    _ => Ok(0),
                };
            };
            record.append(&bytes).map_err(|exception| Fault::Broken(words(&exception)))?;
            self.received += u64::from(bytes.length());
            Ok(bytes.length())
        })
    }
}
