//! Files over HTTP, as streams.

use super::host::{Answer, Attempt, Body, Fault, Later};
use super::http::{Ask, Head, Version};
use super::js::{Js, Timer, words};
use super::record::Record;
use gloo::net::http::{Request, Response};
use js_sys::{Array, ArrayBuffer, Date, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, AbortSignal, ReadableStream, ReadableStreamByobReader,
    ReadableStreamDefaultReader, ReadableStreamGetReaderOptions, ReadableStreamReaderMode,
    RequestCache, Url, WorkerGlobalScope,
};

/// Bytes that the browser hands over at a time, at most.
const CHUNK_BYTES: u32 = 512 << 10;

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

/// Two ways to read a stream of bytes.
enum Reading {
    /// The browser writes into our buffer: nothing is left to its garbage collector.
    Filling {
        reader: ReadableStreamByobReader,
        chunk: ArrayBuffer,
    },
    /// Where it cannot, it brings chunks, and what has no room waits.
    Chunks {
        reader: ReadableStreamDefaultReader,
        rest: Option<Uint8Array>,
    },
    Nothing,
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

impl Drop for Download {
    fn drop(&mut self) {
        let cancelled = match &self.reading {
            Reading::Filling { reader, .. } => reader.cancel(),
            Reading::Chunks { reader, .. } => reader.cancel(),
            Reading::Nothing => return,
        };
        // Nobody waits for the outcome. The future takes note of it, as a rejection that
        // nobody handles would be reported as a defect.
        drop(JsFuture::from(cancelled));
    }
}

impl Reading {
    fn of(stream: &ReadableStream) -> Js<Reading> {
        let filling = ReadableStreamGetReaderOptions::new();
        filling.set_mode(ReadableStreamReaderMode::Byob);
        // Called by hand, as the binding does not expect the refusal.
        let get_reader = Reflect::get(stream, &"getReader".into())?.dyn_into::<Function>()?;
        match get_reader.call1(stream, &filling) {
            Ok(reader) => {
                let chunk = ArrayBuffer::new(CHUNK_BYTES);
                Ok(Reading::Filling { reader: reader.dyn_into()?, chunk })
            }
            Err(_) => {
                let reader = get_reader.call0(stream)?.dyn_into()?;
                Ok(Reading::Chunks { reader, rest: None })
            }
        }
    }

    /// The next bytes, valid until the next call; `None` at the end.
    async fn next(&mut self, most: u32) -> Js<Option<Uint8Array>> {
        match self {
            Reading::Filling { reader, chunk } => {
                let room =
                    Uint8Array::new_with_byte_offset_and_length(chunk, 0, most.min(CHUNK_BYTES));
                let Some(bytes) = value(reader.read_with_array_buffer_view(&room)).await? else {
                    return Ok(None);
                };
                // The stream took the buffer away and gives its memory back as another.
                *chunk = bytes.buffer().unchecked_into();
                Ok((bytes.length() > 0).then_some(bytes))
            }
            Reading::Chunks { reader, rest } => {
                let mut chunk = rest.take().unwrap_or_default();
                while chunk.length() == 0 {
                    let Some(next) = value(reader.read()).await? else { return Ok(None) };
                    chunk = next;
                }
                let n = chunk.length().min(most);
                *rest = (n < chunk.length()).then(|| chunk.subarray(n, chunk.length()));
                Ok(Some(chunk.subarray(0, n)))
            }
            Reading::Nothing => Ok(None),
        }
    }
}

/// The bytes that a read brings; `None` at the end.
async fn value(read: Promise) -> Js<Option<Uint8Array>> {
    let value = Reflect::get(&JsFuture::from(read).await?, &"value".into())?;
    if value.is_undefined() { Ok(None) } else { value.dyn_into().map(Some) }
}
