//! Cuts a download into records and writes them while it goes on.

use super::digest::sha256;
use super::js::release;
use super::schema::Manifest;
use super::storage::{Reply, Storage};
use crate::Result;
use js_sys::{ArrayBuffer, Uint8Array};
use std::rc::Rc;

/// Collects chunks into records. One record is collected while the one before is written.
pub(super) struct RecordWriter {
    storage: Rc<dyn Storage>,
    /// What has been handed to the storage.
    manifest: Manifest,
    /// The record that is being collected; used again for the next.
    record: Uint8Array,
    filled: u32,
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
        RecordWriter {
            record: Uint8Array::new_with_length(manifest.record_bytes),
            storage,
            manifest,
            filled: 0,
            writing: None,
            state: State::New,
        }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// [`Error::StorageFull`](crate::Error::StorageFull),
    /// [`Error::StorageUnavailable`](crate::Error::StorageUnavailable).
    pub(super) async fn push(&mut self, chunk: &Uint8Array) -> Result<()> {
        let mut from = 0;
        while from < chunk.length() && self.state != State::Lost {
            let n = (chunk.length() - from).min(self.record.length() - self.filled);
            self.record.set(&chunk.subarray(from, from + n), self.filled);
            self.filled += n;
            from += n;
            if self.filled == self.record.length() {
                let record = self.record.buffer();
                self.write(&record).await?;
            }
        }
        Ok(())
    }

    /// Writes what is left and makes the download a model.
    ///
    /// # Errors
    /// As [`RecordWriter::push`].
    pub(super) async fn commit(&mut self) -> Result<bool> {
        if self.filled > 0 && self.state != State::Lost {
            let last = self.record.slice(0, self.filled).buffer();
            self.write(&last).await?;
        }
        self.settle().await?;
        release(&self.record.buffer());
        Ok(self.state == State::Begun && self.storage.commit(&self.manifest).await?)
    }

    /// Takes back what has been stored.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`](crate::Error::StorageUnavailable).
    pub(super) async fn discard(mut self) -> Result<()> {
        let written = self.settle().await;
        if self.state == State::Begun {
            self.storage.delete(&self.manifest.url).await?;
        }
        written
    }

    /// Starts to write a record, once the one before is written.
    async fn write(&mut self, record: &ArrayBuffer) -> Result<()> {
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
        self.filled = 0;
        Ok(())
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
