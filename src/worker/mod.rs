//! The engine behind the worker's port.
//!
//! `pkg/worker.js` makes the instance and hands every message of the page to `receive`.
//! [`protocol`] says what they are; requests run one after the other, and between steps of
//! one the worker's event loop turns, every 32 ms or step, so that an abort is heard. (A
//! profile is one step of a few seconds.)

pub mod fields;
mod line;
pub mod load_request;
pub mod progress;
pub mod protocol;
pub mod request;
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))] // of use in the worker
mod rhythm;
mod sampling;

#[cfg(target_arch = "wasm32")]
mod answer;
#[cfg(target_arch = "wasm32")]
mod deltas;
#[cfg(target_arch = "wasm32")]
pub mod entry;
#[cfg(target_arch = "wasm32")]
mod load;
#[cfg(target_arch = "wasm32")]
mod load_tokenizer;
#[cfg(target_arch = "wasm32")]
mod port;
#[cfg(target_arch = "wasm32")]
mod queue;
#[cfg(target_arch = "wasm32")]
mod sessions;
#[cfg(target_arch = "wasm32")]
mod turn;
