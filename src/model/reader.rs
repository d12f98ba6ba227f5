//! The weights of a model from a file's bytes, as they come: each group of eight rows is
//! packed as soon as it has arrived, and no tensor is held twice.

use super::config::Config;
use super::plan::{self, Parts, TensorPlan};
use super::weights::{Tensors, Weights};
use crate::gguf::{GgmlType, Header};
use crate::kernels::PANEL_ROWS;
use crate::kv_cache::KvType;
use crate::quant::{self, Packed};
use crate::{Error, Result};
use std::collections::VecDeque;

/// Reads a model's tensors in the order of the file.
pub(crate) struct WeightsReader {
    config: Config,
    file_len: u64,
    data_offset: u64,
    /// Tensors still to come, in file order.
    plan: VecDeque<TensorPlan>,
    /// The matrices that are being filled.
    matrices: Option<Filling>,
    /// Rows of the next panel as far as they have arrived, or a vector.
    pending: Vec<u8>,
    tensors: Tensors,
}

impl WeightsReader {
    /// Plans which tensors to read.
    ///
    /// # Errors
    /// Everything that makes the file unusable, as far as its header tells.
    pub(crate) fn new(header: &Header) -> Result<WeightsReader> {
        let config = Config::from_header(header)?;
        Ok(WeightsReader {
            file_len: header.file_len(),
            data_offset: header.data_offset,
            plan: plan::plan(header, &config)?.into(),
            config,
            matrices: None,
            pending: Vec::new(),
            tensors: Tensors::default(),
        })
    }

    /// The model's shapes.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The file's length as its header tells it.
    pub(crate) fn file_len(&self) -> u64 {
        self.file_len
    }

    /// The GGML type that most weights have, by bytes. To be asked before the first push.
    pub(crate) fn quantization(&self) -> String {
        let mut bytes: Vec<(&str, u64)> = Vec::new();
        for TensorPlan { info: tensor, .. } in &self.plan {
            match bytes.iter_mut().find(|(name, _)| *name == tensor.dtype.name()) {
                Some((_, n)) => *n += tensor.n_bytes,
                None => bytes.push((tensor.dtype.name(), tensor.n_bytes)),
            }
        }
        bytes.into_iter().max_by_key(|(_, n)| *n).map_or_else(String::new, |(name, _)| name.into())
    }

    /// Bytes that the weights will take, and those of a KV cache of `context` positions.
    pub(crate) fn memory(&self, kv_type: KvType, context: usize) -> (u64, u64) {
        let weights = self.plan.iter().map(TensorPlan::n_bytes).fold(0, u64::saturating_add);
        (weights, self.config.cache_bytes(kv_type, context))
    }

    /// Bytes of the largest piece of memory that the weights will take.
    pub(crate) fn largest(&self) -> u64 {
        self.plan.iter().map(TensorPlan::largest).max().unwrap_or(0)
    }

    /// The weights, all tensors being there.
    ///
    /// # Errors
    /// [`Error::MissingTensor`].
    pub(crate) fn finish(self) -> Result<(Config, Weights)> {
        let weights = Weights::assemble(&self.config, self.tensors)?;
        Ok((self.config, weights))
    }

    /// Takes bytes that stand at `position` of the file.
    pub(crate) fn push(&mut self, mut position: u64, mut bytes: &[u8]) -> Result<()> {
        while let Some(TensorPlan { info: tensor, .. }) = self.plan.front() {
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
        let dtype = tensor.info.dtype;
        let parts = match &tensor.parts {
            Parts::Vectors(parts) => {
                self.pending.extend_from_slice(bytes);
                if last {
                    let len = tensor.info.n_elements() as usize;
                    let values = quant::to_f32(dtype, &self.pending, len)?;
                    let mut rest = &values[..];
                    for (name, n) in std::iter::repeat_n(parts, tensor.turns() as usize).flatten() {
                        let (part, after) = rest.split_at(*n as usize);
                        self.tensors.vectors.entry(name.clone()).or_default().extend(part);
                        rest = after;
                    }
                    self.next_tensor();
                }
                return Ok(());
            }
            Parts::Matrices(parts) => parts,
        };
        let (n_rows, n_cols) = tensor.rows();
        let matrices = match &mut self.matrices {
            Some(matrices) => matrices,
            none => none.insert(Filling::new(parts, dtype, tensor.turns(), n_cols)?),
        };
        let group = PANEL_ROWS * (tensor.info.n_bytes / n_rows) as usize;
        if !self.pending.is_empty() {
            let missing = (group - self.pending.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(missing);
            self.pending.extend_from_slice(head);
            bytes = rest;
            if self.pending.len() == group {
                matrices.pack(dtype, &self.pending)?;
                self.pending.clear();
            }
        }
        while bytes.len() >= group {
            let (rows, rest) = bytes.split_at(group);
            matrices.pack(dtype, rows)?;
            bytes = rest;
        }
        self.pending.extend_from_slice(bytes);
        if last {
            if !self.pending.is_empty() {
                matrices.pack(dtype, &self.pending)?;
            }
            if let Some(filling) = self.matrices.take() {
                let packed = filling.parts.into_iter().map(|part| (part.name, part.matrix));
                self.tensors.matrices.extend(packed);
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

/// The matrices that one tensor becomes.
struct Filling {
    parts: Vec<Part>,
    /// The part whose turn it is, and the panels it takes until the next one's.
    at: usize,
    left: u64,
}

struct Part {
    name: String,
    matrix: Packed,
    /// Panels at a turn. Where there are several parts, theirs are whole.
    panels: u64,
    next_panel: usize,
}

impl Filling {
    fn new(parts: &[(String, u64)], dtype: GgmlType, turns: u64, n_cols: u64) -> Result<Filling> {
        let layout = quant::layout_of(dtype)
            .ok_or_else(|| Error::Internal { what: "an unplanned type".into() })?;
        let part = |(name, rows): &(String, u64)| {
            let matrix = Packed::zeroed(layout, (turns * rows) as usize, n_cols as usize)?;
            let panels = rows.div_ceil(PANEL_ROWS as u64);
            Ok(Part { name: name.clone(), matrix, panels, next_panel: 0 })
        };
        let parts = parts.iter().map(part).collect::<Result<Vec<_>>>()?;
        Ok(Filling { left: parts[0].panels, parts, at: 0 })
    }

    /// Packs the tensor's next rows, those of a panel.
    fn pack(&mut self, dtype: GgmlType, rows: &[u8]) -> Result<()> {
        if self.left == 0 {
            self.at = (self.at + 1) % self.parts.len();
            self.left = self.parts[self.at].panels;
        }
        self.left -= 1;
        let part = &mut self.parts[self.at];
        part.next_panel += 1;
        part.matrix.pack_panel(dtype, part.next_panel - 1, rows)
    }
}
