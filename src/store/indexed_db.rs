//! IndexedDB as a storage backend.
//!
//! No transaction here is awaited in its middle: all its requests are made at once, or from
//! the success event of an earlier one. A transaction commits by itself as soon as the
//! event loop turns without a request, and a Rust future may resume only in a later turn:
//! the executor of the threads build waits with `Atomics.waitAsync`.

use super::connection::{Connection, Durability, end, is_lost, on_success, result};
use super::js::{Js, collect_garbage, is_named, unavailable};
use super::lock::Lock;
use super::record::Record;
use super::schema::{Backend, DOWNLOADS, LAYOUT, MODELS, Manifest, RECORDS};
use super::storage::{FULL, Reply, Storage, Stored, Write};
use super::stream::Reading;
use crate::{Error, Result};
use js_sys::{Array, ArrayBuffer, Reflect};
use std::cell::{Cell, RefCell};
use std::future::{Future, ready};
use std::rc::Rc;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{Blob, IdbKeyRange, IdbObjectStore, IdbTransaction, Response};

/// The database of this origin.
pub(super) struct IndexedDb {
    connection: Rc<Connection>,
    /// Whether the browser has refused a Blob whose bytes it then took plain.
    refuses_blobs: Rc<Cell<bool>>,
    /// Held as long as the database is used.
    _lock: Option<Lock>,
}

/// A transaction and its end.
type Started = Js<(IdbTransaction, JsFuture)>;

/// Makes a transaction's requests, of which one may put these bytes.
type Issue = Box<dyn Fn(&IdbTransaction, Option<&JsValue>) -> Js<()>>;

impl IndexedDb {
    /// Opens the database.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`] if the browser refuses.
    pub(super) async fn open(lock: Option<Lock>) -> Result<IndexedDb> {
        let connection = Rc::new(Connection::open().await?);
        Ok(IndexedDb { connection, refuses_blobs: Rc::default(), _lock: lock })
    }

    /// Makes the requests of `issue` in one transaction, now; again on a new connection if
    /// that fails for another reason than a lack of room. The reply tells whether it was
    /// committed; `false` if [`guard`] aborted it.
    ///
    /// `bytes` are for `issue` to put: those of a Blob the second time plain, as there are
    /// browsers whose private windows store no Blobs.
    fn write(&self, durability: Durability, bytes: Option<JsValue>, issue: Issue) -> Reply<bool> {
        let started = start(&self.connection, durability, &issue, bytes.as_ref());
        let (connection, refuses_blobs) = (self.connection.clone(), self.refuses_blobs.clone());
        Box::pin(async move {
            let failure = match committed(started).await {
                Ok(committed) => return Ok(committed),
                Err(failure) if is_lost(&failure) => failure,
                Err(failure) => return Err(failed(&failure)),
            };
            // Of a connection that is closed; by other names Blobs are refused as well.
            let closed = is_named(&failure, "InvalidStateError");
            let again = async {
                connection.reopen().await.map_err(|_| failure)?;
                let blob = bytes.as_ref().and_then(|bytes| bytes.dyn_ref::<Blob>());
                let plain = match blob {
                    Some(blob) => Some(JsFuture::from(blob.array_buffer()).await?),
                    None => bytes.clone(),
                };
                let started = start(&connection, durability, &issue, plain.as_ref());
                let committed = committed(started).await?;
                if blob.is_some() && !closed {
                    refuses_blobs.set(true);
                }
                Ok(committed)
            };
            again.await.map_err(|failure| failed(&failure))
        })
    }

    /// What is stored of a record.
    fn value(&self, record: &Record) -> Js<JsValue> {
        Ok(if self.refuses_blobs.get() { record.buffer().into() } else { record.blob()?.into() })
    }
}

fn start(
    connection: &Connection,
    durability: Durability,
    issue: &Issue,
    bytes: Option<&JsValue>,
) -> Started {
    let all = &[MODELS, DOWNLOADS, RECORDS];
    let transaction = connection.transaction(all, "readwrite", durability)?;
    let ended = end(&transaction);
    if let Err(exception) = issue(&transaction, bytes) {
        // It may have been aborted already, by the same exception.
        let _ = transaction.abort();
        return Err(exception);
    }
    Ok((transaction, ended))
}

async fn committed(started: Started) -> Js<bool> {
    let (transaction, ended) = started?;
    match ended.await {
        Ok(_) => Ok(true),
        // Without an error, `abort` was called.
        Err(_) => transaction.error().map_or(Ok(false), |error| Err(error.into())),
    }
}

fn failed(failure: &JsValue) -> Error {
    if is_named(failure, "QuotaExceededError") { FULL } else { unavailable(failure) }
}

impl Storage for IndexedDb {
    fn backend(&self) -> Option<Backend> {
        Some(Backend::IndexedDb)
    }

    fn find(&self, url: &str, but: Option<f64>) -> Reply<Option<Stored>> {
        let connection = self.connection.clone();
        let url = url.to_string();
        Box::pin(async move {
            let found = match find(&connection, &url).await {
                Ok(found) => Ok(found),
                Err(failure) => {
                    connection.reopen().await.map_err(|_| unavailable(&failure))?;
                    find(&connection, &url).await
                }
            };
            let (model, download) = found.map_err(|e| unavailable(&e))?;
            // What is not a manifest of the present layout is as good as nothing.
            let read = |value: JsValue| {
                let manifest = serde_wasm_bindgen::from_value::<Manifest>(value).ok();
                manifest.filter(|manifest| manifest.layout == LAYOUT)
            };
            let model = read(model).filter(|model| but != Some(model.id));
            Ok(model.map(Stored::Complete).or_else(|| read(download).map(Stored::Partial)))
        })
    }

    fn read(
        &self,
        manifest: &Manifest,
        index: u32,
        spare: Option<Record>,
    ) -> Reply<Option<(Record, String)>> {
        let key = record_key(manifest, index);
        let connection = self.connection.clone();
        let first = get(&connection, &key);
        let found = Rc::new(RefCell::new(None));
        // A promise goes on by itself, while the caller works on the record before. It is
        // never rejected, as nobody may be there yet to take note of it.
        let read = future_to_promise({
            let found = found.clone();
            async move {
                let mut value = first.await;
                if value.is_err() && connection.reopen().await.is_ok() {
                    value = get(&connection, &key).await;
                }
                // A value whose file is gone from the disk fails here, or while it is read.
                if let Ok(record) = contents(value.unwrap_or_default(), spare).await {
                    let digest = record.sha256().await.unwrap_or_default();
                    found.replace(Some((record, digest)));
                }
                Ok(JsValue::UNDEFINED)
            }
        });
        Box::pin(async move {
            let _ = JsFuture::from(read).await;
            Ok(found.take())
        })
    }

    fn write(
        &self,
        manifest: &Manifest,
        index: u32,
        record: Option<&Record>,
        how: Write,
    ) -> Reply<bool> {
        let bytes = match record.map(|record| self.value(record)).transpose() {
            Ok(bytes) => bytes,
            Err(exception) => return Box::pin(ready(Err(unavailable(&exception)))),
        };
        let manifest = manifest.clone();
        let issue: Issue =
            Box::new(move |transaction, bytes| put(transaction, &manifest, index, bytes, how));
        self.write(Durability::Relaxed, bytes, issue)
    }

    fn commit(&self, manifest: &Manifest) -> Reply<bool> {
        let manifest = manifest.clone();
        let issue: Issue = Box::new(move |transaction, _| commit(transaction, &manifest));
        self.write(Durability::Strict, None, issue)
    }

    fn forget(&self, manifest: &Manifest) -> Reply<()> {
        let manifest = manifest.clone();
        let issue: Issue = Box::new(move |transaction, _| forget(transaction, &manifest));
        let forgotten = self.write(Durability::Relaxed, None, issue);
        Box::pin(async move { forgotten.await.map(|_| ()) })
    }
}

/// A stored record's bytes. A Blob is read in pieces, each into the same memory; an
/// ArrayBuffer, as earlier versions stored them, the browser has unpacked as a whole, in twice
/// the time and with two copies left to the garbage collector.
async fn contents(value: JsValue, spare: Option<Record>) -> Js<Record> {
    let blob = match value.dyn_into::<ArrayBuffer>() {
        Ok(bytes) => {
            collect_garbage();
            return Ok(Record::of(bytes));
        }
        Err(value) => value.dyn_into::<Blob>()?,
    };
    let bytes = blob.size() as u32;
    match streamed(&blob, Record::with_room(bytes, spare)).await {
        Ok(record) if record.len() == bytes => Ok(record),
        // Where the browser makes no such stream, or it fails: else all would be fetched again.
        _ => Ok(Record::of(JsFuture::from(blob.array_buffer()).await?.dyn_into()?)),
    }
}

/// A Blob's bytes, added to a record that has room for them.
async fn streamed(blob: &Blob, mut record: Record) -> Js<Record> {
    // The body of an answer fills buffers where the Blob's own stream does not.
    let Some(body) = Response::new_with_opt_blob(Some(blob))?.body() else { return Ok(record) };
    let mut reading = Reading::of(&body)?;
    while let Some(bytes) = reading.next(u32::MAX).await? {
        record.append(&bytes)?;
    }
    Ok(record)
}

/// The manifests of the model and of its last download, or undefined.
async fn find(connection: &Connection, url: &str) -> Js<(JsValue, JsValue)> {
    let (model, download) = {
        let transaction =
            connection.transaction(&[MODELS, DOWNLOADS], "readwrite", Durability::Relaxed)?;
        let models = transaction.object_store(MODELS)?;
        let key = JsValue::from_str(url);
        let request = models.get(&key)?;
        let model = on_success(&request, move |manifest| {
            if !manifest.is_undefined() {
                let now = js_sys::Date::now().into();
                Reflect::set(&manifest, &"last_used".into(), &now)?;
                models.put_with_key(&manifest, &key)?;
            }
            Ok(manifest)
        });
        let downloads = transaction.object_store(DOWNLOADS)?.get(&all_of(url)?)?;
        (model, result(&downloads))
    };
    Ok((model.await?, download.await?))
}

fn get(connection: &Connection, key: &Array) -> impl Future<Output = Js<JsValue>> + use<> {
    let request = connection
        .transaction(&[RECORDS], "readonly", Durability::Relaxed)
        .and_then(|transaction| transaction.object_store(RECORDS)?.get(key))
        .map(|request| result(&request));
    async move { request?.await }
}

fn put(
    transaction: &IdbTransaction,
    manifest: &Manifest,
    index: u32,
    bytes: Option<&JsValue>,
    how: Write,
) -> Js<()> {
    let records = transaction.object_store(RECORDS)?;
    let key = record_key(manifest, index);
    let put_record = || match bytes {
        Some(bytes) => records.put_with_key(bytes, &key).map(|_| ()),
        None => Ok(()),
    };
    match how {
        Write::First => {
            transaction.object_store(DOWNLOADS)?.delete(&all_of(&manifest.url)?)?;
            put_download(transaction, manifest)?;
            put_record()?;
            let (url, id) = (manifest.url.clone(), manifest.id);
            with_model(transaction, &manifest.url, move |_, model| {
                let number = |name: &str| Reflect::get(&model, &name.into()).ok()?.as_f64();
                // A usable model's records stay until this download is complete.
                let model = number("id").filter(|_| number("layout") == Some(LAYOUT.into()));
                delete_others(&records, &url, &[id, model.unwrap_or(id)])
            })
        }
        Write::Next => {
            guard(transaction, manifest)?;
            put_record()?;
            put_download(transaction, manifest)
        }
        Write::Repair => {
            guard(transaction, manifest)?;
            put_record()
        }
    }
}

fn commit(transaction: &IdbTransaction, manifest: &Manifest) -> Js<()> {
    guard(transaction, manifest)?;
    let url = JsValue::from_str(&manifest.url);
    transaction.object_store(MODELS)?.put_with_key(&to_js(manifest)?, &url)?;
    // What another tab has stored of the same model is not needed any more.
    transaction.object_store(DOWNLOADS)?.delete(&all_of(&manifest.url)?)?;
    delete_others(&transaction.object_store(RECORDS)?, &manifest.url, &[manifest.id])
}

fn forget(transaction: &IdbTransaction, manifest: &Manifest) -> Js<()> {
    transaction.object_store(DOWNLOADS)?.delete(&download_key(manifest))?;
    let url = JsValue::from_str(&manifest.url);
    let after = Array::of3(&url, &manifest.id.into(), &Array::new());
    let own = range(&download_key(manifest), &after)?;
    transaction.object_store(RECORDS)?.delete(&own.into())?;
    let id = manifest.id;
    with_model(transaction, &manifest.url, move |models, found| {
        if is_of(&found, id) { models.delete(&url).map(|_| ()) } else { Ok(()) }
    })
}

/// Aborts the transaction if neither the download nor the model is there any more.
fn guard(transaction: &IdbTransaction, manifest: &Manifest) -> Js<()> {
    let download = transaction.object_store(DOWNLOADS)?.get_key(&download_key(manifest))?;
    let (id, transaction_, download_) = (manifest.id, transaction.clone(), download.clone());
    with_model(transaction, &manifest.url, move |_, model| {
        // Asked for before the model, so it has its result by now.
        let gone = download_.result()?.is_undefined() && !is_of(&model, id);
        if gone { transaction_.abort() } else { Ok(()) }
    })
}

fn is_of(model: &JsValue, id: f64) -> bool {
    // Undefined has no fields.
    Reflect::get(model, &"id".into()).is_ok_and(|found| found == id)
}

fn put_download(transaction: &IdbTransaction, manifest: &Manifest) -> Js<()> {
    let store = transaction.object_store(DOWNLOADS)?;
    store.put_with_key(&to_js(manifest)?, &download_key(manifest)).map(|_| ())
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

fn download_key(manifest: &Manifest) -> Array {
    Array::of2(&manifest.url.as_str().into(), &manifest.id.into())
}

fn record_key(manifest: &Manifest, index: u32) -> Array {
    Array::of3(&manifest.url.as_str().into(), &manifest.id.into(), &index.into())
}

/// Deletes the records of this url that are of none of these downloads.
fn delete_others(records: &IdbObjectStore, url: &str, kept: &[f64]) -> Js<()> {
    let url = JsValue::from_str(url);
    let mut kept = kept.to_vec();
    kept.sort_by(f64::total_cmp);
    kept.dedup();
    // What lies before each of them, and after the last.
    let mut from = Array::of1(&url);
    for id in kept.into_iter().map(JsValue::from) {
        records.delete(&range(&from, &Array::of2(&url, &id))?.into())?;
        from = Array::of3(&url, &id, &Array::new());
    }
    records.delete(&range(&from, &Array::of2(&url, &Array::new()))?.into()).map(|_| ())
}

/// Every key that begins with this url: arrays sort after numbers.
fn all_of(url: &str) -> Js<JsValue> {
    let url = JsValue::from_str(url);
    Ok(range(&Array::of1(&url), &Array::of2(&url, &Array::new()))?.into())
}

fn range(from: &Array, to: &Array) -> Js<IdbKeyRange> {
    IdbKeyRange::bound(from, to)
}
