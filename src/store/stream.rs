//! Streams of bytes that the browser has: an answer's body, or a stored record.

use super::js::Js;
use js_sys::{ArrayBuffer, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ReadableStream, ReadableStreamByobReader, ReadableStreamDefaultReader,
    ReadableStreamGetReaderOptions, ReadableStreamReaderMode,
};

/// Bytes that the browser hands over at a time, at most.
const CHUNK_BYTES: u32 = 512 << 10;

/// Two ways to read a stream of bytes. Dropping it ends the stream.
pub(super) enum Reading {
    /// The browser writes into our buffer: nothing is left to its garbage collector.
    Filling { reader: ReadableStreamByobReader, chunk: ArrayBuffer },
    /// Where it cannot, it brings chunks, and what has no room waits.
    Chunks { reader: ReadableStreamDefaultReader, rest: Option<Uint8Array> },
    /// There is no stream.
    Nothing,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let cancelled = match self {
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
    /// Reads a stream that nobody else reads.
    pub(super) fn of(stream: &ReadableStream) -> Js<Reading> {
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
    pub(super) async fn next(&mut self, most: u32) -> Js<Option<Uint8Array>> {
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
