//! From a file's bytes, as they come, to an engine. No layer ever holds the whole file:
//! the header is read as soon as it is complete, and what cannot run is refused then.

use super::engine::{About, Engine};
use super::fingerprint::Fingerprint;
use super::memory::{Outlook, Preflight};
use super::tokenizer_file::{TokenizerFile, tokenizer};
use crate::chat::ChatTemplate;
use crate::gguf::{Header, Metadata, Parsed, Split};
use crate::kv_cache::KvType;
use crate::model::{Config, Forward, WeightsReader};
use crate::team::Team;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};

/// How to run a model.
#[derive(Clone)]
pub struct LoadOptions {
    /// Positions of the KV cache, [`DEFAULT_CONTEXT`] by default; at most those that the
    /// model was trained for.
    pub context: Option<usize>,
    /// How keys and values are kept.
    pub kv_cache: KvType,
    /// Threads, this one among them.
    pub threads: usize,
    /// Bytes of memory that the device has, where it tells.
    pub device_memory: Option<u64>,
    /// Seconds since 1970-01-01 00:00 on the local wall clock: the date that templates show.
    pub clock: fn() -> i64,
    /// A chat template in place of the model's own.
    pub chat_template: Option<String>,
    /// A tokenizer in place of the model's own.
    pub tokenizer: Option<TokenizerFile>,
}

impl Default for LoadOptions {
    /// One thread, and universal time.
    fn default() -> LoadOptions {
        LoadOptions {
            context: None,
            kv_cache: KvType::default(),
            threads: 1,
            device_memory: None,
            clock: unix_seconds,
            chat_template: None,
            tokenizer: None,
        }
    }
}

/// Longest context that is allocated unasked.
pub const DEFAULT_CONTEXT: usize = 4096;

/// Takes a GGUF file piece by piece, or the parts of a split one.
///
/// Of a split model, what cannot run is refused before weights are read, as of a whole one.
/// So its parts' headers come first: after each push, as long as [`Loader::missing_part`]
/// names one, it is to be given by [`Loader::add_part`]. Then come the rest of the first
/// part, [`Loader::next_part`], the second part from its first byte, and so on.
pub struct Loader {
    options: LoadOptions,
    /// Bytes of the file at hand that have come.
    received: u64,
    fingerprint: Fingerprint,
    stage: Stage,
}

enum Stage {
    Header {
        bytes: Vec<u8>,
        at_least: u64,
    },
    /// The first part's bytes are held until all headers are there.
    Parts {
        bytes: Vec<u8>,
        headers: Vec<Header>,
        split: Split,
    },
    Tensors {
        parts: Box<Parts>,
        files: Files,
    },
}

/// The files of a model, as they lie behind one another.
struct Files {
    lengths: Vec<u64>,
    /// `None` for a single file.
    split: Option<Split>,
    /// The file at hand, and where it begins.
    at: usize,
    start: u64,
}

/// What an engine is made of, once the header is read.
struct Parts {
    weights: WeightsReader,
    need: Preflight,
    tokenizer: Tokenizer,
    /// Where it does not parse, the model still completes raw text.
    template: Result<ChatTemplate>,
    about: About,
}

impl Loader {
    /// Waits for the file's first bytes.
    pub fn new(options: LoadOptions) -> Loader {
        let stage = Stage::Header { bytes: Vec::new(), at_least: 0 };
        Loader { options, received: 0, fingerprint: Fingerprint::default(), stage }
    }

    /// Takes the next bytes of the file, however it is cut.
    ///
    /// # Errors
    /// Everything that is wrong with the file, as soon as it can be known: a model that
    /// cannot run is refused when its header is complete, before its weights are there.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let position = self.received;
        self.received += bytes.len() as u64;
        self.fingerprint.update(bytes);
        match &mut self.stage {
            Stage::Header { bytes: held, at_least } => {
                held.extend_from_slice(bytes);
                if (held.len() as u64) < *at_least {
                    return Ok(());
                }
                match Header::parse(held)? {
                    Parsed::NeedMore { at_least: n } => *at_least = n,
                    Parsed::Complete(header) => {
                        let held = std::mem::take(held);
                        return self.start(header, held);
                    }
                }
                Ok(())
            }
            Stage::Parts { bytes: held, .. } => {
                held.extend_from_slice(bytes);
                Ok(())
            }
            Stage::Tensors { parts, files } => files.push(&mut parts.weights, position, bytes),
        }
    }

    /// Goes on with the first file's header; `bytes` are what has come of the file.
    fn start(&mut self, header: Header, bytes: Vec<u8>) -> Result<()> {
        match header.split()? {
            None => {
                let lengths = vec![header.file_len()];
                self.plan(&header, Files { lengths, split: None, at: 0, start: 0 }, &bytes)
            }
            Some(split) => {
                header.check_part_of(split, 0)?;
                self.stage = Stage::Parts { bytes, headers: vec![header], split };
                Ok(())
            }
        }
    }

    fn plan(&mut self, header: &Header, files: Files, bytes: &[u8]) -> Result<()> {
        let mut parts = Box::new(Parts::new(header, &self.options)?);
        files.push(&mut parts.weights, 0, bytes)?;
        self.stage = Stage::Tensors { parts, files };
        Ok(())
    }

    /// The part of a split model whose header is to be given next.
    pub fn missing_part(&self) -> Option<Split> {
        match &self.stage {
            Stage::Parts { headers, split, .. } => {
                Some(Split { no: headers.len() as u32, ..*split })
            }
            _ => None,
        }
    }

    /// Takes the header of [`Loader::missing_part`].
    ///
    /// # Errors
    /// [`Error::SplitMismatch`]; with the last one as [`Loader::push`].
    pub fn add_part(&mut self, header: Header) -> Result<()> {
        let Stage::Parts { bytes, headers, split } = &mut self.stage else {
            return Err(Error::Internal { what: "no part was missing".into() });
        };
        header.check_part_of(*split, headers.len() as u32)?;
        headers.push(header);
        if headers.len() < split.count as usize {
            return Ok(());
        }
        let (headers, bytes) = (std::mem::take(headers), std::mem::take(bytes));
        let lengths = headers.iter().map(Header::file_len).collect();
        let files = Files { lengths, split: Some(*split), at: 0, start: 0 };
        self.plan(&Header::join(&headers)?, files, &bytes)
    }

    /// Ends the file at hand. Returns the part whose bytes are to come next; `None` after the
    /// last one.
    ///
    /// # Errors
    /// [`Error::Truncated`] if bytes of this file are missing.
    pub fn next_part(&mut self) -> Result<Option<Split>> {
        let have = self.received;
        let files = match &mut self.stage {
            Stage::Tensors { files, .. } => files,
            Stage::Header { at_least, .. } => {
                return Err(Error::Truncated { need: (*at_least).max(have + 1), have });
            }
            Stage::Parts { .. } => {
                return Err(Error::Internal { what: "headers of parts are missing".into() });
            }
        };
        let need = files.lengths[files.at];
        if have < need {
            return Err(Error::Truncated { need, have });
        }
        if files.at + 1 == files.lengths.len() {
            return Ok(None);
        }
        files.start += need;
        files.at += 1;
        self.received = 0;
        Ok(files.split.map(|split| Split { no: files.at as u32, ..split }))
    }

    /// What the model is and will take, once its headers are there.
    pub fn outlook(&self) -> Option<Outlook> {
        let Stage::Tensors { parts, .. } = &self.stage else { return None };
        Some(Outlook {
            name: parts.about.name.clone(),
            architecture: parts.weights.config().architecture.clone(),
            parameters: parts.about.parameters,
            quantization: parts.about.quantization.clone(),
            file_bytes: parts.weights.file_len(),
            needed: parts.need.needed(),
            memory: parts.need,
        })
    }

    /// Whether the model is in several files, as far as is known.
    pub fn is_split(&self) -> bool {
        match &self.stage {
            Stage::Header { .. } => false,
            Stage::Parts { .. } => true,
            Stage::Tensors { files, .. } => files.split.is_some(),
        }
    }

    /// The length of all files together, as their headers tell it, once they are there.
    pub fn file_len(&self) -> Option<u64> {
        match &self.stage {
            Stage::Header { .. } | Stage::Parts { .. } => None,
            Stage::Tensors { parts, .. } => Some(parts.weights.file_len()),
        }
    }

    /// Changes how many threads there will be, this one among them.
    pub fn set_threads(&mut self, threads: usize) {
        self.options.threads = threads;
    }

    /// The engine, all tensors being there.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::OutOfMemory`].
    pub fn finish(mut self) -> Result<Engine> {
        if let Some(Split { no, .. }) = self.next_part()? {
            let what = "it has not been read".into();
            return Err(Error::SplitMismatch { part: no + 1, what });
        }
        let Stage::Tensors { parts, .. } = self.stage else {
            return Err(Error::Internal { what: "a model ended without a plan".into() });
        };
        let Parts { need, weights, tokenizer, template, about } = *parts;
        let context = need.context;
        let (config, weights) = weights.finish()?;
        let LoadOptions { kv_cache, threads, tokenizer: given, .. } = self.options;
        let forward = Forward::new(config, weights, kv_cache, context, Team::new(threads))?;
        let mut engine = Engine::new(forward, kv_cache, context, tokenizer, template, about);
        engine.fingerprint = self.fingerprint.finish();
        if let Some(file) = given {
            // Tokens of another tokenizer mean something else.
            engine.fingerprint += &format!("+{}", file.fingerprint());
        }
        Ok(engine)
    }
}

impl Files {
    /// Takes bytes that stand at `position` of the file at hand; padding at its end is left out.
    fn push(&self, weights: &mut WeightsReader, position: u64, bytes: &[u8]) -> Result<()> {
        let rest = self.lengths[self.at].saturating_sub(position);
        let bytes = &bytes[..rest.min(bytes.len() as u64) as usize];
        weights.push(self.start + position, bytes)
    }
}

impl Parts {
    fn new(header: &Header, options: &LoadOptions) -> Result<Parts> {
        header.check_is_model()?;
        let weights = WeightsReader::new(header)?;
        let context = context(weights.config(), options.context)?;
        let mut tokenizer = tokenizer(&header.metadata, options.tokenizer.as_ref())?;
        if let Some(file) = &options.tokenizer {
            file.check_fits(weights.config().n_vocab)?;
        }
        let template = template(&header.metadata, &tokenizer, options)?;
        let need = weights.memory(options.kv_cache, context);
        let need = Preflight::new(weights.config(), need, context);
        need.reserve(weights.largest(), options.device_memory)?;
        let about = About {
            name: header.metadata.opt_str("general.name")?.map(str::to_string),
            quantization: weights.quantization(),
            parameters: header.n_elements(),
        };
        if let Some(end) = template.as_ref().ok().and_then(ChatTemplate::end_of_answer) {
            tokenizer.end_answers_at(&end);
        }
        Ok(Parts { weights, need, tokenizer, template, about })
    }
}

/// The chat template, given or the model's own. A given one must parse; that the model's own
/// does not is told when it is wanted.
fn template(
    metadata: &Metadata,
    tokenizer: &Tokenizer,
    options: &LoadOptions,
) -> Result<Result<ChatTemplate>> {
    let own = || match ChatTemplate::from_gguf(metadata, tokenizer) {
        Err(Error::Template { line, what }) => Ok(Err(Error::Template { line, what })),
        own => own.map(|own| Ok(own.unwrap_or_else(ChatTemplate::plain))),
    };
    let mut template = match &options.chat_template {
        Some(source) => Ok(ChatTemplate::for_tokenizer(source, tokenizer)?),
        None => own()?,
    };
    if let Ok(template) = &mut template {
        template.set_clock(options.clock);
    }
    Ok(template)
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

/// Checks everything that a header tells, and what memory the model will take. Of a split
/// model it takes [`Header::join`].
///
/// # Errors
/// As [`Loader::push`].
pub fn preflight(header: &Header, options: &LoadOptions) -> Result<Preflight> {
    if let Some(split) = header.split()? {
        header.check_part_of(split, 0)?;
    }
    Ok(Parts::new(header, options)?.need)
}
