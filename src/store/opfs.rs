//! Files in the origin private file system, by the synchronous handles that workers have.

use super::in_files::{Files, OpenFile};
use super::js::{Js, Timer, is_named, unavailable};
use super::lock::{Lock, share};
use super::record::Record;
use super::schema::{FILES_LOCK, FOLDER};
use super::storage::{FULL, Reply};
use crate::{Error, Result};
use js_sys::{ArrayBuffer, Function, Promise, Reflect};
use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, File, FileSystemDirectoryHandle, FileSystemFileHandle,
    FileSystemGetDirectoryOptions, FileSystemGetFileOptions, FileSystemReadWriteOptions,
    FileSystemSyncAccessHandle, StorageManager, WorkerGlobalScope,
};

/// A file may be open still in a worker that has just been ended: it is asked for again.
const ATTEMPTS: u32 = 40;
const PAUSE_MS: u32 = 50;

/// How files are opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// To read and write, by nobody else.
    Alone,
    /// To read, whoever else has it.
    Look,
}

/// The files of this origin.
pub(super) struct Opfs {
    access: Access,
    /// Ends waiting for a file.
    signal: AbortSignal,
    /// From the first file that is opened on, nobody tidies up.
    lock: Rc<RefCell<Option<Lock>>>,
}

impl Opfs {
    pub(super) fn new(access: Access, signal: &AbortSignal) -> Opfs {
        Opfs { access, signal: signal.clone(), lock: Rc::default() }
    }
}

impl Files for Opfs {
    fn open(&self, id: f64, make: bool) -> Reply<Option<Rc<dyn OpenFile>>> {
        let (access, signal, lock) = (self.access, self.signal.clone(), self.lock.clone());
        Box::pin(async move {
            if access == Access::Alone && lock.borrow().is_none() {
                let shared = share(FILES_LOCK, &signal).await?;
                lock.replace(shared);
            }
            let opened = async { open(&file(id, make).await?, access, &signal).await };
            match opened.await {
                Ok(file) => Ok(Some(file)),
                Err(_) if signal.aborted() => Err(Error::Aborted),
                Err(exception) if is_named(&exception, "NotFoundError") => Ok(None),
                // It may be there all the same, and whole.
                Err(exception) => Err(unavailable(&exception)),
            }
        })
    }

    fn remove(&self, id: f64) -> Reply<()> {
        Box::pin(async move {
            let remove =
                async { JsFuture::from(folder(false).await?.remove_entry(&name(id))).await };
            // What stays is deleted with what no manifest names.
            let _: Js<_> = remove.await;
            Ok(())
        })
    }
}

fn name(id: f64) -> String {
    format!("{id}")
}

async fn folder(make: bool) -> Js<FileSystemDirectoryHandle> {
    let scope = js_sys::global().dyn_into::<WorkerGlobalScope>()?;
    let navigator: JsValue = scope.navigator().into();
    // Absent outside secure contexts, whatever the binding says.
    let storage = Reflect::get(&navigator, &"storage".into())?;
    let storage = has(storage, "getDirectory")?.unchecked_into::<StorageManager>();
    let root = JsFuture::from(storage.get_directory()).await?;
    let root = root.unchecked_into::<FileSystemDirectoryHandle>();
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(make);
    let folder = JsFuture::from(root.get_directory_handle_with_options(FOLDER, &options)).await?;
    Ok(folder.unchecked_into())
}

async fn file(id: f64, make: bool) -> Js<FileSystemFileHandle> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(make);
    let folder = folder(make).await?;
    let file = JsFuture::from(folder.get_file_handle_with_options(&name(id), &options)).await?;
    Ok(file.unchecked_into())
}

/// Opens a file; one that another has open as soon as it is closed, if that is soon. An abort
/// ends the wait.
async fn open(
    file: &FileSystemFileHandle,
    access: Access,
    signal: &AbortSignal,
) -> Js<Rc<dyn OpenFile>> {
    if access == Access::Look {
        let snapshot = JsFuture::from(file.get_file()).await?;
        return Ok(Rc::new(Snapshot(snapshot.unchecked_into())));
    }
    // Absent in older browsers: Chromium has it since 102, Firefox since 111.
    has(file.clone().into(), "createSyncAccessHandle")?;
    let mut attempt = 1;
    loop {
        match JsFuture::from(file.create_sync_access_handle()).await {
            Ok(handle) => return Ok(Rc::new(at_once(handle).await?)),
            Err(e)
                if is_named(&e, "NoModificationAllowedError")
                    && attempt < ATTEMPTS
                    && !signal.aborted() =>
            {
                attempt += 1;
                Timer::start(PAUSE_MS).done().await;
            }
            Err(exception) => return Err(exception),
        }
    }
}

/// A handle, if it flushes and closes at once. In the first browsers that had handles
/// (Chromium before 108) both were promises: such a handle would be written to a disk that
/// does not have it yet, and is of no use here.
async fn at_once(handle: JsValue) -> Js<Handle> {
    let call = |method: &str| -> Js<JsValue> {
        Reflect::get(&handle, &method.into())?.dyn_into::<Function>()?.call0(&handle)
    };
    let flushed = call("flush").inspect_err(|_| {
        // That it cannot be flushed is what there is to tell.
        let _ = call("close");
    })?;
    let Ok(promise) = flushed.dyn_into::<Promise>() else {
        return Ok(Handle(handle.unchecked_into()));
    };
    // One at a time.
    JsFuture::from(promise).await?;
    if let Ok(closed) = call("close")?.dyn_into::<Promise>() {
        JsFuture::from(closed).await?;
    }
    Err(js_sys::Error::new("files are not written at once here").into())
}

/// The object, if it has this method.
fn has(object: JsValue, method: &str) -> Js<JsValue> {
    match Reflect::get(&object, &method.into())?.is_function() {
        true => Ok(object),
        false => Err(js_sys::Error::new(&format!("there is no {method} here")).into()),
    }
}

/// A file that is open to read and write.
struct Handle(FileSystemSyncAccessHandle);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Handle {
    fn read_now(&self, at: u64, bytes: u32, spare: Option<Record>) -> Js<Record> {
        let mut record = Record::with_room(bytes, spare);
        let view = record.grow(bytes);
        let read = self.0.read_with_buffer_source_and_options(&view, &place(at))?;
        if read == f64::from(bytes) { Ok(record) } else { Err(JsValue::NULL) }
    }

    fn write_now(&self, at: u64, record: &Record) -> Js<bool> {
        let written = self.0.write_with_buffer_source_and_options(&record.view(), &place(at))?;
        self.0.flush()?;
        Ok(written == f64::from(record.len()))
    }
}

impl OpenFile for Handle {
    fn read(&self, at: u64, bytes: u32, spare: Option<Record>) -> Reply<Option<(Record, String)>> {
        match self.read_now(at, bytes, spare) {
            Ok(record) => with_digest(record),
            Err(_) => Box::pin(ready(Ok(None))),
        }
    }

    fn write(&self, at: u64, record: &Record) -> Result<()> {
        match self.write_now(at, record) {
            Ok(true) => Ok(()),
            Ok(false) => Err(FULL),
            Err(exception) if is_named(&exception, "QuotaExceededError") => Err(FULL),
            Err(exception) => Err(unavailable(&exception)),
        }
    }
}

fn place(at: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at_f64(at as f64);
    options
}

/// What a file was when it was opened. Of what has been written since, nothing can be read.
struct Snapshot(File);

impl OpenFile for Snapshot {
    fn read(&self, at: u64, bytes: u32, _: Option<Record>) -> Reply<Option<(Record, String)>> {
        let end = at + u64::from(bytes);
        let part = self.0.slice_with_f64_and_f64(at as f64, end as f64);
        Box::pin(async move {
            let read = async { JsFuture::from(part?.array_buffer()).await };
            let memory = read.await.ok().and_then(|memory| memory.dyn_into::<ArrayBuffer>().ok());
            match memory.filter(|memory| memory.byte_length() == bytes) {
                Some(memory) => with_digest(Record::of(memory)).await,
                None => Ok(None),
            }
        })
    }

    /// Never: who looks does not write (`read_only`).
    fn write(&self, _: u64, _: &Record) -> Result<()> {
        Err(Error::StorageUnavailable { what: "the file is open to be read only".into() })
    }
}

/// A record and its digest, which the browser computes from now on.
fn with_digest(record: Record) -> Reply<Option<(Record, String)>> {
    let digest = record.sha256();
    Box::pin(async move { Ok(Some((record, digest.await.unwrap_or_default()))) })
}
