//! A model: configuration from metadata, weights, and the forward pass.

mod arch;
mod buffers;
mod config;
mod delta_net;
mod experts;
mod forward;
mod head;
mod keys;
mod plan;
mod profile;
mod reader;
mod rows;
mod short_conv;
mod weights;

pub(crate) use buffers::{LOGITS_ROWS, MAX_CHUNK, MAX_HEAD};
pub(crate) use config::Config;
pub(crate) use forward::Forward;
pub use profile::OpTimes;
pub(crate) use reader::WeightsReader;
