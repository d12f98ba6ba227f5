//! What a model needs and whether it can run, from its header alone.

use super::config::Config;
use super::loader::context;
use super::weights;
use crate::Result;
use crate::gguf::Header;
use crate::kv_cache::KvCache;
use crate::quant::{Packed, layout_of};
use crate::tokenizer::Tokenizer;
use serde::Serialize;

/// Bytes that a model will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Preflight {
    /// Packed weights.
    pub weights: u64,
    /// Keys and values of the whole context.
    pub kv_cache: u64,
    /// Positions of the context.
    pub context: usize,
}

/// Checks everything that a header tells: what loading would refuse is refused here.
///
/// # Errors
/// As [`crate::model::Loader::push`].
pub fn preflight(header: &Header, asked_context: Option<usize>) -> Result<Preflight> {
    let config = Config::from_header(header)?;
    let plan = weights::plan(header, &config)?;
    Tokenizer::from_gguf(&header.metadata)?;
    let packed = plan.iter().map(|tensor| match (&tensor.dims[..], layout_of(tensor.dtype)) {
        (&[n_cols, n_rows], Some(layout)) => {
            Packed::bytes_for(layout, n_rows as usize, n_cols as usize) as u64
        }
        _ => tensor.n_elements() * 4,
    });
    let context = context(&config, asked_context)?;
    let (n_kv_heads, head_dim) = (config.n_kv_heads, config.head_dim);
    let kv_cache = KvCache::bytes_for(config.n_layers, n_kv_heads, head_dim, context);
    Ok(Preflight { weights: packed.sum(), kv_cache, context })
}
