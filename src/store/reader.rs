//! Reads a stored model record by record, and checks each against its digest.

use super::digest::sha256;
use super::js;
use super::schema::Manifest;
use super::storage::Storage;
use crate::{Error, Result};
use js_sys::{ArrayBuffer, Promise, Uint8Array};
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// Hands out a model's records. The next one is read and checked while the caller works on
/// the one before.
pub(super) struct RecordReader {
    storage: Rc<dyn Storage>,
    manifest: Rc<Manifest>,
    /// Index of the record that `ahead` will be.
    next: u32,
    ahead: Option<Promise>,
    /// The record that the caller has.
    current: Option<ArrayBuffer>,
}

impl RecordReader {
    pub(super) fn new(storage: Rc<dyn Storage>, manifest: Manifest) -> RecordReader {
        RecordReader { storage, manifest: Rc::new(manifest), next: 0, ahead: None, current: None }
    }

    /// Length of the model.
    pub(super) fn bytes(&self) -> u64 {
        self.manifest.bytes
    }

    /// The next record, the caller's until it asks for another; `None` after the last.
    ///
    /// # Errors
    /// [`Error::StorageCorrupt`] if it is missing or damaged.
    pub(super) async fn record(&mut self) -> Result<Option<Uint8Array>> {
        self.release();
        let index = self.next;
        let Some(ahead) = self.ahead.take().or_else(|| self.read(index)) else { return Ok(None) };
        self.next += 1;
        let record =
            JsFuture::from(ahead).await.and_then(|record| record.dyn_into::<ArrayBuffer>());
        let Ok(record) = record else { return Err(Error::StorageCorrupt { record: index }) };
        self.ahead = self.read(self.next);
        self.current = Some(record.clone());
        Ok(Some(Uint8Array::new(&record)))
    }

    fn release(&mut self) {
        if let Some(record) = self.current.take() {
            js::release(&record);
        }
    }

    /// Takes the damaged model away, so that the next load fetches it anew. To fetch only
    /// the record at fault, this is the place: the manifest has its digest.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`].
    pub(super) async fn give_up(&self) -> Result<()> {
        self.storage.forget(&self.manifest).await
    }

    /// Starts to read a record, if there is one. The promise is never rejected, as nobody may
    /// be there yet to take note of it: it brings undefined for a bad record.
    fn read(&self, index: u32) -> Option<Promise> {
        let digest = self.manifest.records.get(index as usize)?.clone();
        let len = self.manifest.record_len(index);
        let record = self.storage.read_record(&self.manifest, index);
        Some(future_to_promise(async move {
            let whole = |record: &ArrayBuffer| u64::from(record.byte_length()) == len;
            let Some(record) = record.await.ok().flatten().filter(whole) else {
                return Ok(JsValue::UNDEFINED);
            };
            let good = sha256(&record).await.is_ok_and(|found| found == digest);
            Ok(if good { record.into() } else { JsValue::UNDEFINED })
        }))
    }
}

impl Drop for RecordReader {
    fn drop(&mut self) {
        self.release();
    }
}
