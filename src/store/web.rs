//! The browser as the world around a download.

use super::fetch;
use super::host::{Answer, Attempt, Fault, Host, Later};
use super::http::Ask;
use super::in_files::InFiles;
use super::indexed_db::IndexedDb;
use super::js::{Timer, collect_garbage};
use super::lock::{self, Lock};
use super::opfs::{Access, Opfs};
use super::quota;
use super::read_only::ReadOnly;
use super::schema::Backend;
use super::source::{Options, Phase, Report, Source};
use super::storage::Storage;
use crate::Result;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use web_sys::{AbortSignal, Url};

/// The browser, for one load.
struct Browser {
    signal: AbortSignal,
    stall_ms: u32,
}

/// Opens the stored copy of `url`, or asks the server for it and stores it in `backend`;
/// without one the store is neither read nor written. `signal` ends the load at any time; a server that brings nothing
/// for `stall_ms` is asked again.
///
/// # Errors
/// As [`Source::next`], and [`Error::StorageUnavailable`](crate::Error::StorageUnavailable)
/// before anything is fetched.
pub async fn open(
    url: &str,
    backend: Option<Backend>,
    stall_ms: u32,
    options: Options,
    signal: &AbortSignal,
    report: Box<dyn Fn(Report)>,
) -> Result<Source> {
    let host = Rc::new(Browser { signal: signal.clone(), stall_ms });
    let Some(backend) = backend else {
        return Source::open(host, None, url, options, report).await;
    };
    let waiting = || report(Report { phase: Phase::Wait, loaded: 0, total: None });
    let lock = lock::acquire(&format!("pagelm:store:{url}"), signal, waiting).await?;
    let storage = storage(lock, Access::Alone, backend, signal).await?;
    Source::open(host, Some(Rc::new(storage)), url, options, report).await
}

async fn storage(
    lock: Option<Lock>,
    access: Access,
    backend: Backend,
    signal: &AbortSignal,
) -> Result<InFiles> {
    let database = Rc::new(IndexedDb::open(lock).await?);
    Ok(InFiles::new(database, Rc::new(Opfs::new(access, signal)), backend))
}

/// The same to look only: nothing is stored, and no other tab is waited for.
///
/// # Errors
/// As [`Source::next`].
pub async fn look(
    url: &str,
    cache: bool,
    stall_ms: u32,
    options: Options,
    signal: &AbortSignal,
) -> Result<Source> {
    let host = Rc::new(Browser { signal: signal.clone(), stall_ms });
    let storage: Option<Rc<dyn Storage>> = match cache {
        true => {
            let storage = storage(None, Access::Look, Backend::default(), signal).await?;
            Some(Rc::new(ReadOnly(Rc::new(storage))))
        }
        false => None,
    };
    Source::open(host, storage, url, options, Box::new(|_| {})).await
}

/// Has the garbage collector take what a load has left behind.
pub fn clean_up() {
    collect_garbage();
}

impl Host for Browser {
    fn get<'a>(&'a self, ask: &'a Ask) -> Later<'a, Attempt<Answer>> {
        Box::pin(fetch::get(ask, &self.signal, self.stall_ms))
    }

    fn resolve(&self, relative: &str, base: &str) -> Option<String> {
        Some(Url::new_with_base(relative, base).ok()?.href())
    }

    fn pause(&self, ms: u32) -> Later<'_, Attempt<()>> {
        /// How soon an abort is heard.
        const TURN_MS: u32 = 50;
        Box::pin(async move {
            let mut left = ms;
            while left > 0 {
                if self.signal.aborted() {
                    return Err(Fault::Aborted);
                }
                let turn = left.min(TURN_MS);
                Timer::start(turn).done().await;
                left -= turn;
            }
            Ok(())
        })
    }

    fn available(&self) -> Later<'_, Option<u64>> {
        Box::pin(quota::available())
    }

    fn random(&self) -> f64 {
        js_sys::Math::random()
    }

    fn now(&self) -> f64 {
        js_sys::Date::now()
    }

    fn aborted(&self) -> bool {
        self.signal.aborted()
    }

    fn warn(&self, what: &str) {
        let console = js_sys::Reflect::get(&js_sys::global(), &"console".into());
        let warn = |console: JsValue| -> Option<()> {
            use wasm_bindgen::JsCast;
            let warn = js_sys::Reflect::get(&console, &"warn".into()).ok()?;
            let warn = warn.dyn_into::<js_sys::Function>().ok()?;
            warn.call1(&console, &format!("pagelm: {what}").into()).ok().map(|_| ())
        };
        // Nowhere to complain that one cannot complain.
        let _ = console.ok().and_then(warn);
    }
}
