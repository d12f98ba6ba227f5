//! The database's names and values. The page reads them as well, without wasm:
//! `pkg/models.js` has the same names. Who changes one changes the other.
//!
//! | store | key | value |
//! |---|---|---|
//! | `models` | url | [`Manifest`] of a complete model |
//! | `downloads` | `[url, id]` | [`Manifest`] of what has been stored so far |
//! | `records` | `[url, id, index]` | `ArrayBuffer`, the record's bytes |
//!
//! Keys begin with the url, so that everything of one model is a key range, and a
//! transaction can take it away without reading first.

use super::RECORD_BYTES;
use serde::{Deserialize, Serialize};

pub(super) const DATABASE: &str = "pagelm";
pub(super) const DATABASE_VERSION: u32 = 1;
pub(super) const MODELS: &str = "models";
pub(super) const DOWNLOADS: &str = "downloads";
pub(super) const RECORDS: &str = "records";

/// Version of what a record holds. A stored model of another layout is fetched anew.
pub(super) const LAYOUT: u32 = 1;

/// A stored model, or what has been stored of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// [`LAYOUT`] of the time of writing.
    pub(super) layout: u32,
    /// Where it came from, and its name in the store.
    pub(super) url: String,
    /// Tells the records of one download from those of another: random, an integer.
    pub(super) id: f64,
    /// Bytes stored: of a complete model, the file's length.
    pub(super) bytes: u64,
    /// Bytes of every record but the last.
    pub(super) record_bytes: u32,
    /// SHA-256 of each record, in hexadecimal.
    pub(super) records: Vec<String>,
    /// The server's validator for the file, by which a download can be resumed.
    pub(super) etag: Option<String>,
    /// When it was last loaded or written to, in milliseconds since 1970.
    pub(super) last_used: f64,
}

impl Manifest {
    /// A download of which nothing is stored yet.
    pub(super) fn new(url: &str, etag: Option<String>) -> Manifest {
        Manifest {
            layout: LAYOUT,
            url: url.into(),
            id: (js_sys::Math::random() * js_sys::Number::MAX_SAFE_INTEGER).floor(),
            bytes: 0,
            record_bytes: RECORD_BYTES,
            records: Vec::new(),
            etag,
            last_used: js_sys::Date::now(),
        }
    }

    /// Length of a record.
    pub(super) fn record_len(&self, index: u32) -> u64 {
        let start = u64::from(index) * u64::from(self.record_bytes);
        self.bytes.saturating_sub(start).min(u64::from(self.record_bytes))
    }
}
