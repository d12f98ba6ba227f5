//! Where a model's bytes come from: the network, as a stream, or the copy that an earlier
//! visit left in IndexedDB or in a file.
//!
//! [`Source`] hands on the model's bytes in order, record by record, whichever it is. While
//! it downloads, it also writes each record with its digest, one to a transaction, so that a
//! cut connection or a closed tab costs no more than the record at hand: the next load goes
//! on from there. A model exists from the moment its manifest is written, last of all.
//! Nothing here holds more than two records at a time.
//!
//! What is decided is decided in plain Rust, over two traits: `Host`, the network and the
//! clock, and `Storage`, where records are kept. In the browser these are `web`,
//! `indexed_db` and `in_files` with `opfs`; the tests have a simulation that fails in every way it can.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(
        dead_code,
        reason = "the host builds what is decided, for its tests; the browser runs it"
    )
)]

mod backoff;
mod download;
mod host;
mod http;
mod in_files;
mod part_digest;
mod read_only;
pub mod recipe;
pub mod record;
mod schema;
pub mod sha256;
pub mod source;
mod storage;

#[cfg(target_arch = "wasm32")]
mod connection;
#[cfg(target_arch = "wasm32")]
mod digest;
#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(target_arch = "wasm32")]
mod indexed_db;
#[cfg(target_arch = "wasm32")]
mod js;
#[cfg(target_arch = "wasm32")]
mod lock;
#[cfg(target_arch = "wasm32")]
mod opfs;
#[cfg(target_arch = "wasm32")]
mod quota;
#[cfg(target_arch = "wasm32")]
mod stream;
#[cfg(target_arch = "wasm32")]
pub mod web;

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

pub use schema::{Backend, tokenizer_name};
pub use source::{Kept, Options, Phase, Piece, Report, Source};
