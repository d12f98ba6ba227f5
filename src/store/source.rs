//! A model's bytes, from the network or from the store.

use super::RECORD_BYTES;
use super::buffer::RecordBuffer;
use super::fetch::Download;
use super::indexed_db::IndexedDb;
use super::js::collect_garbage;
use super::quota;
use super::reader::RecordReader;
use super::schema::Manifest;
use super::storage::Storage;
use super::writer::RecordWriter;
use crate::{Error, Result};
use js_sys::Uint8Array;
use std::rc::Rc;
use web_sys::AbortSignal;

/// Where the bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The server.
    Network,
    /// This browser's store.
    Cache,
}

/// A file's bytes in order. Read it to its end, make sure that the model is whole, then
/// [`Source::keep`] it; on any failure [`Source::discard`] it.
pub struct Source {
    signal: AbortSignal,
    loaded: u64,
    input: Input,
}

enum Input {
    Cache(RecordReader),
    Network { download: Download, record: RecordBuffer, writer: Option<RecordWriter> },
}

impl Source {
    /// Opens the stored copy of `url`, or asks the server for it. With `cache` false the
    /// store is neither read nor written. `signal` ends the load at any time.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`] before anything is fetched, [`Error::StorageFull`]
    /// before a byte of the body is, [`Error::HttpStatus`], [`Error::Network`],
    /// [`Error::Aborted`].
    pub async fn open(url: &str, cache: bool, signal: &AbortSignal) -> Result<Source> {
        let input = Source::find(url, cache, signal).await?;
        Ok(Source { signal: signal.clone(), loaded: 0, input })
    }

    async fn find(url: &str, cache: bool, signal: &AbortSignal) -> Result<Input> {
        if !cache {
            let download = Download::start(url, signal).await?;
            let record = RecordBuffer::new(RECORD_BYTES);
            return Ok(Input::Network { download, record, writer: None });
        }
        let storage: Rc<dyn Storage> = Rc::new(IndexedDb::open().await?);
        if let Some(manifest) = storage.manifest(url).await? {
            return Ok(Input::Cache(RecordReader::new(storage, manifest)));
        }
        let download = Download::start(url, signal).await?;
        if let (Some(needed), Some(available)) = (download.length(), quota::available().await)
            && needed > available
        {
            return Err(Error::StorageFull { needed, available });
        }
        let manifest = Manifest::new(url, download.etag().map(String::from));
        let record = RecordBuffer::new(manifest.record_bytes);
        let writer = Some(RecordWriter::new(storage, manifest));
        Ok(Input::Network { download, record, writer })
    }

    /// Where the bytes come from.
    pub fn origin(&self) -> Origin {
        match self.input {
            Input::Cache(_) => Origin::Cache,
            Input::Network { .. } => Origin::Network,
        }
    }

    /// Bytes handed out.
    pub fn loaded(&self) -> u64 {
        self.loaded
    }

    /// Bytes in all, where the server tells.
    pub fn total(&self) -> Option<u64> {
        match &self.input {
            Input::Cache(reader) => Some(reader.bytes()),
            Input::Network { download, .. } => download.length(),
        }
    }

    /// The next bytes, in a piece of any size; `None` at the end. The piece is the caller's
    /// until the next call.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::StorageFull`], [`Error::StorageUnavailable`],
    /// [`Error::StorageCorrupt`], [`Error::Aborted`].
    pub async fn next(&mut self) -> Result<Option<Uint8Array>> {
        if self.signal.aborted() {
            return Err(Error::Aborted);
        }
        let piece = match &mut self.input {
            Input::Cache(reader) => reader.record().await?,
            Input::Network { download, record, writer } => {
                if record.is_full() {
                    record.clear();
                }
                let n = download.fill(record).await?;
                if let (true, Some(writer)) = (record.is_full(), writer) {
                    let written = writer.write(&record.contents()).await;
                    written.map_err(|error| with_total(error, download.length()))?;
                }
                (n > 0).then(|| record.last(n))
            }
        };
        self.loaded += piece.as_ref().map_or(0, |piece| u64::from(piece.length()));
        Ok(piece)
    }

    /// Whether a file that seems cut short is so because the transfer was.
    ///
    /// # Errors
    /// [`Error::Network`] if it was.
    pub fn check_whole(&self) -> Result<()> {
        match &self.input {
            Input::Cache(_) => Ok(()),
            Input::Network { download, .. } => download.check_whole(),
        }
    }

    /// Makes what was downloaded a stored model, and frees what the load has taken. Returns
    /// whether it has become one now.
    ///
    /// # Errors
    /// [`Error::StorageFull`], [`Error::StorageUnavailable`].
    pub async fn keep(mut self) -> Result<bool> {
        let total = self.total();
        let kept = match &mut self.input {
            Input::Network { record, writer: Some(writer), .. } => writer.commit(record).await,
            _ => Ok(false),
        };
        match kept {
            Ok(kept) => {
                drop(self);
                collect_garbage();
                Ok(kept)
            }
            Err(error) => {
                self.discard(&error).await;
                Err(with_total(error, total))
            }
        }
    }

    /// Ends the load because of `error`: the transfer stops, what was stored of an
    /// unfinished download is taken back, and a damaged model as well. A later issue resumes
    /// downloads: after [`Error::Network`], what was stored would stay.
    pub async fn discard(self, error: &Error) {
        // The load has failed already, and the first error is the one to tell. What stays
        // stored does not count as a model, and the next load begins by deleting it.
        let _ = match self.input {
            Input::Cache(reader) if matches!(error, Error::StorageCorrupt { .. }) => {
                reader.give_up().await
            }
            Input::Network { download, writer: Some(writer), .. } => {
                drop(download);
                writer.discard().await
            }
            _ => Ok(()),
        };
    }
}

/// What the storage lacked room for is the whole model, where its length is known.
fn with_total(error: Error, total: Option<u64>) -> Error {
    match error {
        Error::StorageFull { needed, available } => {
            Error::StorageFull { needed: total.unwrap_or(needed), available }
        }
        other => other,
    }
}
