//! What is written of a model, record by record, and what becomes of it when a load ends, fails
//! or begins anew.

use super::{Piece, Source};
use crate::store::host::Fault;
use crate::store::record::Record;
use crate::store::schema::Backend;
use crate::store::storage::Write;
use crate::{Error, Result};

/// A file that begins anew this often while it is loaded is not to be had.
const MAX_RESTARTS: u32 = 3;

/// What is stored of a model when it is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether it has become a stored model just now.
    pub new: bool,
    /// Where it is stored, if it is.
    pub backend: Option<Backend>,
}

impl Source {
    /// Starts to write a record, once the one before is written.
    pub(super) async fn write(&mut self, index: usize, record: &Record, how: Write) -> Result<()> {
        self.settle().await?;
        self.manifest.last_used = self.host.now();
        if let Some(storage) = &self.storage {
            self.writing = Some(storage.write(&self.manifest, index as u32, Some(record), how));
        }
        Ok(())
    }

    /// Waits for the record that is being written. A store that fails is left alone: the
    /// model can do without.
    pub(super) async fn settle(&mut self) -> Result<()> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        match writing.await {
            Ok(true) => {}
            Ok(false) => self.lost("it was deleted meanwhile"),
            Err(Error::StorageFull { .. }) => {
                let unwritten = self.manifest.records.last().map_or(0, |record| record.bytes);
                let available = self.host.available().await.unwrap_or(0);
                return Err(self.full(available, unwritten));
            }
            Err(Error::Aborted) => return Err(Error::Aborted),
            Err(error) => self.lost(&error.to_string()),
        }
        Ok(())
    }

    fn lost(&mut self, why: &str) {
        self.storage = None;
        self.host.warn(&format!("{} is not stored: {why}", self.manifest.url));
    }

    /// That there is no room for what is still to be stored, `unwritten` bytes of it being
    /// here already.
    pub(in crate::store) fn full(&self, available: u64, unwritten: u32) -> Error {
        let stored = self.manifest.bytes - u64::from(unwritten);
        let needed = match self.manifest.total {
            Some(total) => total.saturating_sub(stored).max(1),
            None => u64::from(self.manifest.record_bytes),
        };
        // The browser's estimate may be more than it grants.
        Error::StorageFull { needed, available: available.min(needed.saturating_sub(1)) }
    }

    pub(in crate::store) fn stores(&self) -> bool {
        self.storage.as_ref().is_some_and(|storage| storage.backend().is_some())
    }

    /// Forgets the download at hand, to begin anew.
    pub(super) async fn restart(&mut self) -> Result<Option<Piece>> {
        self.restarts += 1;
        if self.restarts > MAX_RESTARTS {
            let what = "it breaks off, and changes or has no version by which to go on".into();
            return Err(Fault::Broken(what).into_error(&self.manifest.url, self.reported.get()));
        }
        self.stop().await?;
        // A complete model stays until another one is.
        let unfinished = self.begun && !self.complete;
        if let Some(storage) = self.storage.as_ref().filter(|_| unfinished) {
            storage.forget(&self.manifest).await?;
        }
        let (url, id) = (self.manifest.url.clone(), self.manifest.id);
        let stored = if self.complete { self.find(&url, Some(id)).await? } else { None };
        self.begin(&url, stored).await?;
        (self.complete, self.cursor) = (false, 0);
        (self.digest, self.room_checked) = (None, false);
        Ok(Some(Piece::Restart))
    }

    async fn stop(&mut self) -> Result<()> {
        (self.stream, self.ahead, self.current) = (None, None, None);
        (self.partial, self.changed) = (None, false);
        self.settle().await
    }

    /// Makes what was downloaded a stored model, and frees what the load has taken.
    ///
    /// # Errors
    /// [`Error::StorageFull`].
    pub async fn keep(mut self) -> Result<Kept> {
        self.stop().await?;
        let Some(storage) = self.storage.clone().filter(|_| self.begun) else {
            return Ok(Kept::default());
        };
        let kept = |new| Kept { new, backend: storage.backend() };
        if self.complete && !self.news {
            return Ok(kept(false));
        }
        match storage.commit(&self.manifest).await {
            Ok(true) => Ok(kept(!self.complete)),
            Ok(false) => Ok(Kept::default()),
            Err(Error::StorageFull { .. }) => {
                let available = self.host.available().await.unwrap_or(0);
                Err(self.full(available, 0))
            }
            Err(error) => {
                self.lost(&error.to_string());
                Ok(Kept::default())
            }
        }
    }

    /// Ends the load because of `error`. What has been stored stays for the next load, unless
    /// it is the file that is at fault.
    pub async fn discard(mut self, error: &Error) {
        // The load has failed already, and the first error is the one to tell.
        let _ = self.stop().await;
        // A bad tokenizer.json is forgotten even if it is complete; the model is not at fault.
        let void = match error {
            Error::BadTokenizer { .. } => self.options.file.is_some(),
            _ => !self.complete && error.is_of_the_file(),
        };
        let void = void && self.begun;
        if let Some(storage) = self.storage.as_ref().filter(|_| void) {
            let _ = storage.forget(&self.manifest).await;
        }
    }
}
