//! The request to load a model.

use super::fields::{Fields, bad, must_be};
use super::protocol::required_text;
use crate::Result;
use crate::session::KvType;
use crate::store::recipe::MAX_RECORD_BYTES;
use crate::store::sha256::is_digest;
use crate::store::{self, Backend};
use serde_json::Value;

/// Attempts that may follow a failure.
const RETRIES: u32 = 5;
/// Silence after which a server is asked again.
const STALL_MS: u32 = 20_000;
/// Bytes of a record; the last one of a model may be shorter. Larger values bring no speed
/// and cost memory; Chrome refuses values from about 127 MiB.
const RECORD_BYTES: f32 = (8 << 20) as f32;
const MIN_RECORD_BYTES: f32 = (4 << 10) as f32;

/// Which model, and how to load it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRequest {
    /// Address of the file.
    pub url: String,
    /// Positions of the KV cache.
    pub context: Option<usize>,
    /// How keys and values are kept.
    pub kv_cache: KvType,
    /// Whether to use and fill the store.
    pub cache: bool,
    /// Where the store keeps what it does not have yet.
    pub backend: Backend,
    /// Address of a `tokenizer.json` in place of the model's own tokenizer.
    pub tokenizer: Option<String>,
    /// How to fetch and check the files.
    pub source: store::Options,
    /// Milliseconds without a byte after which a server is asked again.
    pub stall_ms: u32,
}

impl LoadRequest {
    /// Reads the fields of a message.
    ///
    /// # Errors
    /// [`Error::BadRequest`](crate::Error::BadRequest), naming the field.
    pub(super) fn from_fields(fields: &mut Fields) -> Result<LoadRequest> {
        let url = required_text(fields, "url")?;
        let mut options = Fields::new("options", Value::Object(fields.object("options")?))?;
        let load = LoadRequest {
            url,
            context: options.count("context")?,
            kv_cache: match options.text("kv_cache")? {
                Some(name) => KvType::from_name(&name)?,
                None => KvType::default(),
            },
            cache: options.flag("cache")?.unwrap_or(true),
            backend: match options.text("storage")? {
                Some(name) => Backend::from_name(&name)?,
                None => Backend::default(),
            },
            tokenizer: options.text("tokenizer")?,
            source: source_options(&mut options)?,
            stall_ms: small(&mut options, "stall_ms")?.unwrap_or(STALL_MS),
        };
        // These chose the binary and started the helpers, or found the tab that has them.
        for name in ["threads", "variant"] {
            options.take(name);
        }
        options.finish()?;
        Ok(load)
    }
}

fn source_options(options: &mut Fields) -> Result<store::Options> {
    let record_mb = options.number("record_mb")?.map_or(RECORD_BYTES, |mb| mb * (1 << 20) as f32);
    if !(MIN_RECORD_BYTES..=MAX_RECORD_BYTES as f32).contains(&record_mb) {
        let (least, most) = (MIN_RECORD_BYTES / (1 << 20) as f32, MAX_RECORD_BYTES >> 20);
        return Err(bad(format!("`record_mb` must be from {least} to {most}")));
    }
    let sha256 = options.texts("sha256")?.unwrap_or_default();
    if let Some(wrong) = sha256.iter().find(|text| !is_digest(text)) {
        return Err(must_be("sha256", "64 hexadecimal digits", &wrong.as_str().into()));
    }
    let retries = small(options, "retries")?.unwrap_or(RETRIES);
    Ok(store::Options { retries, record_bytes: record_mb as u32, sha256, file: None })
}

fn small(fields: &mut Fields, name: &str) -> Result<Option<u32>> {
    Ok(fields.count(name)?.map(|count| count.try_into().unwrap_or(u32::MAX)))
}
