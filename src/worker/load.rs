//! Loading: from a source's bytes to an engine, with progress.

use super::entry;
use super::port::post;
use super::protocol::{Event, LoadRequest, Phase, Progress, Reply};
use super::turn::turn;
use crate::session::{Engine, LoadOptions, Loader};
use crate::store::{self, Piece, Report, Source};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
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
    let reporter = Rc::new(Reporter::new(id));
    let report = Box::new({
        let reporter = reporter.clone();
        move |report: Report| reporter.report(report.into())
    });
    let LoadRequest { url, context, kv_cache, cache, source, stall_ms } = request;
    let mut source = store::web::open(&url, cache, stall_ms, source, signal, report).await?;
    let settings = source.settings();
    let options = LoadOptions {
        context: context.or(settings.context),
        kv_cache,
        threads: entry::threads(),
        clock: local_seconds,
    };
    let template = settings.chat_template.as_deref();
    let engine = match read_and_start(&mut source, options, template, &reporter).await {
        Ok(engine) => engine,
        Err(error) => {
            source.discard(&error).await;
            return Err(error);
        }
    };
    let bytes = source.total();
    let stored = source.keep().await?;
    store::web::clean_up();
    reporter.report(Progress::new(Phase::Pack, bytes.unwrap_or(0), bytes));
    let info = info(&engine)?;
    Ok((engine, Reply::Loaded { info, stored, settings }))
}

/// The engine, its threads at work.
async fn read_and_start(
    source: &mut Source,
    options: LoadOptions,
    template: Option<&str>,
    reporter: &Reporter,
) -> Result<Engine> {
    let mut engine = read(source, options, reporter).await?;
    if let Some(template) = template {
        engine.set_chat_template(template, options.clock)?;
    }
    entry::start_helpers().await?;
    Ok(engine)
}

/// Passes all records to a loader.
async fn read(source: &mut Source, options: LoadOptions, reporter: &Reporter) -> Result<Engine> {
    let mut loader = Loader::new(options);
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    while let Some(next) = source.next().await? {
        match next {
            Piece::Restart => (loader, done) = (Loader::new(options), 0),
            Piece::Record { part: 0 } => {
                pack(source, &mut loader, &mut piece, &mut done).await?;
            }
            Piece::Record { .. } => {
                let what = "models in several GGUF files are not supported yet".into();
                return Err(Error::BadRequest { what });
            }
        }
    }
    reporter.report(Progress::new(Phase::Pack, 0, source.total()));
    loader.finish()
}

/// Passes a record to the loader in pieces, between which the event loop turns. Of what comes
/// from the server, the source itself tells the progress.
async fn pack(
    source: &mut Source,
    loader: &mut Loader,
    piece: &mut [u8],
    done: &mut u64,
) -> Result<()> {
    let phase = source.phase();
    let len = source.record().map_or(0, |record| record.len());
    for start in (0..len).step_by(PIECE) {
        let piece = &mut piece[..PIECE.min((len - start) as usize)];
        if let Some(record) = source.record() {
            // The one copy into wasm memory.
            record.copy_to(start, piece);
        }
        source.taken(piece);
        loader.push(piece)?;
        *done += piece.len() as u64;
        if phase != store::Phase::Download {
            source.report(phase.clone(), *done);
        }
        turn().await;
    }
    Ok(())
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
    last: RefCell<Option<Progress>>,
    posted: Cell<f64>,
}

impl Reporter {
    fn new(id: u32) -> Reporter {
        Reporter { id, last: RefCell::new(None), posted: Cell::new(0.0) }
    }

    fn report(&self, progress: Progress) {
        let last = self.last.replace(Some(progress.clone()));
        let new = last
            .as_ref()
            .is_none_or(|last| last.phase != progress.phase || last.loaded > progress.loaded);
        let whole = progress.total == Some(progress.loaded) && last.as_ref() != Some(&progress);
        if new || whole || progress.retry.is_some() || now() - self.posted.get() >= MIN_INTERVAL_MS
        {
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
