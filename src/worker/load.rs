//! Loading: from a source's bytes to an engine, with progress.

use super::entry;
use super::load_request::LoadRequest;
use super::load_tokenizer::GivenTokenizer;
use super::port::post;
use super::protocol::{Event, Phase, Progress, Reply};
use super::turn::turn;
use crate::gguf::{Header, Parsed, Split};
use crate::session::{Engine, LoadOptions, Loader, Outlook, TokenizerFile};
use crate::store::recipe::Settings;
use crate::store::{self, Kept, Piece, Report, Source};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use web_sys::AbortSignal;

/// Bytes that are copied into wasm memory and packed at a time, a few milliseconds' work.
const PIECE: usize = 1 << 20;
/// Bytes in which the header of a part other than the first is looked for.
const HEADER_BYTES: u32 = 64 << 10;
/// Bytes after which the garbage of fetching and storing them is collected: the browser would
/// let more than the whole model pile up.
const COLLECTED: u64 = 8 << 20;
/// A report this soon after the last is left out.
const MIN_INTERVAL_MS: f64 = 25.0;

/// Loads a model into this worker.
pub(super) async fn load(
    id: u32,
    request: LoadRequest,
    signal: &AbortSignal,
) -> Result<(Engine, Reply)> {
    let reporter = Rc::new(Reporter::new(id));
    let report = || {
        let reporter = reporter.clone();
        Box::new(move |report: Report| reporter.report(report.into()))
    };
    let given = GivenTokenizer::open(&request, signal, report()).await?;
    let tokenizer = given.as_ref().map(|given| given.file.clone());
    let loaded = load_model(&request, tokenizer, &reporter, signal, report()).await;
    let (engine, source) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            if let Some(given) = given {
                given.discard(&error).await;
            }
            return Err(error);
        }
    };
    let (bytes, settings) = (source.total(), source.settings());
    let kept = source.keep().await?;
    if let Some(given) = given {
        given.keep().await;
    }
    store::web::clean_up();
    reporter.report(Progress::new(Phase::Pack, bytes.unwrap_or(0), bytes));
    let info = info(&engine, kept)?;
    Ok((engine, Reply::Loaded { info, stored: kept.new, settings }))
}

/// The engine, and the source of its model, which is still to be kept.
async fn load_model(
    request: &LoadRequest,
    tokenizer: Option<TokenizerFile>,
    reporter: &Reporter,
    signal: &AbortSignal,
    report: Box<dyn Fn(Report)>,
) -> Result<(Engine, Source)> {
    let backend = request.cache.then_some(request.backend);
    let (url, stall_ms, how) = (&request.url, request.stall_ms, request.source.clone());
    let source = store::web::open(url, backend, stall_ms, how, signal, report).await?;
    let options = options(request, tokenizer, &source.settings());
    let mut files = Files { url, source, reporter, done: 0 };
    match files.read_and_start(&options).await {
        Ok(engine) => Ok((engine, files.source)),
        Err(error) => {
            files.source.discard(&error).await;
            Err(error)
        }
    }
}

/// What a model's header tells: no more than the records that it lies in is fetched, and
/// nothing stored.
pub(super) async fn preflight(
    id: u32,
    request: LoadRequest,
    signal: &AbortSignal,
) -> Result<Reply> {
    let tokenizer = GivenTokenizer::look(&request, signal).await?;
    let (url, how) = (&request.url, request.source.clone());
    let source = store::web::look(url, request.cache, request.stall_ms, how, signal).await?;
    let options = options(&request, tokenizer, &source.settings());
    let mut files = Files { url, source, reporter: &Reporter::new(id), done: 0 };
    Ok(Reply::Outlook(files.outlook(&options).await?))
}

fn options(
    request: &LoadRequest,
    tokenizer: Option<TokenizerFile>,
    settings: &Settings,
) -> LoadOptions {
    LoadOptions {
        context: request.context.or(settings.context),
        kv_cache: request.kv_cache,
        // As many as there are when the model is.
        threads: 1,
        device_memory: entry::device_memory(),
        clock: local_seconds,
        chat_template: settings.chat_template.clone(),
        tokenizer,
    }
}

/// A model's files while they are read.
struct Files<'a> {
    url: &'a str,
    source: Source,
    reporter: &'a Reporter,
    /// Bytes that have been packed.
    done: u64,
}

impl Files<'_> {
    /// The engine, its threads at work.
    async fn read_and_start(&mut self, options: &LoadOptions) -> Result<Engine> {
        let engine = self.read(options).await?;
        entry::start_helpers().await?;
        Ok(engine)
    }

    /// Passes all records to a loader, part after part.
    async fn read(&mut self, options: &LoadOptions) -> Result<Engine> {
        let mut loader = Loader::new(options.clone());
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        let mut ahead = self.push_header(&mut loader).await?;
        while let Some(next) = self.source.next().await? {
            match next {
                Piece::Restart => {
                    (loader, at, self.done) = (Loader::new(options.clone()), 0, 0);
                    ahead = self.push_header(&mut loader).await?;
                }
                Piece::Record { part } => {
                    if part != at {
                        loader.next_part()?;
                        at = part;
                    }
                    self.pack(&mut loader, &mut piece, std::mem::take(&mut ahead)).await?;
                }
            }
        }
        self.reporter.report(Progress::new(Phase::Pack, 0, self.source.total()));
        loader.set_threads(entry::threads().await);
        loader.finish()
    }

    /// Reads until the headers are there.
    async fn outlook(&mut self, options: &LoadOptions) -> Result<Outlook> {
        let mut loader = Loader::new(options.clone());
        let mut ahead = self.push_header(&mut loader).await?;
        let mut piece = vec![0; PIECE];
        while loader.outlook().is_none() {
            match self.source.next().await? {
                Some(Piece::Record { .. }) => {
                    self.pack(&mut loader, &mut piece, std::mem::take(&mut ahead)).await?;
                }
                Some(Piece::Restart) => {
                    loader = Loader::new(options.clone());
                    ahead = self.push_header(&mut loader).await?;
                }
                None => return Err(Error::Truncated { need: self.done + 1, have: self.done }),
            }
        }
        loader.outlook().ok_or_else(|| Error::Internal { what: "a header went away".into() })
    }

    /// Passes the beginning of a download on as it comes, so that what cannot run is refused
    /// as soon as its header is there. How much of the first record has been passed on.
    async fn push_header(&mut self, loader: &mut Loader) -> Result<u32> {
        let mut pushed = 0;
        while loader.file_len().is_none() && loader.missing_part().is_none() {
            let Some(bytes) = self.source.peek(pushed).await? else { break };
            loader.push(&bytes)?;
            pushed += bytes.len() as u32;
        }
        self.add_parts(loader).await?;
        Ok(pushed)
    }

    /// Gives the loader the headers of all parts that it asks for.
    async fn add_parts(&mut self, loader: &mut Loader) -> Result<()> {
        while let Some(part) = loader.missing_part() {
            loader.add_part(self.header(part).await?)?;
        }
        Ok(())
    }

    /// The header of another part. Of what is not stored, only that much is fetched now.
    async fn header(&mut self, part: Split) -> Result<Header> {
        if part.no >= self.source.parts() {
            // The name does not tell where the others are.
            let name = part.path(self.url)?;
            return Err(Error::SplitPartMissing { part: part.no + 1, count: part.count, name });
        }
        let mut wanted = HEADER_BYTES;
        loop {
            let bytes = match self.source.beginning(part.no, wanted).await {
                Err(Error::HttpStatus { status: 404 | 410, url: name }) => {
                    let (part, count) = (part.no + 1, part.count);
                    return Err(Error::SplitPartMissing { part, count, name });
                }
                bytes => bytes?,
            };
            let have = bytes.len() as u64;
            match Header::parse(&bytes)? {
                Parsed::Complete(header) => return Ok(header),
                Parsed::NeedMore { at_least } if have < u64::from(wanted) => {
                    return Err(Error::Truncated { need: at_least, have });
                }
                Parsed::NeedMore { .. } => wanted = wanted.saturating_mul(4),
            }
        }
    }

    /// Passes a record to the loader in pieces, between which the event loop turns; its first
    /// `ahead` bytes are there already. Of what comes from the server, the source itself tells
    /// the progress.
    async fn pack(&mut self, loader: &mut Loader, piece: &mut [u8], ahead: u32) -> Result<()> {
        let phase = self.source.phase();
        let len = self.source.record().map_or(0, |record| record.len());
        let before = self.done;
        for start in (0..len).step_by(PIECE) {
            let piece = &mut piece[..PIECE.min((len - start) as usize)];
            if let Some(record) = self.source.record() {
                // The one copy into wasm memory.
                record.copy_to(start, piece);
            }
            self.source.taken(piece);
            loader.push(&piece[piece.len().min(ahead.saturating_sub(start) as usize)..])?;
            self.add_parts(loader).await?;
            self.done += piece.len() as u64;
            if phase != store::Phase::Download {
                self.source.report(phase.clone(), self.done);
            }
            turn().await;
        }
        if phase == store::Phase::Download && self.done / COLLECTED > before / COLLECTED {
            store::web::clean_up();
        }
        Ok(())
    }
}

/// The engine's own information, with the binary's variant and its memory, and where the model
/// is stored.
fn info(engine: &Engine, kept: Kept) -> Result<Value> {
    let failed = |error: serde_json::Error| Error::Internal { what: error.to_string() };
    let mut info = serde_json::to_value(engine.info()).map_err(failed)?;
    info["variant"] = json!(entry::VARIANT);
    info["storage"] = json!(kept.backend);
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
