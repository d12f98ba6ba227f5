//! Records in a file for each download, beside the manifests of another storage.
//!
//! The bytes of a record are in the file, and the disk has them, before the manifest that
//! names it is written: whatever ends the tab between the two, what a manifest names is there.
//! Bytes that no manifest names are written over, and files that none names are deleted
//! (`pkg/files.js`).

use super::record::Record;
use super::schema::{Backend, Manifest};
use super::storage::{Reply, Storage, Stored, Write};
use crate::{Error, Result};
use std::cell::{Cell, RefCell};
use std::future::ready;
use std::rc::Rc;

/// Files by the id of their download.
pub(super) trait Files {
    /// Opens a file: for this tab alone, or, where it is only looked at, as it is now; makes it
    /// if `make`. `None` if there is none.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`] if it cannot be had: it may be there all the same.
    /// [`Error::Aborted`].
    fn open(&self, id: f64, make: bool) -> Reply<Option<Rc<dyn OpenFile>>>;

    /// Deletes a file that nobody has open.
    fn remove(&self, id: f64) -> Reply<()>;
}

/// A file, closed when dropped.
pub(super) trait OpenFile {
    /// So many bytes and their digest, read now; `None` if they cannot be read. They may lie in
    /// the memory of `spare`.
    fn read(&self, at: u64, bytes: u32, spare: Option<Record>) -> Reply<Option<(Record, String)>>;

    /// Writes a record, now. When this returns, the disk has it.
    ///
    /// # Errors
    /// As [`Storage::write`].
    fn write(&self, at: u64, record: &Record) -> Result<()>;
}

/// Keeps new downloads in files, if that is wanted and possible. What is stored already stays
/// where it is, and is found there.
pub(super) struct InFiles(Rc<State>);

struct State {
    manifests: Rc<dyn Storage>,
    files: Rc<dyn Files>,
    /// Where a new download goes.
    wanted: Cell<Backend>,
    /// The file of the download or model at hand, if it is in one.
    open: RefCell<Option<(f64, Rc<dyn OpenFile>)>>,
    /// What was found: the files to be deleted as soon as another takes their place.
    found: RefCell<Vec<Stored>>,
}

impl InFiles {
    /// `manifests` keeps the manifests, and the records that are in no file.
    pub(super) fn new(
        manifests: Rc<dyn Storage>,
        files: Rc<dyn Files>,
        wanted: Backend,
    ) -> InFiles {
        let (open, found) = (RefCell::default(), RefCell::default());
        InFiles(Rc::new(State { manifests, files, wanted: Cell::new(wanted), open, found }))
    }
}

impl State {
    fn file_of(&self, manifest: &Manifest) -> Option<Rc<dyn OpenFile>> {
        let open = self.open.borrow();
        open.as_ref().filter(|(id, _)| *id == manifest.id).map(|(_, file)| file.clone())
    }

    /// Opens the file of a stored model or download; `false` if it is gone.
    async fn reopen(&self, manifest: &Manifest) -> Result<bool> {
        let opened = self.files.open(manifest.id, false).await?;
        let is_there = opened.is_some();
        self.open.replace(opened.map(|file| (manifest.id, file)));
        Ok(is_there)
    }

    /// Closes a download's file, if it has one, and deletes it.
    async fn remove(&self, id: f64) -> Result<()> {
        if self.open.borrow().as_ref().is_some_and(|(open, _)| *open == id) {
            self.open.replace(None);
            self.files.remove(id).await?;
        }
        Ok(())
    }

    /// Deletes the files of what was found, now that `manifest` is in its place. A complete
    /// model stays until another one is.
    async fn remove_found(&self, manifest: &Manifest, complete: bool) -> Result<()> {
        let is_outdated = |found: &mut Stored| match found {
            Stored::Complete(model) => complete && model.id != manifest.id,
            Stored::Partial(download) => download.id != manifest.id,
        };
        let outdated: Vec<_> = self.found.borrow_mut().extract_if(.., is_outdated).collect();
        for Stored::Complete(old) | Stored::Partial(old) in outdated {
            if old.backend == Backend::Opfs {
                self.files.remove(old.id).await?;
            }
        }
        Ok(())
    }

    /// Writes a manifest whose record is in its file.
    async fn named(self: Rc<Self>, id: f64, write: Reply<bool>) -> Result<bool> {
        let named = write.await?;
        if !named {
            self.remove(id).await?;
        }
        Ok(named)
    }

    /// The first record of a new download, into a new file; elsewhere if none can be had.
    async fn first(self: Rc<Self>, manifest: Manifest, index: u32, record: Record) -> Result<bool> {
        let file = match self.files.open(manifest.id, true).await {
            Ok(Some(file)) => file,
            Err(Error::Aborted) => return Err(Error::Aborted),
            Ok(None) | Err(_) => {
                self.wanted.set(Backend::IndexedDb);
                let write = self.manifests.write(&manifest, index, Some(&record), Write::First);
                return self.begun(manifest, write).await;
            }
        };
        self.open.replace(Some((manifest.id, file.clone())));
        let written = file.write(manifest.bytes_before(index as usize), &record);
        drop(file);
        let write = match written {
            Ok(()) => self.manifests.write(&in_file(&manifest), index, None, Write::First),
            Err(error) => Box::pin(ready(Err(error))),
        };
        let id = manifest.id;
        let begun = self.clone().begun(manifest, write).await;
        if begun != Ok(true) {
            self.remove(id).await?;
        }
        begun
    }

    /// Writes the first record of a download, in place of another one that was found.
    async fn begun(self: Rc<Self>, manifest: Manifest, write: Reply<bool>) -> Result<bool> {
        let begun = write.await?;
        if begun {
            self.remove_found(&manifest, false).await?;
        }
        Ok(begun)
    }
}

fn in_file(manifest: &Manifest) -> Manifest {
    Manifest { backend: Backend::Opfs, ..manifest.clone() }
}

impl Storage for InFiles {
    fn backend(&self) -> Option<Backend> {
        let elsewhere = self.0.manifests.backend()?;
        Some(if self.0.open.borrow().is_some() { Backend::Opfs } else { elsewhere })
    }

    fn find(&self, url: &str, but: Option<f64>) -> Reply<Option<Stored>> {
        let (state, found) = (self.0.clone(), self.0.manifests.find(url, but));
        Box::pin(async move {
            let found = found.await?;
            state.found.borrow_mut().extend(found.clone());
            // One that was found before is not wanted: it could not be deleted while it is open.
            state.open.replace(None);
            match &found {
                Some(Stored::Complete(manifest) | Stored::Partial(manifest))
                    if manifest.backend == Backend::Opfs =>
                {
                    // Without its file, nothing is there. One that cannot be had now keeps its
                    // manifest: to begin anew would cost what it has.
                    Ok(if state.reopen(manifest).await? { found } else { None })
                }
                _ => Ok(found),
            }
        })
    }

    fn read(
        &self,
        manifest: &Manifest,
        index: u32,
        spare: Option<Record>,
    ) -> Reply<Option<(Record, String)>> {
        match self.0.file_of(manifest) {
            Some(file) => {
                let index = index as usize;
                file.read(manifest.bytes_before(index), manifest.records[index].bytes, spare)
            }
            None => self.0.manifests.read(manifest, index, spare),
        }
    }

    fn write(
        &self,
        manifest: &Manifest,
        index: u32,
        record: Option<&Record>,
        how: Write,
    ) -> Reply<bool> {
        let state = self.0.clone();
        let is_first = how == Write::First;
        if is_first {
            state.open.replace(None);
        }
        match (record, state.file_of(manifest)) {
            // The caller's bytes may change until the file is open.
            (Some(record), _) if is_first && state.wanted.get() == Backend::Opfs => {
                Box::pin(state.first(manifest.clone(), index, record.copied()))
            }
            (record, _) if is_first => {
                let write = state.manifests.write(manifest, index, record, how);
                Box::pin(state.begun(manifest.clone(), write))
            }
            (Some(record), Some(file)) => {
                if let Err(error) = file.write(manifest.bytes_before(index as usize), record) {
                    return Box::pin(ready(Err(error)));
                }
                let write = state.manifests.write(&in_file(manifest), index, None, how);
                Box::pin(state.named(manifest.id, write))
            }
            (record, _) => state.manifests.write(manifest, index, record, how),
        }
    }

    fn commit(&self, manifest: &Manifest) -> Reply<bool> {
        let state = self.0.clone();
        let manifest = match state.file_of(manifest) {
            Some(_) => in_file(manifest),
            None => manifest.clone(),
        };
        let commit = state.manifests.commit(&manifest);
        Box::pin(async move {
            let committed = state.clone().named(manifest.id, commit).await?;
            if committed {
                state.remove_found(&manifest, true).await?;
            }
            Ok(committed)
        })
    }

    fn forget(&self, manifest: &Manifest) -> Reply<()> {
        let (state, id) = (self.0.clone(), manifest.id);
        let forgotten = self.0.manifests.forget(manifest);
        Box::pin(async move {
            forgotten.await?;
            state.remove(id).await
        })
    }
}
