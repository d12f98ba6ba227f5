//! What a storage backend does.

use super::schema::Manifest;
use crate::Result;
use js_sys::ArrayBuffer;
use std::future::Future;
use std::pin::Pin;

/// A reply that comes later. The request has been made when a method returns: what it was
/// given may then change.
pub(super) type Reply<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

/// Keeps models as manifests and records. Models are named by their url.
pub(super) trait Storage {
    /// The manifest of a complete model of the present layout, its time of use set to now.
    fn manifest(&self, url: &str) -> Reply<Option<Manifest>>;

    /// A record of a complete model; `None` if it is not there or cannot be read.
    fn read_record(&self, model: &Manifest, index: u32) -> Reply<Option<ArrayBuffer>>;

    /// Opens a download of which nothing is stored yet, and forgets what other downloads of
    /// its url have left; a complete model stays until this one is complete.
    fn begin(&self, download: &Manifest) -> Reply<()>;

    /// Adds a download's last record, as its manifest already tells. `false` if the download
    /// was taken away meanwhile, by another tab or by the user: nothing is written then.
    fn write_record(&self, download: &Manifest, record: &ArrayBuffer) -> Reply<bool>;

    /// Makes a finished download the model of its url. `false` as with `write_record`.
    fn commit(&self, download: &Manifest) -> Reply<bool>;

    /// Forgets a download or a complete model, and nothing that others have stored under its
    /// url since.
    fn forget(&self, model: &Manifest) -> Reply<()>;
}
