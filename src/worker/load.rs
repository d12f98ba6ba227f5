//! Loading: from a source's bytes to an engine, with progress.

use super::entry;
use super::port::post;
use super::protocol::{Event, LoadRequest, Phase, Progress, Reply};
use super::turn::turn;
use crate::session::{Engine, LoadOptions, Loader};
use crate::store::{Origin, Source};
use crate::{Error, Result};
use gloo::timers::callback::Interval;
use js_sys::Uint8Array;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use web_sys::AbortSignal;

/// Bytes that are copied into wasm memory and packed at a time, a few milliseconds' work.
const PIECE: usize = 1 << 20;
/// A report this soon after the last is left out.
const MIN_INTERVAL_MS: f64 = 25.0;
/// Reports come at least this often, also while nothing arrives.
const MAX_INTERVAL_MS: u32 = 100;

/// Loads a model into this worker.
pub(super) async fn load(
    id: u32,
    request: LoadRequest,
    signal: &AbortSignal,
) -> Result<(Engine, Reply)> {
    let options = LoadOptions { context: request.context, threads: entry::threads() };
    let mut source = Source::open(&request.url, request.cache, signal).await?;
    let phase = match source.origin() {
        Origin::Network => Phase::Download,
        Origin::Cache => Phase::Cache,
    };
    let reporter = Reporter::new(id, Progress { phase, loaded: 0, total: source.total() });
    let engine = match read(&mut source, options, &reporter).await {
        Ok(engine) => engine,
        Err(error) => {
            source.discard(&error).await;
            return Err(error);
        }
    };
    entry::start_helpers().await?;
    let bytes = source.loaded();
    let stored = source.keep().await?;
    reporter.report(Progress { phase: Phase::Pack, loaded: bytes, total: Some(bytes) });
    let info = info(&engine)?;
    Ok((engine, Reply::Loaded { info, stored }))
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

/// Posts progress: neither too often nor too seldom.
struct Reporter {
    id: u32,
    last: Rc<Cell<Progress>>,
    posted: Rc<Cell<f64>>,
    _repeat: Interval,
}

impl Reporter {
    fn new(id: u32, start: Progress) -> Reporter {
        let (last, posted) = (Rc::new(Cell::new(start)), Rc::new(Cell::new(now())));
        post(id, Event::Progress(start));
        let repeat = {
            let (last, posted) = (last.clone(), posted.clone());
            move || {
                // Half an interval's grace, as timers are not exact.
                if now() - posted.get() > f64::from(MAX_INTERVAL_MS) / 2.0 {
                    posted.set(now());
                    post(id, Event::Progress(last.get()));
                }
            }
        };
        Reporter { id, last, posted, _repeat: Interval::new(MAX_INTERVAL_MS / 2, repeat) }
    }

    fn report(&self, progress: Progress) {
        let whole = progress.total == Some(progress.loaded);
        let new = progress.phase != self.last.get().phase;
        let repeated = progress == self.last.get();
        self.last.set(progress);
        if (whole && !repeated) || new || now() - self.posted.get() >= MIN_INTERVAL_MS {
            self.posted.set(now());
            post(self.id, Event::Progress(progress));
        }
    }
}

fn now() -> f64 {
    js_sys::Date::now()
}
