//! The weights of a model from a file's bytes, as they come: each group of eight rows is
//! packed as soon as it has arrived, and no tensor is held twice.

use super::config::Config;
use super::weights::{self, Tensors, Weights};
use crate::gguf::{Header, TensorInfo};
use crate::kernels::PANEL_ROWS;
use crate::kv_cache::{KvCache, KvType};
use crate::quant::{self, Packed};
use crate::{Error, Result};
use std::collections::VecDeque;

/// Reads a model's tensors in the order of the file.
pub(crate) struct WeightsReader {
    config: Config,
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
            plan: weights::plan(header, &config)?.into(),
            config,
            matrix: None,
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
        for tensor in &self.plan {
            match bytes.iter_mut().find(|(name, _)| *name == tensor.dtype.name()) {
                Some((_, n)) => *n += tensor.n_bytes,
                None => bytes.push((tensor.dtype.name(), tensor.n_bytes)),
            }
        }
        bytes.into_iter().max_by_key(|(_, n)| *n).map_or_else(String::new, |(name, _)| name.into())
    }

    /// Bytes that the weights will take, and those of a KV cache of `context` positions.
    pub(crate) fn memory(&self, kv_type: KvType, context: usize) -> (u64, u64) {
        let Config { n_layers, n_kv_heads, head_dim, .. } = self.config;
        let kv_cache = KvCache::bytes_for(kv_type, n_layers, n_kv_heads, head_dim, context);
        (self.plan.iter().map(packed_bytes).fold(0, u64::saturating_add), kv_cache)
    }

    /// Bytes of the largest tensor in memory, which is one allocation.
    pub(crate) fn largest(&self) -> u64 {
        self.plan.iter().map(packed_bytes).max().unwrap_or(0)
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

/// Bytes that a tensor will take.
fn packed_bytes(tensor: &TensorInfo) -> u64 {
    match (&tensor.dims[..], quant::layout_of(tensor.dtype)) {
        (&[n_cols, n_rows], Some(layout)) => Packed::bytes_for(layout, n_rows, n_cols),
        _ => tensor.n_elements().saturating_mul(4),
    }
}
