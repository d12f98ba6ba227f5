//! What a storage backend does.

use super::record::Record;
use super::schema::{Backend, Manifest};
use crate::{Error, Result};
use std::future::Future;
use std::pin::Pin;

/// A reply that comes later. What the method was given may change as soon as it returns. How
/// much is done by then, and what only while the reply is waited for, is the storage's matter.
pub(super) type Reply<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

/// What is stored of a model.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stored {
    /// All of it.
    Complete(Manifest),
    /// The beginning.
    Partial(Manifest),
}

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// The first record opens its download, and what other downloads of its url have left
    /// is forgotten; a complete model stays until this one is complete.
    First,
    /// Added to its download, if that is still there.
    Next,
    /// In place of a damaged one of its download or model, if that is still there.
    Repair,
}

/// That there is no room. How much is lacking, who asked can tell.
pub(super) const FULL: Error = Error::StorageFull { needed: 0, available: 0 };

/// Keeps models as manifests and records. Models are named by their url.
pub(super) trait Storage {
    /// Where the model or download at hand is; `None` if what is written does not stay.
    fn backend(&self) -> Option<Backend>;

    /// What is stored of a model in the present layout; the complete one before an
    /// unfinished download, unless it has the id `but`. A complete one's time of use is set to
    /// now, whether it is wanted or not.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`], [`Error::Aborted`]. What is stored stays as it is.
    fn find(&self, url: &str, but: Option<f64>) -> Reply<Option<Stored>>;

    /// A record and the digest of what was read; `None` if it is not there or cannot be read.
    /// It may lie in the memory of `spare`.
    fn read(
        &self,
        manifest: &Manifest,
        index: u32,
        spare: Option<Record>,
    ) -> Reply<Option<(Record, String)>>;

    /// Writes a record together with the manifest, which has it already; in place of a damaged
    /// one only the record. `false` if the download was taken away meanwhile, by another tab or
    /// by the user: nothing of it stays then. Without a record only the manifest is written: the
    /// bytes are elsewhere.
    ///
    /// # Errors
    /// [`FULL`], [`Error::StorageUnavailable`], [`Error::Aborted`].
    fn write(
        &self,
        manifest: &Manifest,
        index: u32,
        record: Option<&Record>,
        how: Write,
    ) -> Reply<bool>;

    /// Makes a finished download the model of its url, and forgets its other downloads.
    /// `false` as with `write`.
    fn commit(&self, manifest: &Manifest) -> Reply<bool>;

    /// Forgets a download or a complete model, and nothing that others have stored under its
    /// url since.
    fn forget(&self, manifest: &Manifest) -> Reply<()>;
}
