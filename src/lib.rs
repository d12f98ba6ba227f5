//! pagelm: a language model that lives in a web page.
//!
//! The way of the data, and where each step stands:
//! [`gguf`] (untrusted bytes → typed header) → `quant` (GGML blocks → packed
//! weights) → `model` (configuration, weights, forward pass over `ops` and
//! `kernels`) → [`session`] (prefill, decode, sampling, text). [`store`]
//! fetches and keeps the weights, and on wasm32 `worker` speaks with the page.
//! ARCHITECTURE.md has the picture.

pub mod chat;
pub mod error;
pub mod gguf;
mod kernels;
mod kv_cache;
mod memory;
mod model;
mod ops;
mod quant;
pub mod sampling;
pub mod session;
pub mod store;
mod team;
pub mod tokenizer;
pub mod worker;

pub use error::{Error, Result};
