//! A file over HTTP, as a stream.

use super::buffer::RecordBuffer;
use super::js::{Js, words};
use crate::{Error, Result};
use gloo::net::http::{Request, Response};
use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, ReadableStream, ReadableStreamByobReader, ReadableStreamDefaultReader,
    ReadableStreamGetReaderOptions, ReadableStreamReaderMode, RequestCache,
};

/// The body of an answer. Dropping it ends the transfer.
pub(super) struct Download {
    url: String,
    signal: AbortSignal,
    body: Body,
    received: u64,
    length: Option<u64>,
    etag: Option<String>,
}

/// Two ways to read a stream of bytes.
enum Body {
    /// The browser writes into our buffer: nothing is left to its garbage collector.
    Filling(ReadableStreamByobReader),
    /// Where it cannot, it brings chunks, and what has no room waits.
    Chunks { reader: ReadableStreamDefaultReader, rest: Option<Uint8Array> },
}

impl Download {
    /// Asks for a file and waits for the answer's head.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::HttpStatus`], [`Error::Aborted`].
    pub(super) async fn start(url: &str, signal: &AbortSignal) -> Result<Download> {
        // The store keeps the file; a second copy in the HTTP cache would only cost disk,
        // and might be a damaged one.
        let request = Request::get(url).abort_signal(Some(signal)).cache(RequestCache::NoStore);
        let response = match request.send().await {
            Ok(response) => response,
            Err(_) if signal.aborted() => return Err(Error::Aborted),
            Err(error) => return Err(network(url, 0, error.to_string())),
        };
        if !response.ok() {
            return Err(Error::HttpStatus { status: response.status(), url: url.into() });
        }
        let Some(body) = response.body() else {
            return Err(network(url, 0, "the answer has no body".into()));
        };
        let body = Body::of(&body).map_err(|exception| network(url, 0, words(&exception)))?;
        Ok(Download {
            url: url.into(),
            signal: signal.clone(),
            body,
            received: 0,
            length: length(&response),
            etag: response.headers().get("ETag"),
        })
    }

    /// The file's length, where the server tells it.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The server's validator.
    pub(super) fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Puts the next bytes behind those in `record`, which must not be full, and returns how
    /// many came; 0 at the end of the body.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::Aborted`]; the record is lost then.
    pub(super) async fn fill(&mut self, record: &mut RecordBuffer) -> Result<u32> {
        let n = match self.body.fill(record).await {
            Ok(n) => n,
            Err(_) if self.signal.aborted() => return Err(Error::Aborted),
            Err(exception) => return Err(self.failed(words(&exception))),
        };
        self.received += u64::from(n);
        if self.length.is_some_and(|length| self.received > length) {
            // A compressed transfer: the length was that of the compressed bytes.
            self.length = None;
        }
        Ok(n)
    }

    /// The body ended: is it all that the server promised? Browsers report most breaks
    /// themselves, but not over HTTP/1.0 and through some proxies.
    ///
    /// # Errors
    /// [`Error::Network`].
    pub(super) fn check_whole(&self) -> Result<()> {
        match self.length {
            Some(length) if self.received < length => {
                Err(self.failed(format!("{length} bytes were promised")))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, what: String) -> Error {
        network(&self.url, self.received, what)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // Nobody waits for the outcome. The future takes note of it, as a rejection that
        // nobody handles would be reported as a defect.
        drop(JsFuture::from(self.body.cancel()));
    }
}

impl Body {
    fn of(stream: &ReadableStream) -> Js<Body> {
        let filling = ReadableStreamGetReaderOptions::new();
        filling.set_mode(ReadableStreamReaderMode::Byob);
        // Called by hand, as the binding does not expect the refusal.
        let get_reader = Reflect::get(stream, &"getReader".into())?.dyn_into::<Function>()?;
        match get_reader.call1(stream, &filling) {
            Ok(reader) => Ok(Body::Filling(reader.dyn_into()?)),
            Err(_) => {
                let reader = get_reader.call0(stream)?.dyn_into()?;
                Ok(Body::Chunks { reader, rest: None })
            }
        }
    }

    async fn fill(&mut self, record: &mut RecordBuffer) -> Js<u32> {
        match self {
            Body::Filling(reader) => {
                let read = reader.read_with_array_buffer_view(&record.room());
                let Some(bytes) = next(read).await? else { return Ok(0) };
                // The stream took the buffer away and gives its memory back as another.
                record.add(bytes.buffer().unchecked_into(), bytes.length());
                Ok(bytes.length())
            }
            Body::Chunks { reader, rest } => {
                let mut chunk = rest.take().unwrap_or_default();
                while chunk.length() == 0 {
                    let Some(next) = next(reader.read()).await? else { return Ok(0) };
                    chunk = next;
                }
                let room = record.room();
                let n = chunk.length().min(room.length());
                room.set(&chunk.subarray(0, n), 0);
                record.add(room.buffer().unchecked_into(), n);
                *rest = (n < chunk.length()).then(|| chunk.subarray(n, chunk.length()));
                Ok(n)
            }
        }
    }

    fn cancel(&self) -> Promise {
        match self {
            Body::Filling(reader) => reader.cancel(),
            Body::Chunks { reader, .. } => reader.cancel(),
        }
    }
}

/// The bytes that a read brings; `None`, or none, at the end.
async fn next(read: Promise) -> Js<Option<Uint8Array>> {
    let value = Reflect::get(&JsFuture::from(read).await?, &"value".into())?;
    if value.is_undefined() { Ok(None) } else { value.dyn_into().map(Some) }
}

fn network(url: &str, received: u64, what: String) -> Error {
    Error::Network { url: url.into(), received, what }
}

/// The length of the file: that of the body, unless it was compressed for the way.
fn length(response: &Response) -> Option<u64> {
    let headers = response.headers();
    match headers.get("Content-Encoding").as_deref() {
        None | Some("identity") => headers.get("Content-Length")?.parse().ok(),
        Some(_) => None,
    }
}
