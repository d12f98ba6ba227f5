//! Which tensors a model has, by its configuration, and how they are read: some files hold
//! several matrices in one tensor.

use super::config::{Config, DeltaNet, Experts, Factors, Mixer, Norm, NormPlace, QkNorm, Residual};
use crate::gguf::{Header, TensorInfo};
use crate::quant::{self, Packed};
use crate::{Error, Result};
use std::collections::HashSet;

/// A tensor to be read.
#[derive(Clone, Debug)]
pub(super) struct TensorPlan {
    /// Where it is.
    pub(super) info: TensorInfo,
    /// What it becomes.
    pub(super) parts: Parts,
}

/// What a tensor becomes. The parts of a tensor take turns, as often as its length allows.
#[derive(Clone, Debug)]
pub(super) enum Parts {
    /// Vectors; each with its name and how many values it takes at a turn.
    Vectors(Vec<(String, u64)>),
    /// Matrices; each with its name and how many rows it takes at a turn.
    Matrices(Vec<(String, u64)>),
}

impl TensorPlan {
    /// Rows of `n_cols` values, for matrices.
    pub(super) fn rows(&self) -> (u64, u64) {
        let n_cols = self.info.dims.first().copied().unwrap_or(1);
        (self.info.n_elements() / n_cols.max(1), n_cols)
    }

    /// How often the parts take turns.
    pub(super) fn turns(&self) -> u64 {
        match &self.parts {
            Parts::Vectors(parts) => self.info.n_elements() / turn(parts),
            Parts::Matrices(parts) => self.rows().0 / turn(parts),
        }
    }

    /// Bytes that it takes in memory.
    pub(super) fn n_bytes(&self) -> u64 {
        self.pieces().into_iter().fold(0, u64::saturating_add)
    }

    /// Bytes of the largest matrix that it becomes, which is one allocation.
    pub(super) fn largest(&self) -> u64 {
        self.pieces().into_iter().max().unwrap_or(0)
    }

    /// Bytes of each matrix, or of the vectors.
    fn pieces(&self) -> Vec<u64> {
        let (Parts::Matrices(parts), Some(layout)) =
            (&self.parts, quant::layout_of(self.info.dtype))
        else {
            return vec![self.info.n_elements().saturating_mul(4)];
        };
        let (turns, (_, n_cols)) = (self.turns(), self.rows());
        parts.iter().map(|(_, rows)| Packed::bytes_for(layout, turns * rows, n_cols)).collect()
    }
}

fn turn(parts: &[(String, u64)]) -> u64 {
    parts.iter().map(|(_, n)| n).sum::<u64>().max(1)
}

/// The tensors to read, in the order of the file.
///
/// # Errors
/// Everything that makes the file unusable, before any weight is read:
/// [`Error::MissingTensor`], [`Error::WrongShape`], [`Error::UnsupportedType`], and
/// [`Error::UnsupportedVariant`] for a layer's tensor that the forward pass would
/// ignore.
pub(super) fn plan(header: &Header, config: &Config) -> Result<Vec<TensorPlan>> {
    let mut found = Vec::new();
    let mut known = HashSet::new();
    for Expected { name, dims, parts, required } in expected(header, config) {
        let Some(info) = header.tensor(&name) else {
            if required {
                return Err(Error::MissingTensor { tensor: name });
            }
            continue;
        };
        if without_ones(&info.dims) != without_ones(&dims) {
            return Err(Error::WrongShape {
                tensor: name,
                found: info.dims.clone(),
                expected: dims,
            });
        }
        if quant::layout_of(info.dtype).is_none() {
            return Err(Error::UnsupportedType {
                tensor: name,
                dtype: info.dtype.to_string(),
                supported: quant::SUPPORTED.into(),
            });
        }
        known.insert(name);
        found.push(TensorPlan { info: info.clone(), parts });
    }
    let ignored = |t: &&TensorInfo| is_of_a_layer(&t.name, config) && !known.contains(&t.name);
    if let Some(tensor) = header.tensors.iter().find(ignored) {
        return Err(Error::UnsupportedVariant {
            architecture: config.architecture.clone(),
            what: format!("has a tensor \"{}\"", tensor.name),
        });
    }
    found.sort_by_key(|t| t.info.offset);
    Ok(found)
}

/// Sizes of 1 at the end say nothing.
fn without_ones(dims: &[u64]) -> &[u64] {
    let n = dims.iter().rposition(|n| *n != 1).map_or(0, |last| last + 1);
    &dims[..n]
}

/// Whether a tensor is of a layer that runs. Layers behind them predict more than one token,
/// which nothing here asks for.
fn is_of_a_layer(name: &str, config: &Config) -> bool {
    let Some(rest) = name.strip_prefix("blk.") else { return false };
    let layer = rest.split('.').next().and_then(|i| i.parse::<usize>().ok());
    layer.is_none_or(|layer| layer < config.layers.len())
}

/// A tensor that an architecture reads.
struct Expected {
    /// Its name in the file.
    name: String,
    /// GGUF order: columns first.
    dims: Vec<u64>,
    parts: Parts,
    required: bool,
}

/// Tensors under way.
struct List<'a> {
    header: &'a Header,
    config: &'a Config,
    tensors: Vec<Expected>,
}

/// Everything that a configuration asks for.
fn expected(header: &Header, config: &Config) -> Vec<Expected> {
    let names = &config.tensors;
    let (d, vocab) = (config.n_embd as u64, config.n_vocab as u64);
    let mut list = List { header, config, tensors: Vec::new() };
    list.matrix("token_embd.weight", d, vocab, true);
    if names.positions {
        list.matrix("position_embd.weight", d, config.n_ctx_train as u64, true);
    }
    list.norm(names.output_norm);
    list.matrix("output.weight", d, vocab, names.output);
    list.vector("output.bias", &[vocab], false);
    // The file has one set of factors, for the first.
    if let Some(rope) = config.ropes.first() {
        let half = rope.shape.dim as u64 / 2;
        for name in factor_names(rope.factors) {
            list.vector(name, &[half], false);
        }
    }
    for (i, layer) in config.layers.iter().enumerate() {
        match layer.mixer {
            Mixer::Attention => list.attention(i),
            Mixer::ShortConv { taps } => list.short_conv(i, taps),
            Mixer::DeltaNet(shape) => list.delta_net(i, shape),
        }
        list.feed_forward(i);
    }
    list.tensors
}

fn factor_names(factors: Factors) -> &'static [&'static str] {
    match factors {
        Factors::Frequencies => &["rope_freqs.weight"],
        Factors::LongShort => &["rope_factors_long.weight", "rope_factors_short.weight"],
        Factors::None => &[],
    }
}

/// The name of a layer's tensor.
pub(super) fn in_layer(layer: usize, part: &str) -> String {
    format!("blk.{layer}.{part}")
}

impl List<'_> {
    fn push(&mut self, name: &str, dims: &[u64], parts: Parts, required: bool) {
        self.tensors.push(Expected { name: name.into(), dims: dims.into(), parts, required });
    }

    /// A vector, whatever its shape is in the file.
    fn vector(&mut self, name: &str, dims: &[u64], required: bool) {
        let parts = Parts::Vectors(vec![(name.into(), dims.iter().product())]);
        self.push(name, dims, parts, required);
    }

    fn matrix(&mut self, name: &str, n_cols: u64, n_rows: u64, required: bool) {
        let parts = Parts::Matrices(vec![(name.into(), n_rows)]);
        self.push(name, &[n_cols, n_rows], parts, required);
    }

    /// A norm's weight, and for layer norm its bias.
    fn norm(&mut self, name: &str) {
        let d = self.config.n_embd as u64;
        self.vector(&format!("{name}.weight"), &[d], true);
        if self.config.norm == Norm::Layer {
            self.vector(&format!("{name}.bias"), &[d], true);
        }
    }

    /// A product of a layer, of the input width `n_cols`, and its bias. Several parts lie one
    /// after the other, `turns` times.
    fn product(
        &mut self,
        layer: usize,
        name: &str,
        n_cols: usize,
        parts: &[(&str, usize)],
        turns: usize,
    ) {
        let rows = turns * parts.iter().map(|(_, n)| n).sum::<usize>();
        let of = |kind: &str| {
            let part =
                |(name, n): &(&str, usize)| (in_layer(layer, &format!("{name}.{kind}")), *n as u64);
            parts.iter().map(part).collect()
        };
        let dims = [n_cols as u64, rows as u64];
        let name = in_layer(layer, name);
        self.push(&format!("{name}.weight"), &dims, Parts::Matrices(of("weight")), true);
        let biases = self.config.tensors.biases;
        self.push(&format!("{name}.bias"), &dims[1..], Parts::Vectors(of("bias")), biases);
    }

    fn mixer_norm(&mut self, i: usize) {
        if self.config.norm_place != NormPlace::After {
            self.norm(&in_layer(i, "attn_norm"));
        }
    }

    fn short_conv(&mut self, i: usize, taps: usize) {
        let d = self.config.n_embd;
        self.mixer_norm(i);
        let dims = [taps as u64, d as u64];
        self.vector(&in_layer(i, "shortconv.conv.weight"), &dims, true);
        self.product(i, "shortconv.in_proj", d, &[("shortconv.in_proj", 3 * d)], 1);
        self.product(i, "shortconv.out_proj", d, &[("shortconv.out_proj", d)], 1);
    }

    fn delta_net(&mut self, i: usize, shape: DeltaNet) {
        let (d, width, heads) = (self.config.n_embd, shape.value_width(), shape.n_v_heads);
        self.mixer_norm(i);
        for (name, rows) in [
            ("attn_qkv", shape.qkv_width()),
            ("attn_gate", width),
            ("ssm_beta", heads),
            ("ssm_alpha", heads),
        ] {
            self.product(i, name, d, &[(name, rows)], 1);
        }
        self.product(i, "ssm_out", width, &[("ssm_out", d)], 1);
        let dims = [shape.taps as u64, shape.qkv_width() as u64];
        self.vector(&in_layer(i, "ssm_conv1d.weight"), &dims, true);
        self.vector(&in_layer(i, "ssm_a"), &[heads as u64], true);
        self.vector(&in_layer(i, "ssm_dt.bias"), &[heads as u64], true);
        self.vector(&in_layer(i, "ssm_norm.weight"), &[shape.head_dim as u64], true);
    }

    fn attention(&mut self, i: usize) {
        let config = self.config;
        let Config { n_embd, n_heads, n_kv_heads, head_dim, .. } = *config;
        let (q, kv) = (config.q_width(), config.kv_width());
        self.mixer_norm(i);
        if self.header.tensor(&in_layer(i, "attn_qkv.weight")).is_some() {
            let parts = [("attn_q", q), ("attn_k", kv), ("attn_v", kv)];
            self.product(i, "attn_qkv", n_embd, &parts, 1);
        } else {
            let query = [("attn_q", head_dim), ("attn_q_gate", head_dim)];
            match config.query_gate {
                true => self.product(i, "attn_q", n_embd, &query, n_heads),
                false => self.product(i, "attn_q", n_embd, &[("attn_q", q)], 1),
            }
            self.product(i, "attn_k", n_embd, &[("attn_k", kv)], 1);
            self.product(i, "attn_v", n_embd, &[("attn_v", kv)], 1);
        }
        self.product(i, "attn_output", q, &[("attn_output", n_embd)], 1);
        for (name, heads) in [("attn_q_norm.weight", n_heads), ("attn_k_norm.weight", n_kv_heads)] {
            let (head_dim, heads) = (head_dim as u64, heads as u64);
            match config.qk_norm {
                QkNorm::None => {}
                QkNorm::Heads => self.vector(&in_layer(i, name), &[head_dim], true),
                QkNorm::EachHead => self.vector(&in_layer(i, name), &[head_dim, heads], true),
                QkNorm::Whole => self.vector(&in_layer(i, name), &[head_dim * heads], true),
            }
        }
        if config.norm_place != NormPlace::Before {
            self.norm(&in_layer(i, "post_attention_norm"));
        }
    }

    fn feed_forward(&mut self, i: usize) {
        let config = self.config;
        let (d, ff) = (config.n_embd, config.n_ff);
        let (gate, up) = (("ffn_gate", ff), ("ffn_up", ff));
        let pre_norm = config.norm_place != NormPlace::After;
        if pre_norm && config.residual != Residual::ParallelOneNorm {
            self.norm(&in_layer(i, config.tensors.ffn_norm));
        }
        if let Some(Experts { n, .. }) = config.experts {
            self.matrix(&in_layer(i, "ffn_gate_inp.weight"), d as u64, n as u64, true);
            for (name, cols, rows) in
                [("ffn_gate_exps", d, ff), ("ffn_up_exps", d, ff), ("ffn_down_exps", ff, d)]
            {
                let name = in_layer(i, &format!("{name}.weight"));
                let parts = (0..n).map(|e| (format!("{name}.{e}"), rows as u64)).collect();
                let dims = [cols as u64, rows as u64, n as u64];
                self.push(&name, &dims, Parts::Matrices(parts), true);
            }
        } else {
            match (config.gated, config.tensors.fused_gate) {
                (true, true) => self.product(i, "ffn_up", d, &[gate, up], 1),
                (true, false) => {
                    self.product(i, "ffn_gate", d, &[gate], 1);
                    self.product(i, "ffn_up", d, &[up], 1);
                }
                (false, _) => self.product(i, "ffn_up", d, &[up], 1),
            }
            self.product(i, "ffn_down", ff, &[("ffn_down", d)], 1);
        }
        if config.norm_place != NormPlace::Before {
            self.norm(&in_layer(i, "post_ffw_norm"));
        }
    }
}
