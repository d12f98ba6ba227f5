//! Where a model's bytes come from: the network, as a stream, or the copy that an earlier
//! visit left in IndexedDB.
//!
//! [`Source`] hands on the file's bytes in order, whichever it is. While it downloads, it
//! also writes them as records of [`RECORD_BYTES`] with their digests, one record to a
//! transaction. A model exists from the moment its manifest is written, last of all: what a
//! cut connection or a closed tab leaves behind never counts as a model. Nothing here holds
//! more than two records at a time.

mod buffer;
mod digest;
mod fetch;
mod indexed_db;
mod js;
mod quota;
mod reader;
mod schema;
mod source;
mod storage;
mod writer;

pub use source::{Origin, Source};

/// Bytes of a record; the last one of a model may be shorter. Larger values bring no speed
/// and cost memory; Chrome refuses values from about 127 MiB.
const RECORD_BYTES: u32 = 8 << 20;
