//! The weights of a decoder, and how a file's tensors become them.

use super::config::{Config, unsupported};
use super::llama;
use crate::gguf::{Header, TensorInfo};
use crate::ops::Forms;
use crate::quant::{self, Packed};
use crate::{Error, Result};
use std::collections::HashMap;

/// All weights.
pub(crate) struct Weights {
    /// `[n_vocab, n_embd]`
    pub(crate) embedding: Packed,
    /// One for each layer.
    pub(crate) layers: Vec<Layer>,
    /// `[n_embd]`
    pub(crate) output_norm: Vec<f32>,
    /// `[n_vocab, n_embd]`; the embedding where it is absent (tied).
    pub(crate) output: Option<Packed>,
    /// `[rope_dim / 2]`
    pub(crate) rope_factors: Option<Vec<f32>>,
}

/// The weights of one layer.
pub(crate) struct Layer {
    /// `[n_embd]`
    pub(crate) attn_norm: Vec<f32>,
    /// `[n_heads · head_dim, n_embd]`
    pub(crate) q: Packed,
    /// `[n_kv_heads · head_dim, n_embd]`
    pub(crate) k: Packed,
    /// `[n_kv_heads · head_dim, n_embd]`
    pub(crate) v: Packed,
    /// `[n_embd, n_heads · head_dim]`
    pub(crate) o: Packed,
    /// `[n_embd]`
    pub(crate) ffn_norm: Vec<f32>,
    /// `[n_ff, n_embd]`
    pub(crate) gate: Packed,
    /// `[n_ff, n_embd]`
    pub(crate) up: Packed,
    /// `[n_embd, n_ff]`
    pub(crate) down: Packed,
}

impl Layer {
    /// Forms of the input of q, k and v.
    pub(crate) fn qkv_forms(&self) -> Forms {
        Forms::of([self.q.layout(), self.k.layout(), self.v.layout()])
    }

    /// Forms of the input of gate and up.
    pub(crate) fn ffn_forms(&self) -> Forms {
        Forms::of([self.gate.layout(), self.up.layout()])
    }
}

impl Weights {
    /// The matrix that turns the last hidden state into logits.
    pub(crate) fn head(&self) -> &Packed {
        self.output.as_ref().unwrap_or(&self.embedding)
    }

    /// Bytes in memory.
    pub(crate) fn n_bytes(&self) -> usize {
        let layers = self.layers.iter().map(|l| {
            let matrices = [&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down];
            matrices.iter().map(|m| m.n_bytes()).sum::<usize>()
        });
        let output = self.output.as_ref().map_or(0, Packed::n_bytes);
        self.embedding.n_bytes() + layers.sum::<usize>() + output
    }

    /// Takes the tensors of a plan, all of them read.
    pub(super) fn assemble(config: &Config, mut tensors: Tensors) -> Result<Weights> {
        let mut layers = Vec::with_capacity(config.n_layers);
        for i in 0..config.n_layers {
            let name = |part: &str| format!("blk.{i}.{part}.weight");
            layers.push(Layer {
                attn_norm: tensors.vector(&name("attn_norm"))?,
                q: tensors.matrix(&name("attn_q"))?,
                k: tensors.matrix(&name("attn_k"))?,
                v: tensors.matrix(&name("attn_v"))?,
                o: tensors.matrix(&name("attn_output"))?,
                ffn_norm: tensors.vector(&name("ffn_norm"))?,
                gate: tensors.matrix(&name("ffn_gate"))?,
                up: tensors.matrix(&name("ffn_up"))?,
                down: tensors.matrix(&name("ffn_down"))?,
            });
        }
        Ok(Weights {
            embedding: tensors.matrix("token_embd.weight")?,
            layers,
            output_norm: tensors.vector("output_norm.weight")?,
            output: tensors.matrices.remove("output.weight"),
            rope_factors: tensors.vectors.remove("rope_freqs.weight"),
        })
    }
}

/// A tensor that an architecture reads.
#[derive(Clone, Debug)]
pub(super) struct TensorPlan {
    /// Its name in the file.
    name: String,
    /// GGUF order: columns first.
    dims: Vec<u64>,
    required: bool,
}

impl TensorPlan {
    pub(super) fn matrix(name: impl Into<String>, n_cols: u64, n_rows: u64) -> TensorPlan {
        TensorPlan { name: name.into(), dims: vec![n_cols, n_rows], required: true }
    }

    pub(super) fn vector(name: impl Into<String>, len: u64) -> TensorPlan {
        TensorPlan { name: name.into(), dims: vec![len], required: true }
    }

    pub(super) fn optional(self) -> TensorPlan {
        TensorPlan { required: false, ..self }
    }
}

/// The tensors to read, in the order of the file.
///
/// # Errors
/// Everything that makes the file unusable, before any weight is read:
/// [`Error::MissingTensor`], [`Error::WrongShape`], [`Error::UnsupportedType`], and
/// [`Error::UnsupportedArchitecture`] for a layer's tensor that the forward pass would
/// ignore.
pub(super) fn plan(header: &Header, config: &Config) -> Result<Vec<TensorInfo>> {
    let expected = llama::tensors(config);
    let mut found = Vec::with_capacity(expected.len());
    for TensorPlan { name, dims, required } in &expected {
        let Some(info) = header.tensor(name) else {
            if *required {
                return Err(Error::MissingTensor { tensor: name.clone() });
            }
            continue;
        };
        if info.dims != *dims {
            return Err(Error::WrongShape {
                tensor: name.clone(),
                found: info.dims.clone(),
                expected: dims.clone(),
            });
        }
        if quant::layout_of(info.dtype).is_none() {
            return Err(Error::UnsupportedType {
                tensor: name.clone(),
                dtype: info.dtype.to_string(),
                supported: quant::SUPPORTED.into(),
            });
        }
        found.push(info.clone());
    }
    let known: std::collections::HashSet<&str> = expected.iter().map(|t| t.name.as_str()).collect();
    let ignored = |t: &&TensorInfo| t.name.starts_with("blk.") && !known.contains(t.name.as_str());
    if let Some(tensor) = header.tensors.iter().find(ignored) {
        return Err(unsupported(format!("{} with tensor {}", config.architecture, tensor.name)));
    }
    found.sort_by_key(|t| t.offset);
    Ok(found)
}

/// Tensors as they come out of a file.
#[derive(Default)]
pub(super) struct Tensors {
    pub(super) matrices: HashMap<String, Packed>,
    pub(super) vectors: HashMap<String, Vec<f32>>,
}

impl Tensors {
    fn matrix(&mut self, name: &str) -> Result<Packed> {
        self.matrices.remove(name).ok_or_else(|| Error::MissingTensor { tensor: name.into() })
    }

    fn vector(&mut self, name: &str) -> Result<Vec<f32>> {
        self.vectors.remove(name).ok_or_else(|| Error::MissingTensor { tensor: name.into() })
    }
}
