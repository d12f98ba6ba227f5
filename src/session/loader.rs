//! From a file's bytes, as they come, to an engine. No layer ever holds the whole file:
//! the header is read as soon as it is complete, and what cannot run is refused then.

use super::engine::{About, Engine};
use crate::chat::ChatTemplate;
use crate::gguf::{Header, Parsed};
use crate::kv_cache::KvType;
use crate::model::{Config, Forward, WeightsReader};
use crate::team::Team;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
use serde::Serialize;

/// How to run a model.
#[derive(Clone, Copy)]
pub struct LoadOptions {
    /// Positions of the KV cache, [`DEFAULT_CONTEXT`] by default; at most those that the
    /// model was trained for.
    pub context: Option<usize>,
    /// How keys and values are kept.
    pub kv_cache: KvType,
    /// Threads, this one among them.
    pub threads: usize,
    /// Seconds since 1970-01-01 00:00 on the local wall clock: the date that templates show.
    pub clock: fn() -> i64,
}

impl Default for LoadOptions {
    /// One thread, and universal time.
    fn default() -> LoadOptions {
        LoadOptions { context: None, kv_cache: KvType::default(), threads: 1, clock: unix_seconds }
    }
}

/// Longest context that is allocated unasked.
pub const DEFAULT_CONTEXT: usize = 4096;

/// Takes a GGUF file piece by piece.
pub struct Loader {
    options: LoadOptions,
    received: u64,
    stage: Stage,
}

enum Stage {
    Header { bytes: Vec<u8>, at_least: u64 },
    Tensors(Box<Parts>),
}

/// What an engine is made of, once the header is read.
struct Parts {
    weights: WeightsReader,
    context: usize,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    about: About,
}

impl Loader {
    /// Waits for the file's first bytes.
    pub fn new(options: LoadOptions) -> Loader {
        Loader { options, received: 0, stage: Stage::Header { bytes: Vec::new(), at_least: 0 } }
    }

    /// Takes the next bytes of the file, however it is cut.
    ///
    /// # Errors
    /// Everything that is wrong with the file, as soon as it can be known: a model that
    /// cannot run is refused when its header is complete, before its weights are there.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.received += bytes.len() as u64;
        if let Stage::Header { bytes: held, at_least } = &mut self.stage {
            held.extend_from_slice(bytes);
            if (held.len() as u64) < *at_least {
                return Ok(());
            }
            let header = match Header::parse(held)? {
                Parsed::NeedMore { at_least: n } => {
                    *at_least = n;
                    return Ok(());
                }
                Parsed::Complete(header) => header,
            };
            let before = held.len() - bytes.len();
            let data = header.data_offset as usize;
            // What of this piece is beyond the header; the padding may still be to come.
            bytes = &bytes[data.saturating_sub(before).min(bytes.len())..];
            self.stage = Stage::Tensors(Box::new(Parts::new(&header, &self.options)?));
        }
        let position = self.received - bytes.len() as u64;
        match &mut self.stage {
            Stage::Tensors(parts) => parts.weights.push(position, bytes),
            Stage::Header { .. } => Ok(()),
        }
    }

    /// The file's length as its header tells it, once the header is there.
    pub fn file_len(&self) -> Option<u64> {
        match &self.stage {
            Stage::Header { .. } => None,
            Stage::Tensors(parts) => Some(parts.weights.file_len()),
        }
    }

    /// The engine, all tensors being there.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::OutOfMemory`].
    pub fn finish(self) -> Result<Engine> {
        let have = self.received;
        let parts = match self.stage {
            Stage::Tensors(parts) if parts.weights.is_complete() => *parts,
            Stage::Tensors(parts) => {
                return Err(Error::Truncated { need: parts.weights.file_len(), have });
            }
            Stage::Header { at_least, .. } => {
                return Err(Error::Truncated { need: at_least.max(have + 1), have });
            }
        };
        let Parts { context, weights, tokenizer, template, about } = parts;
        let (config, weights) = weights.finish()?;
        let LoadOptions { kv_cache, threads, .. } = self.options;
        let forward = Forward::new(config, weights, kv_cache, context, Team::new(threads))?;
        Ok(Engine::new(forward, kv_cache, context, tokenizer, template, about))
    }
}

impl Parts {
    fn new(header: &Header, options: &LoadOptions) -> Result<Parts> {
        let weights = WeightsReader::new(header)?;
        let context = context(weights.config(), options.context)?;
        let (packed, kv_cache) = weights.memory(options.kv_cache, context);
        let needed = packed.saturating_add(kv_cache);
        if needed > isize::MAX as u64 * 2 {
            return Err(Error::OutOfMemory { needed }); // more than addresses reach
        }
        let mut tokenizer = Tokenizer::from_gguf(&header.metadata)?;
        let template = ChatTemplate::from_gguf(&header.metadata, &tokenizer)?;
        let about = About {
            name: header.metadata.opt_str("general.name")?.map(str::to_string),
            quantization: weights.quantization(),
            parameters: header.n_elements(),
        };
        let mut template = template.unwrap_or_else(ChatTemplate::plain);
        template.set_clock(options.clock);
        if let Some(end) = template.end_of_answer() {
            tokenizer.end_answers_at(&end);
        }
        Ok(Parts { weights, context, tokenizer, template, about })
    }
}

/// Seconds since 1970, UTC.
fn unix_seconds() -> i64 {
    let now = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs() as i64)
}

/// The context to allocate: never longer than the model was trained for.
fn context(config: &Config, asked: Option<usize>) -> Result<usize> {
    match asked {
        Some(0) => Err(Error::BadRequest { what: "`context` is 0".into() }),
        asked => Ok(asked.unwrap_or(DEFAULT_CONTEXT).min(config.n_ctx_train)),
    }
}

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

/// Checks everything that a header tells, and what memory the model will take.
///
/// # Errors
/// As [`Loader::push`].
pub fn preflight(header: &Header, options: &LoadOptions) -> Result<Preflight> {
    let Parts { weights, context, .. } = Parts::new(header, options)?;
    let (weights, kv_cache) = weights.memory(options.kv_cache, context);
    Ok(Preflight { weights, kv_cache, context })
}
