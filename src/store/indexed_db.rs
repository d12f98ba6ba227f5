//! IndexedDB as a storage backend.
//!
//! No transaction here is awaited in its middle: all its requests are made at once, or from
//! the success event of an earlier one. A transaction commits by itself as soon as the
//! event loop turns without a request, and a Rust future may resume only in a later turn:
//! the executor of the threads build waits with `Atomics.waitAsync`.

use super::js::{Js, is_named, unavailable};
use super::quota;
use super::schema::{DATABASE, DATABASE_VERSION, DOWNLOADS, LAYOUT, MODELS, Manifest, RECORDS};
use super::storage::{Reply, Storage};
use crate::{Error, Result};
use js_sys::{Array, ArrayBuffer, Function, Object, Promise, Reflect};
use std::future::Future;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbOpenDbRequest, IdbRequest,
    IdbTransaction,
};

/// An open connection; closed when dropped.
pub(super) struct IndexedDb {
    database: IdbDatabase,
    /// Another version of this library may want to upgrade: do not stand in its way.
    _close: Closure<dyn Fn()>,
}

/// How sure a transaction must be of the disk before it reports success.
#[derive(Clone, Copy)]
enum Durability {
    /// The operating system has it.
    Relaxed,
    /// The disk has it.
    Strict,
}

impl IndexedDb {
    /// Opens the database; makes it on the first visit.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`] if the browser refuses.
    pub(super) async fn open() -> Result<IndexedDb> {
        let request = open_request().map_err(|e| unavailable(&e))?;
        let upgrade = Closure::once_into_js({
            let request = request.clone();
            // A store that cannot be made aborts the upgrade, and so fails the request.
            move || create_stores(&request)
        });
        request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
        let database = result(&request).await.map_err(|e| unavailable(&e))?;
        let database = database.dyn_into::<IdbDatabase>().map_err(|e| unavailable(&e))?;
        let close = Closure::new({
            let database = database.clone();
            move || database.close()
        });
        database.set_onversionchange(Some(close.as_ref().unchecked_ref()));
        Ok(IndexedDb { database, _close: close })
    }

    /// Starts a transaction over `stores`.
    fn transaction(
        &self,
        stores: &[&str],
        mode: &str,
        durability: Durability,
    ) -> Js<IdbTransaction> {
        let names: Array = stores.iter().map(|name| JsValue::from_str(name)).collect();
        let options = Object::new();
        let durability = match durability {
            Durability::Relaxed => "relaxed",
            Durability::Strict => "strict",
        };
        Reflect::set(&options, &"durability".into(), &durability.into())?;
        // The binding of `transaction` with its third argument is not stable in web-sys.
        Reflect::get(&self.database, &"transaction".into())?
            .dyn_into::<Function>()?
            .call3(&self.database, &names, &mode.into(), &options)?
            .dyn_into()
    }

    /// Makes the requests of `issue` in one transaction, now. The reply tells whether it was
    /// committed; `false` if [`guard`] aborted it.
    fn write(
        &self,
        stores: &[&str],
        durability: Durability,
        needed: u64,
        issue: impl FnOnce(&IdbTransaction) -> Js<()>,
    ) -> Reply<bool> {
        let ended = self.transaction(stores, "readwrite", durability).and_then(|transaction| {
            let ended = end(&transaction);
            if let Err(exception) = issue(&transaction) {
                // It may have been aborted already, by the same exception.
                let _ = transaction.abort();
                return Err(exception);
            }
            Ok((transaction, ended))
        });
        Box::pin(async move {
            let failure = match ended {
                Err(exception) => exception,
                Ok((transaction, ended)) => match ended.await {
                    Ok(_) => return Ok(true),
                    // Without an error, `abort` was called.
                    Err(_) => match transaction.error() {
                        None => return Ok(false),
                        Some(error) => error.into(),
                    },
                },
            };
            if is_named(&failure, "QuotaExceededError") {
                let available = quota::available().await.unwrap_or(0);
                return Err(Error::StorageFull { needed, available });
            }
            Err(unavailable(&failure))
        })
    }
}

impl Drop for IndexedDb {
    fn drop(&mut self) {
        self.database.set_onversionchange(None);
        self.database.close();
    }
}

impl Storage for IndexedDb {
    fn manifest(&self, url: &str) -> Reply<Option<Manifest>> {
        let found =
            self.transaction(&[MODELS], "readwrite", Durability::Relaxed).and_then(|transaction| {
                let models = transaction.object_store(MODELS)?;
                let key = JsValue::from_str(url);
                let request = models.get(&key)?;
                let found = on_success(&request, move |manifest| {
                    if !manifest.is_undefined() {
                        let now = js_sys::Date::now().into();
                        Reflect::set(&manifest, &"last_used".into(), &now)?;
                        models.put_with_key(&manifest, &key)?;
                    }
                    Ok(manifest)
                });
                Ok(found)
            });
        Box::pin(async move {
            let value = match found {
                Ok(found) => found.await.map_err(|e| unavailable(&e))?,
                Err(exception) => return Err(unavailable(&exception)),
            };
            // What is not a manifest of the present layout is as good as nothing.
            let manifest = serde_wasm_bindgen::from_value::<Manifest>(value).ok();
            Ok(manifest.filter(|manifest| manifest.layout == LAYOUT))
        })
    }

    fn read_record(&self, model: &Manifest, index: u32) -> Reply<Option<ArrayBuffer>> {
        let request = self
            .transaction(&[RECORDS], "readonly", Durability::Relaxed)
            .and_then(|t| t.object_store(RECORDS)?.get(&record_key(model, index)))
            .map(|request| result(&request));
        Box::pin(async move {
            let Ok(request) = request else { return Ok(None) };
            // A value whose file is gone from the disk fails here.
            let value = request.await.unwrap_or(JsValue::UNDEFINED);
            Ok(value.dyn_into::<ArrayBuffer>().ok())
        })
    }

    fn begin(&self, download: &Manifest) -> Reply<()> {
        let written = self.write(
            &[MODELS, DOWNLOADS, RECORDS],
            Durability::Relaxed,
            download.bytes,
            |transaction| {
                transaction.object_store(DOWNLOADS)?.delete(&all_of(&download.url)?)?;
                put_download(transaction, download)?;
                let (all, records) = (all_of(&download.url)?, transaction.object_store(RECORDS)?);
                with_model(transaction, &download.url, move |_, model| {
                    if model.is_undefined() { records.delete(&all).map(|_| ()) } else { Ok(()) }
                })
            },
        );
        Box::pin(async move { written.await.map(|_| ()) })
    }

    fn write_record(&self, download: &Manifest, record: &ArrayBuffer) -> Reply<bool> {
        self.write(&[DOWNLOADS, RECORDS], Durability::Relaxed, download.bytes, |transaction| {
            guard(transaction, download)?;
            let index = download.records.len() as u32 - 1;
            let records = transaction.object_store(RECORDS)?;
            records.put_with_key(record, &record_key(download, index))?;
            put_download(transaction, download)
        })
    }

    fn commit(&self, download: &Manifest) -> Reply<bool> {
        let stores = [MODELS, DOWNLOADS, RECORDS];
        self.write(&stores, Durability::Strict, download.bytes, |transaction| {
            guard(transaction, download)?;
            let manifest = to_js(download)?;
            let url = JsValue::from_str(&download.url);
            transaction.object_store(MODELS)?.put_with_key(&manifest, &url)?;
            // What another tab has stored of the same model is not needed any more.
            transaction.object_store(DOWNLOADS)?.delete(&all_of(&download.url)?)?;
            let records = transaction.object_store(RECORDS)?;
            let own = download_key(download);
            let (first, last) = (Array::of1(&url), Array::of2(&url, &Array::new()));
            records.delete(&range(&first, &own)?.into())?;
            let after = Array::of3(&url, &download.id.into(), &Array::new());
            records.delete(&range(&after, &last)?.into())?;
            Ok(())
        })
    }

    fn forget(&self, model: &Manifest) -> Reply<()> {
        let stores = [MODELS, DOWNLOADS, RECORDS];
        let forgotten = self.write(&stores, Durability::Relaxed, 0, |transaction| {
            transaction.object_store(DOWNLOADS)?.delete(&download_key(model))?;
            let url = JsValue::from_str(&model.url);
            let after = Array::of3(&url, &model.id.into(), &Array::new());
            let own = range(&download_key(model), &after)?;
            transaction.object_store(RECORDS)?.delete(&own.into())?;
            let id = model.id;
            with_model(transaction, &model.url, move |models, found| {
                let same = Reflect::get(&found, &"id".into()).is_ok_and(|found| found == id);
                if same { models.delete(&url).map(|_| ()) } else { Ok(()) }
            })
        });
        Box::pin(async move { forgotten.await.map(|_| ()) })
    }
}

fn open_request() -> Js<IdbOpenDbRequest> {
    Reflect::get(&js_sys::global(), &"indexedDB".into())?
        .dyn_into::<IdbFactory>()
        .map_err(|_| js_sys::Error::new("there is no IndexedDB here"))?
        .open_with_u32(DATABASE, DATABASE_VERSION)
}

fn create_stores(request: &IdbOpenDbRequest) -> Js<()> {
    let database = request.result()?.dyn_into::<IdbDatabase>()?;
    for store in [MODELS, DOWNLOADS, RECORDS] {
        database.create_object_store(store)?;
    }
    Ok(())
}

/// Aborts the transaction if the download is not there any more.
fn guard(transaction: &IdbTransaction, download: &Manifest) -> Js<()> {
    let request = transaction.object_store(DOWNLOADS)?.get_key(&download_key(download))?;
    let abort_if_gone = Closure::once_into_js({
        let (request, transaction) = (request.clone(), transaction.clone());
        move || if request.result()?.is_undefined() { transaction.abort() } else { Ok(()) }
    });
    request.set_onsuccess(Some(abort_if_gone.unchecked_ref()));
    Ok(())
}

fn put_download(transaction: &IdbTransaction, download: &Manifest) -> Js<()> {
    let store = transaction.object_store(DOWNLOADS)?;
    store.put_with_key(&to_js(download)?, &download_key(download)).map(|_| ())
}

/// Passes the manifest of `url`, or undefined, to `then` while the transaction is active.
fn with_model(
    transaction: &IdbTransaction,
    url: &str,
    then: impl FnOnce(IdbObjectStore, JsValue) -> Js<()> + 'static,
) -> Js<()> {
    let models = transaction.object_store(MODELS)?;
    let request = models.get(&url.into())?;
    let on_success = Closure::once_into_js({
        let request = request.clone();
        move || then(models, request.result()?)
    });
    request.set_onsuccess(Some(on_success.unchecked_ref()));
    Ok(())
}

fn to_js(manifest: &Manifest) -> Js<JsValue> {
    Ok(serde_wasm_bindgen::to_value(manifest)?)
}

fn download_key(download: &Manifest) -> Array {
    Array::of2(&download.url.as_str().into(), &download.id.into())
}

fn record_key(manifest: &Manifest, index: u32) -> Array {
    Array::of3(&manifest.url.as_str().into(), &manifest.id.into(), &index.into())
}

/// Every key that begins with this url: arrays sort after numbers.
fn all_of(url: &str) -> Js<JsValue> {
    let url = JsValue::from_str(url);
    Ok(range(&Array::of1(&url), &Array::of2(&url, &Array::new()))?.into())
}

fn range(from: &Array, to: &Array) -> Js<IdbKeyRange> {
    IdbKeyRange::bound(from, to)
}

/// A request's result, or its error. Listens from the moment of the call.
fn result(request: &IdbRequest) -> impl Future<Output = Js<JsValue>> + use<> {
    on_success(request, Ok)
}

/// As [`result`], passed through `then` while the transaction is still active.
fn on_success<F>(request: &IdbRequest, then: F) -> impl Future<Output = Js<JsValue>> + use<F>
where
    F: FnOnce(JsValue) -> Js<JsValue> + 'static,
{
    let mut then = Some(then);
    let settled = JsFuture::from(Promise::new(&mut |resolve, reject| {
        request.set_onerror(Some(&reject));
        // A promise calls its executor once.
        let Some(then) = then.take() else { return };
        let request = request.clone();
        let on_success = Closure::once_into_js({
            let request = request.clone();
            move || match request.result().and_then(then) {
                Ok(value) => resolve.call1(&JsValue::UNDEFINED, &value),
                Err(exception) => reject.call1(&JsValue::UNDEFINED, &exception),
            }
        });
        request.set_onsuccess(Some(on_success.unchecked_ref()));
    }));
    let request = request.clone();
    async move {
        // `onerror` hands over an event; the request has the error.
        let error = |thrown| request.error().ok().flatten().map_or(thrown, JsValue::from);
        settled.await.map_err(error)
    }
}

/// Resolves when the transaction is committed, rejects when it is aborted.
fn end(transaction: &IdbTransaction) -> JsFuture {
    JsFuture::from(Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    }))
}
