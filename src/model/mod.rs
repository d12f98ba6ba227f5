//! A model: configuration from metadata, weights, and the forward pass.

mod config;
mod forward;
mod llama;
mod loader;
mod preflight;
mod weights;

pub(crate) use forward::{Forward, MAX_CHUNK, MAX_HEAD};
pub use loader::{DEFAULT_CONTEXT, LoadOptions, Loader};
pub use preflight::{Preflight, preflight};
