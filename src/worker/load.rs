//! Loading: from a source's bytes to an engine, with progress.

use super::entry;
use super::port::post;
use super::protocol::{Event, LoadRequest, Phase, Progress, Reply};
use super::turn::turn;
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
        clock: local_seconds,
    };
    let mut source = Source::open(&request.url, request.cache, signal).await?;
    let phase = match source.origin() {
        Origin::Network => Phase::Download,
        Origin::Cache => Phase::Cache,
    };
    let reporter = Reporter::new(id, Progress { phase, loaded: 0, total: source.total() });
    let engine = match read_and_start(&mut source, options, &reporter).await {
        Ok(engine) => engine,
        Err(error) => {
            source.discard(&error).await;
            return Err(error);
        }
    };
    let bytes = source.loaded();
    let stored = source.keep().await?;
    reporter.report(Progress { phase: Phase::Pack, loaded: bytes, total: Some(bytes) });
    let info = info(&engine)?;
    Ok((engine, Reply::Loaded { info, stored }))
}

/// The engine, its threads at work.
async fn read_and_start(
    source: &mut Source,
    options: LoadOptions,
    reporter: &Reporter,
) -> Result<Engine> {
    let engine = read(source, options, reporter).await?;
    entry::start_helpers().await?;
    Ok(engine)
}

/// Passes all bytes to a loader.
async fn read(source: &mut Source, options: LoadOptions, reporter: &Reporter) -> Result<Engine> {
    let phase = reporter.last.get().phase;
    let mut loader = Loader::new(options);
    let mut piece = vec![0; PIECE];
    while let Some(chunk) = source.next().await? {
        let before = source.loaded() - u64::from(chunk.length());
        for start in (0..chunk.length()).step_by(PIECE) {
            let end = chunk.length().min(start + PIECE as u32);
            copy_and_push(&mut loader, &chunk.subarray(start, end), &mut piece)?;
            let loaded = before + u64::from(end);
            reporter.report(Progress { phase, loaded, total: source.total() });
            turn().await;
        }
    }
    let bytes = source.loaded();
    // The file's length is now known, whatever the server said.
    reporter.report(Progress { phase, loaded: bytes, total: Some(bytes) });
    reporter.report(Progress { phase: Phase::Pack, loaded: 0, total: Some(bytes) });
    loader.finish().map_err(|error| match (&error, source.check_whole()) {
        (Error::Truncated { .. }, Err(cut)) => cut,
        _ => error,
    })
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
