//! Loading: from a source's bytes to an engine, with progress.

use super::entry;
use super::port::post;
use super::protocol::{Event, LoadRequest, Phase, Progress, Reply};
use super::turn::turn;
use crate::gguf::{Header, Parsed, Split};
use crate::session::{Engine, LoadOptions, Loader};
use crate::store::{Origin, Source};
use crate::{Error, Result};
use js_sys::Uint8Array;
use serde_json::{Value, json};
use std::cell::Cell;
use web_sys::AbortSignal;

/// Bytes that are copied into wasm memory and packed at a time, a few milliseconds' work.
const PIECE: usize = 1 << 20;
/// A report this soon after the last is left out.
const MIN_INTERVAL_MS: f64 = 25.0;

/// Loads a model into this worker.
pub(super) async fn load(
    id: u32,
    request: LoadRequest,
    signal: &AbortSignal,
) -> Result<(Engine, Reply)> {
    let options = LoadOptions {
        context: request.context,
        kv_cache: request.kv_cache,
        threads: entry::threads(),
        device_memory: entry::device_memory(),
        clock: local_seconds,
    };
    let source = Source::open(&request.url, request.cache, signal).await?;
    let start = Progress { phase: phase(&source), loaded: 0, total: source.total() };
    let reporter = Reporter::new(id, start);
    let mut files = Files { request: &request, signal, source, done: 0, stored: false };
    let engine = match files.read_and_start(options, &reporter).await {
        Ok(engine) => engine,
        Err(error) => {
            files.source.discard(&error).await;
            return Err(error);
        }
    };
    let bytes = files.done + files.source.loaded();
    let stored = files.source.keep().await? || files.stored;
    reporter.report(Progress { phase: Phase::Pack, loaded: bytes, total: Some(bytes) });
    let info = info(&engine)?;
    Ok((engine, Reply::Loaded { info, stored }))
}

/// The file that is being read: the only one, or a part of a split model.
struct Files<'a> {
    request: &'a LoadRequest,
    signal: &'a AbortSignal,
    source: Source,
    /// Bytes of the parts before it, and whether one of them was newly stored.
    done: u64,
    stored: bool,
}

impl Files<'_> {
    /// The engine, its threads at work.
    async fn read_and_start(
        &mut self,
        options: LoadOptions,
        reporter: &Reporter,
    ) -> Result<Engine> {
        let engine = self.read(options, reporter).await?;
        entry::start_helpers().await?;
        Ok(engine)
    }

    /// Passes all bytes to a loader, part after part.
    async fn read(&mut self, options: LoadOptions, reporter: &Reporter) -> Result<Engine> {
        let mut loader = Loader::new(options);
        let mut piece = vec![0; PIECE];
        loop {
            while let Some(chunk) = self.source.next().await? {
                let before = self.source.loaded() - u64::from(chunk.length());
                for start in (0..chunk.length()).step_by(PIECE) {
                    let end = chunk.length().min(start + PIECE as u32);
                    copy_and_push(&mut loader, &chunk.subarray(start, end), &mut piece)?;
                    while let Some(part) = loader.missing_part() {
                        loader.add_part(self.header(part).await?)?;
                    }
                    let loaded = self.done + before + u64::from(end);
                    let total = self.total(&loader);
                    reporter.report(Progress { phase: phase(&self.source), loaded, total });
                    turn().await;
                }
            }
            let next = loader.next_part().map_err(|error| match self.source.check_whole() {
                Err(cut) => cut,
                Ok(()) => error,
            })?;
            let Some(part) = next else { break };
            let next = self.open(part).await?;
            self.done += self.source.loaded();
            self.stored |= std::mem::replace(&mut self.source, next).keep().await?;
        }
        let bytes = self.done + self.source.loaded();
        // The length is now known, whatever the server said.
        let phase = phase(&self.source);
        reporter.report(Progress { phase, loaded: bytes, total: Some(bytes) });
        reporter.report(Progress { phase: Phase::Pack, loaded: 0, total: Some(bytes) });
        loader.finish()
    }

    /// Bytes of all files, as far as they are known.
    fn total(&self, loader: &Loader) -> Option<u64> {
        match loader.is_split() {
            true => loader.file_len(),
            false => self.source.total(),
        }
    }

    /// Another part of the model, beside the first.
    async fn open(&self, part: Split) -> Result<Source> {
        let name = part.path(&self.request.url)?;
        match Source::open(&name, self.request.cache, self.signal).await {
            Err(Error::HttpStatus { status: 404 | 410, .. }) => {
                Err(Error::SplitPartMissing { part: part.no + 1, count: part.count, name })
            }
            opened => opened,
        }
    }

    /// The header of another part. Of what is not stored, only that much is fetched now.
    async fn header(&self, part: Split) -> Result<Header> {
        let mut source = self.open(part).await?;
        let mut bytes = Vec::new();
        let header = loop {
            match Header::parse(&bytes) {
                Ok(Parsed::Complete(header)) => break Ok(header),
                Ok(Parsed::NeedMore { at_least }) => match source.next().await {
                    Ok(Some(chunk)) => bytes.extend(chunk.to_vec()),
                    Ok(None) => {
                        break Err(Error::Truncated { need: at_least, have: source.loaded() });
                    }
                    Err(error) => break Err(error),
                },
                Err(error) => break Err(error),
            }
        };
        source.discard(&Error::Aborted).await;
        header
    }
}

fn phase(source: &Source) -> Phase {
    match source.origin() {
        Origin::Network => Phase::Download,
        Origin::Cache => Phase::Cache,
    }
}

/// The one copy into wasm memory.
fn copy_and_push(loader: &mut Loader, bytes: &Uint8Array, piece: &mut [u8]) -> Result<()> {
    let piece = &mut piece[..bytes.length() as usize];
    bytes.copy_to(piece);
    loader.push(piece)
}

/// The engine's own information, with the binary's variant and its memory.
fn info(engine: &Engine) -> Result<Value> {
    let failed = |error: serde_json::Error| Error::Internal { what: error.to_string() };
    let mut info = serde_json::to_value(engine.info()).map_err(failed)?;
    info["variant"] = json!(entry::VARIANT);
    info["memory"]["total"] = json!(entry::memory_bytes());
    Ok(info)
}

/// Posts progress, but not too often. That it does not come too seldom while this worker
/// is busy or waits is the page's care.
struct Reporter {
    id: u32,
    last: Cell<Progress>,
    posted: Cell<f64>,
}

impl Reporter {
    fn new(id: u32, start: Progress) -> Reporter {
        post(id, Event::Progress(start));
        Reporter { id, last: Cell::new(start), posted: Cell::new(now()) }
    }

    fn report(&self, progress: Progress) {
        let last = self.last.replace(progress);
        let new = progress.phase != last.phase;
        let whole = progress.total == Some(progress.loaded) && progress != last;
        if new || whole || now() - self.posted.get() >= MIN_INTERVAL_MS {
            self.posted.set(now());
            post(self.id, Event::Progress(progress));
        }
    }
}

/// The local wall clock, in seconds since its 1970-01-01 00:00.
fn local_seconds() -> i64 {
    let date = js_sys::Date::new_0();
    (date.get_time() / 1e3 - date.get_timezone_offset() * 60.0) as i64
}

fn now() -> f64 {
    js_sys::Date::now()
}
