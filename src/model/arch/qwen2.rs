//! `qwen2`: Qwen 2 and 2.5. Llama with biases of queries, keys and values, which are read
//! wherever a file has them (Yang et al., 2024).

use super::super::config::{Config, Norm};
use super::super::keys::Keys;
use crate::Result;

pub(super) fn config(keys: &Keys) -> Result<Config> {
    Config::decoder(keys, Norm::Rms)
}
