//! A model: configuration from metadata, weights, and the forward pass.

mod config;
mod forward;
mod llama;
mod profile;
mod reader;
mod weights;

pub(crate) use config::Config;
pub(crate) use forward::{Forward, LOGITS_ROWS, MAX_CHUNK, MAX_HEAD};
pub use profile::OpTimes;
pub(crate) use reader::WeightsReader;
