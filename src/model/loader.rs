//! From a file's bytes, as they come, to an engine. No layer ever holds the whole file:
//! the header is read as soon as it is complete, and each group of eight rows is packed
//! as soon as it has arrived.

use super::config::Config;
use super::forward::Forward;
use super::weights::{self, Tensors, Weights};
use crate::chat::ChatTemplate;
use crate::gguf::{Header, Parsed, TensorInfo};
use crate::kernels::PANEL_ROWS;
use crate::quant::{self, Packed};
use crate::session::{About, Engine};
use crate::team::Team;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
use std::collections::VecDeque;

/// How to run a model.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Positions of the KV cache, [`DEFAULT_CONTEXT`] by default; at most those that the
    /// model was trained for.
    pub context: Option<usize>,
    /// Threads, this one among them.
    pub threads: usize,
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
    Tensors(Box<Reading>),
}

/// What is known once the header is read.
struct Reading {
    config: Config,
    parts: Parts,
    file_len: u64,
    data_offset: u64,
    /// Tensors still to come, in file order.
    plan: VecDeque<TensorInfo>,
    /// The matrix that is being filled, and its next panel.
    matrix: Option<(Packed, usize)>,
    /// Rows of the next panel as far as they have arrived, or a vector.
    pending: Vec<u8>,
    tensors: Tensors,
}

/// What the engine needs of the metadata.
struct Parts {
    about: About,
    tokenizer: Tokenizer,
    template: ChatTemplate,
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
            let rest = (data.saturating_sub(before)).min(bytes.len());
            bytes = &bytes[rest..];
            self.stage = Stage::Tensors(Box::new(Reading::new(&header)?));
        }
        let position = self.received - bytes.len() as u64;
        match &mut self.stage {
            Stage::Tensors(reading) => reading.push(position, bytes),
            Stage::Header { .. } => Ok(()),
        }
    }

    /// The file's length as its header tells it, once the header is there.
    pub fn file_len(&self) -> Option<u64> {
        match &self.stage {
            Stage::Header { .. } => None,
            Stage::Tensors(reading) => Some(reading.file_len),
        }
    }

    /// The engine, all tensors being there.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::OutOfMemory`].
    pub fn finish(self) -> Result<Engine> {
        let reading = match self.stage {
            Stage::Tensors(reading) if reading.plan.is_empty() => *reading,
            Stage::Tensors(reading) => {
                return Err(Error::Truncated { need: reading.file_len, have: self.received });
            }
            Stage::Header { at_least, .. } => {
                let need = at_least.max(self.received + 1);
                return Err(Error::Truncated { need, have: self.received });
            }
        };
        let Reading { config, parts, tensors, .. } = reading;
        let context = context(&config, self.options.context)?;
        let weights = Weights::assemble(&config, tensors)?;
        let forward = Forward::new(config, weights, context, Team::new(self.options.threads))?;
        Ok(Engine::new(forward, context, parts.tokenizer, parts.template, parts.about))
    }
}

/// The context to allocate: never longer than the model was trained for.
pub(super) fn context(config: &Config, asked: Option<usize>) -> Result<usize> {
    match asked {
        Some(0) => Err(Error::BadRequest { what: "`context` is 0".into() }),
        asked => Ok(asked.unwrap_or(DEFAULT_CONTEXT).min(config.n_ctx_train)),
    }
}

impl Reading {
    fn new(header: &Header) -> Result<Reading> {
        let config = Config::from_header(header)?;
        let plan = weights::plan(header, &config)?;
        let tokenizer = Tokenizer::from_gguf(&header.metadata)?;
        let template = ChatTemplate::from_gguf(&header.metadata, &tokenizer)?;
        let parts = Parts {
            about: About {
                name: header.metadata.opt_str("general.name")?.map(str::to_string),
                quantization: quantization(&plan),
                parameters: header.tensors.iter().map(TensorInfo::n_elements).sum(),
            },
            template: template.unwrap_or_else(ChatTemplate::plain),
            tokenizer,
        };
        let file_len = header.file_len();
        let data_offset = header.data_offset;
        Ok(Reading {
            config,
            parts,
            file_len,
            data_offset,
            plan: plan.into(),
            matrix: None,
            pending: Vec::new(),
            tensors: Tensors::default(),
        })
    }

    /// Takes bytes that stand at `position` of the file.
    fn push(&mut self, mut position: u64, mut bytes: &[u8]) -> Result<()> {
        while let Some(tensor) = self.plan.front() {
            let start = self.data_offset + tensor.offset;
            let end = start + tensor.n_bytes;
            let skip = start.saturating_sub(position).min(bytes.len() as u64);
            (position, bytes) = (position + skip, &bytes[skip as usize..]);
            if bytes.is_empty() {
                break;
            }
            let n = (end - position).min(bytes.len() as u64);
            let (own, rest) = bytes.split_at(n as usize);
            (position, bytes) = (position + n, rest);
            self.take(own, position == end)?;
        }
        Ok(())
    }

    /// Takes bytes of the tensor at hand; `last` with its last ones.
    fn take(&mut self, mut bytes: &[u8], last: bool) -> Result<()> {
        // `push` calls this for a tensor of the plan only.
        let Some(tensor) = self.plan.front() else { return Ok(()) };
        let &[n_cols, n_rows] = &tensor.dims[..] else {
            self.pending.extend_from_slice(bytes);
            if last {
                let len = tensor.n_elements() as usize;
                let values = quant::to_f32(tensor.dtype, &self.pending, len)?;
                self.tensors.vectors.insert(tensor.name.clone(), values);
                self.next_tensor();
            }
            return Ok(());
        };
        if self.matrix.is_none() {
            let layout = quant::layout_of(tensor.dtype)
                .ok_or_else(|| Error::Internal { what: "an unplanned type".into() })?;
            self.matrix = Some((Packed::zeroed(layout, n_rows as usize, n_cols as usize)?, 0));
        }
        let Some((matrix, panel)) = &mut self.matrix else { return Ok(()) };
        let row_bytes = (tensor.n_bytes / n_rows) as usize;
        let group = PANEL_ROWS * row_bytes;
        if !self.pending.is_empty() {
            let missing = (group - self.pending.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(missing);
            self.pending.extend_from_slice(head);
            bytes = rest;
            if self.pending.len() == group {
                matrix.pack_panel(tensor.dtype, *panel, &self.pending)?;
                *panel += 1;
                self.pending.clear();
            }
        }
        while bytes.len() >= group {
            let (rows, rest) = bytes.split_at(group);
            matrix.pack_panel(tensor.dtype, *panel, rows)?;
            *panel += 1;
            bytes = rest;
        }
        self.pending.extend_from_slice(bytes);
        if last {
            if !self.pending.is_empty() {
                matrix.pack_panel(tensor.dtype, *panel, &self.pending)?;
            }
            if let Some((matrix, _)) = self.matrix.take() {
                self.tensors.matrices.insert(tensor.name.clone(), matrix);
            }
            self.next_tensor();
        }
        Ok(())
    }

    fn next_tensor(&mut self) {
        self.plan.pop_front();
        self.pending.clear();
    }
}

/// The type that most weights have, by bytes.
fn quantization(plan: &[TensorInfo]) -> String {
    let mut bytes: Vec<(&str, u64)> = Vec::new();
    for tensor in plan {
        match bytes.iter_mut().find(|(name, _)| *name == tensor.dtype.name()) {
            Some((_, n)) => *n += tensor.n_bytes,
            None => bytes.push((tensor.dtype.name(), tensor.n_bytes)),
        }
    }
    bytes.into_iter().max_by_key(|(_, n)| *n).map_or_else(String::new, |(name, _)| name.into())
}
