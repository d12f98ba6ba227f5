//! Writes a download's records while it goes on.

use super::buffer::RecordBuffer;
use super::digest::sha256;
use super::schema::Manifest;
use super::storage::{Reply, Storage};
use crate::Result;
use js_sys::ArrayBuffer;
use std::rc::Rc;

/// Writes records. One is collected while the one before is written.
pub(super) struct RecordWriter {
    storage: Rc<dyn Storage>,
    /// What has been handed to the storage.
    manifest: Manifest,
    /// The record that is being written.
    writing: Option<Reply<bool>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Nothing has been stored.
    New,
    /// Records are being stored.
    Begun,
    /// Somebody else took the download away: nothing more is stored.
    Lost,
}

impl RecordWriter {
    pub(super) fn new(storage: Rc<dyn Storage>, manifest: Manifest) -> RecordWriter {
        RecordWriter { storage, manifest, writing: None, state: State::New }
    }

    /// Starts to write a record, once the one before is written. It may change as soon as
    /// this has returned.
    ///
    /// # Errors
    /// [`Error::StorageFull`](crate::Error::StorageFull),
    /// [`Error::StorageUnavailable`](crate::Error::StorageUnavailable).
    pub(super) async fn write(&mut self, record: &ArrayBuffer) -> Result<()> {
        if self.state == State::Lost {
            return Ok(());
        }
        let digest = sha256(record).await?;
        self.settle().await?;
        if self.state == State::New {
            self.storage.begin(&self.manifest).await?;
            self.state = State::Begun;
        }
        if self.state == State::Begun {
            self.manifest.records.push(digest);
            self.manifest.bytes += u64::from(record.byte_length());
            self.manifest.last_used = js_sys::Date::now();
            self.writing = Some(self.storage.write_record(&self.manifest, record));
        }
        Ok(())
    }

    /// Writes the last record, if anything is in it, and makes the download a model.
    ///
    /// # Errors
    /// As [`RecordWriter::write`].
    pub(super) async fn commit(&mut self, last: &RecordBuffer) -> Result<bool> {
        if !last.is_empty() {
            self.write(&last.contents()).await?;
        }
        self.settle().await?;
        Ok(self.state == State::Begun && self.storage.commit(&self.manifest).await?)
    }

    /// Takes back what has been stored.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`](crate::Error::StorageUnavailable).
    pub(super) async fn discard(mut self) -> Result<()> {
        let written = self.settle().await;
        if self.state == State::Begun {
            self.storage.forget(&self.manifest).await?;
        }
        written
    }

    /// Waits for the record that is being written.
    async fn settle(&mut self) -> Result<()> {
        if let Some(writing) = self.writing.take()
            && !writing.await?
        {
            self.state = State::Lost;
        }
        Ok(())
    }
}
