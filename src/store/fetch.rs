//! A file over HTTP, as a stream.

use super::js::words;
use crate::{Error, Result};
use gloo::net::http::{Request, Response};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, ReadableStreamDefaultReader, RequestCache};

/// The body of an answer, chunk by chunk. Dropping it ends the transfer.
pub(super) struct Download {
    url: String,
    signal: AbortSignal,
    reader: ReadableStreamDefaultReader,
    received: u64,
    length: Option<u64>,
    etag: Option<String>,
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
        let reader = body
            .get_reader()
            .dyn_into::<ReadableStreamDefaultReader>()
            .map_err(|_| network(url, 0, "the answer cannot be read as a stream".into()))?;
        Ok(Download {
            url: url.into(),
            signal: signal.clone(),
            reader,
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

    /// The next bytes; `None` at the end of the body.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::Aborted`].
    pub(super) async fn chunk(&mut self) -> Result<Option<Uint8Array>> {
        let result = match JsFuture::from(self.reader.read()).await {
            Ok(result) => result,
            Err(_) if self.signal.aborted() => return Err(Error::Aborted),
            Err(exception) => return Err(self.failed(words(&exception))),
        };
        let part = |name: &str| Reflect::get(&result, &name.into()).unwrap_or(JsValue::UNDEFINED);
        if part("done").is_truthy() {
            return Ok(None);
        }
        let chunk = part("value")
            .dyn_into::<Uint8Array>()
            .map_err(|_| self.failed("the answer is not made of bytes".into()))?;
        self.received += u64::from(chunk.length());
        if self.length.is_some_and(|length| self.received > length) {
            // A compressed transfer: the length was that of the compressed bytes.
            self.length = None;
        }
        Ok(Some(chunk))
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
        drop(JsFuture::from(self.reader.cancel()));
    }
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
