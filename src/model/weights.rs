//! The weights of a decoder.

use super::config::{Config, DeltaNet, Mixer as MixerKind, Norm, NormPlace, QkNorm, Residual};
use super::plan::in_layer;
use crate::ops::Forms;
use crate::quant::Packed;
use crate::{Error, Result};
use std::collections::HashMap;

/// All weights.
pub(crate) struct Weights {
    /// `[n_vocab, n_embd]`
    pub(crate) embedding: Packed,
    /// `[n_ctx_train, n_embd]`
    pub(crate) positions: Option<Packed>,
    /// One for each layer.
    pub(crate) layers: Vec<Layer>,
    /// Before the head.
    pub(crate) output_norm: NormWeights,
    /// `[n_vocab, n_embd]`; the embedding where it is absent (tied).
    pub(crate) output: Option<Packed>,
    /// `[n_vocab]`
    pub(crate) output_bias: Option<Vec<f32>>,
    /// `[rope_dim / 2]`
    pub(crate) rope_factors: RopeFactors,
    /// Bytes of all matrices.
    n_bytes: usize,
}

/// Factors of the frequencies of [`Config::ropes`]'s first.
#[derive(Default)]
pub(crate) struct RopeFactors {
    /// For any context.
    pub(crate) any: Option<Vec<f32>>,
    /// For contexts longer than the original one.
    pub(crate) long: Option<Vec<f32>>,
    /// For others.
    pub(crate) short: Option<Vec<f32>>,
}

/// The weights of one layer.
pub(crate) struct Layer {
    /// Before the mixer.
    pub(crate) mixer_norm: Option<NormWeights>,
    /// What mixes the tokens.
    pub(crate) mixer: Mixer,
    /// After the mixer.
    pub(crate) mixer_post_norm: Option<NormWeights>,
    /// Before the feed-forward layer.
    pub(crate) ffn_norm: Option<NormWeights>,
    /// The feed-forward layer.
    pub(crate) ffn: FeedForward,
    /// After the feed-forward layer.
    pub(crate) ffn_post_norm: Option<NormWeights>,
}

/// What mixes the tokens of a layer.
pub(crate) enum Mixer {
    /// Attention.
    Attention(AttentionWeights),
    /// A short convolution.
    ShortConv(ShortConvWeights),
    /// A gated delta net.
    DeltaNet(DeltaNetWeights),
}

/// The weights of a short convolution.
pub(crate) struct ShortConvWeights {
    /// Which of the states is its own.
    pub(crate) state: usize,
    /// Gate before, gate after, and what they gate: `[3 · n_embd, n_embd]`
    pub(crate) input: Product,
    /// `[taps, n_embd]`
    pub(crate) taps: Vec<f32>,
    /// `[n_embd, n_embd]`
    pub(crate) output: Product,
}

/// The weights of a gated delta net.
pub(crate) struct DeltaNetWeights {
    /// Which of the states is its own.
    pub(crate) state: usize,
    /// Queries, keys and values: `[qkv_width, n_embd]`
    pub(crate) qkv: Product,
    /// `[value_width, n_embd]`
    pub(crate) gate: Product,
    /// How much of a value is learnt, and how long it is kept: `[n_v_heads, n_embd]`
    pub(crate) beta: Product,
    /// As `beta`.
    pub(crate) alpha: Product,
    /// `[taps, qkv_width]`
    pub(crate) taps: Vec<f32>,
    /// What α is multiplied by: `[n_v_heads]`
    pub(crate) decay: Vec<f32>,
    /// What is added to it before: `[n_v_heads]`
    pub(crate) decay_bias: Vec<f32>,
    /// Of a head's result: `[head_dim]`
    pub(crate) norm: Vec<f32>,
    /// `[n_embd, value_width]`
    pub(crate) output: Product,
}

/// The weights of attention.
pub(crate) struct AttentionWeights {
    /// Which of the cache's layers is its own.
    pub(crate) cache: usize,
    /// `[n_heads · head_dim, n_embd]`
    pub(crate) q: Product,
    /// `[n_kv_heads · head_dim, n_embd]`
    pub(crate) k: Product,
    /// `[n_kv_heads · head_dim, n_embd]`
    pub(crate) v: Product,
    /// `[n_heads · head_dim, n_embd]`
    pub(crate) gate: Option<Product>,
    /// `[head_dim]`, or more: see [`QkNorm`].
    pub(crate) q_norm: Option<Vec<f32>>,
    /// As `q_norm`.
    pub(crate) k_norm: Option<Vec<f32>>,
    /// `[n_embd, n_heads · head_dim]`
    pub(crate) o: Product,
}

/// A feed-forward layer.
pub(crate) enum FeedForward {
    /// One for all tokens.
    Dense(DenseWeights),
    /// One of several, for each token.
    Experts(ExpertsWeights),
}

/// The weights of a feed-forward layer.
pub(crate) struct DenseWeights {
    /// `[n_ff, n_embd]`
    pub(crate) gate: Option<Product>,
    /// `[n_ff, n_embd]`
    pub(crate) up: Product,
    /// `[n_embd, n_ff]`
    pub(crate) down: Product,
}

/// The weights of experts.
pub(crate) struct ExpertsWeights {
    /// `[n_experts, n_embd]`
    pub(crate) router: Packed,
    /// Gate and up `[n_ff, n_embd]`, and down `[n_embd, n_ff]`, of each.
    pub(crate) experts: Vec<[Packed; 3]>,
}

/// A matrix, and what is added to its product.
pub(crate) struct Product {
    /// `[n_rows, n_cols]`
    pub(crate) weights: Packed,
    /// `[n_rows]`
    pub(crate) bias: Option<Vec<f32>>,
}

/// A norm.
#[derive(Clone)]
pub(crate) struct NormWeights {
    /// `[n_embd]`
    pub(crate) weight: Vec<f32>,
    /// `[n_embd]`
    pub(crate) bias: Option<Vec<f32>>,
}

impl AttentionWeights {
    /// Forms of the input of q, k, v and the gate.
    pub(crate) fn input_forms(&self) -> Forms {
        let all = [Some(&self.q), Some(&self.k), Some(&self.v), self.gate.as_ref()];
        Forms::of(all.into_iter().flatten().map(|p| p.weights.layout()))
    }
}

impl DeltaNetWeights {
    /// Forms of the input of all but the last product.
    pub(crate) fn input_forms(&self) -> Forms {
        let all = [&self.qkv, &self.gate, &self.beta, &self.alpha];
        Forms::of(all.map(|p| p.weights.layout()))
    }
}

impl DenseWeights {
    /// Forms of the input of gate and up.
    pub(crate) fn input_forms(&self) -> Forms {
        let both = [Some(&self.up), self.gate.as_ref()];
        Forms::of(both.into_iter().flatten().map(|p| p.weights.layout()))
    }

    /// Gate and up, if there are both and nothing is added to their products.
    pub(crate) fn plain_gate_up(&self) -> Option<[&Packed; 2]> {
        let gate = self.gate.as_ref()?;
        let plain = gate.bias.is_none() && self.up.bias.is_none();
        plain.then_some([&gate.weights, &self.up.weights])
    }
}

impl Product {
    /// Forms of its input.
    pub(crate) fn input_forms(&self) -> Forms {
        Forms::of([self.weights.layout()])
    }

    /// Its bias.
    pub(crate) fn bias(&self) -> Option<&[f32]> {
        self.bias.as_deref()
    }
}

impl Weights {
    /// The matrix that turns the last hidden state into logits.
    pub(crate) fn head(&self) -> &Packed {
        self.output.as_ref().unwrap_or(&self.embedding)
    }

    /// Bytes in memory.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Takes the tensors of a plan, all of them read.
    pub(super) fn assemble(config: &Config, mut tensors: Tensors) -> Result<Weights> {
        let n_bytes = tensors.matrices.values().map(Packed::n_bytes).sum();
        let mut layers = Vec::with_capacity(config.layers.len());
        let (mut n_attention, mut n_recurrent) = (0, 0);
        for (i, layer) in config.layers.iter().enumerate() {
            let mixer = match layer.mixer {
                MixerKind::Attention => {
                    n_attention += 1;
                    Mixer::Attention(tensors.attention(config, i, n_attention - 1)?)
                }
                MixerKind::ShortConv { taps } => {
                    n_recurrent += 1;
                    Mixer::ShortConv(tensors.short_conv(i, taps, n_recurrent - 1)?)
                }
                MixerKind::DeltaNet(shape) => {
                    n_recurrent += 1;
                    Mixer::DeltaNet(tensors.delta_net(i, shape, n_recurrent - 1)?)
                }
            };
            layers.push(tensors.layer(config, i, mixer)?);
        }
        Ok(Weights {
            embedding: tensors.matrix("token_embd.weight")?,
            positions: tensors.matrices.remove("position_embd.weight"),
            layers,
            output_norm: tensors.norm(config, config.tensors.output_norm)?,
            output: tensors.matrices.remove("output.weight"),
            output_bias: tensors.vectors.remove("output.bias"),
            rope_factors: RopeFactors {
                any: tensors.vectors.remove("rope_freqs.weight"),
                long: tensors.vectors.remove("rope_factors_long.weight"),
                short: tensors.vectors.remove("rope_factors_short.weight"),
            },
            n_bytes,
        })
    }
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

    fn product(&mut self, layer: usize, name: &str) -> Result<Product> {
        let weights = self.matrix(&in_layer(layer, &format!("{name}.weight")))?;
        let bias = self.vectors.remove(&in_layer(layer, &format!("{name}.bias")));
        Ok(Product { weights, bias })
    }

    fn norm(&mut self, config: &Config, name: &str) -> Result<NormWeights> {
        let weight = self.vector(&format!("{name}.weight"))?;
        let bias = match config.norm {
            Norm::Rms => None,
            Norm::Layer => Some(self.vector(&format!("{name}.bias"))?),
        };
        Ok(NormWeights { weight, bias })
    }

    fn layer(&mut self, config: &Config, i: usize, mixer: Mixer) -> Result<Layer> {
        let mut norm = |there: bool, name: &str| match there {
            true => self.norm(config, &in_layer(i, name)).map(Some),
            false => Ok(None),
        };
        let before = config.norm_place != NormPlace::After;
        let after = config.norm_place != NormPlace::Before;
        let mixer_norm = norm(before, "attn_norm")?;
        let ffn_norm = match config.residual {
            Residual::ParallelOneNorm => mixer_norm.clone(),
            _ => norm(before, config.tensors.ffn_norm)?,
        };
        Ok(Layer {
            mixer_norm,
            mixer,
            mixer_post_norm: norm(after, "post_attention_norm")?,
            ffn_norm,
            ffn_post_norm: norm(after, "post_ffw_norm")?,
            ffn: match config.experts {
                Some(experts) => FeedForward::Experts(self.experts(i, experts.n)?),
                None => FeedForward::Dense(DenseWeights {
                    gate: config.gated.then(|| self.product(i, "ffn_gate")).transpose()?,
                    up: self.product(i, "ffn_up")?,
                    down: self.product(i, "ffn_down")?,
                }),
            },
        })
    }

    fn attention(&mut self, config: &Config, i: usize, cache: usize) -> Result<AttentionWeights> {
        let gate = config.query_gate.then(|| self.product(i, "attn_q_gate")).transpose()?;
        let mut norm = |name: &str| match config.qk_norm {
            QkNorm::None => Ok(None),
            _ => self.vector(&in_layer(i, name)).map(Some),
        };
        Ok(AttentionWeights {
            cache,
            q_norm: norm("attn_q_norm.weight")?,
            k_norm: norm("attn_k_norm.weight")?,
            q: self.product(i, "attn_q")?,
            k: self.product(i, "attn_k")?,
            v: self.product(i, "attn_v")?,
            gate,
            o: self.product(i, "attn_output")?,
        })
    }

    /// A convolution's weights, from `[channels, taps]` to `[taps, channels]`.
    fn taps(&mut self, name: &str, n: usize) -> Result<Vec<f32>> {
        let weights = self.vector(name)?;
        Ok((0..n).flat_map(|tap| weights.iter().skip(tap).step_by(n).copied()).collect())
    }

    fn short_conv(&mut self, i: usize, taps: usize, state: usize) -> Result<ShortConvWeights> {
        Ok(ShortConvWeights {
            state,
            input: self.product(i, "shortconv.in_proj")?,
            taps: self.taps(&in_layer(i, "shortconv.conv.weight"), taps)?,
            output: self.product(i, "shortconv.out_proj")?,
        })
    }

    fn delta_net(&mut self, i: usize, shape: DeltaNet, state: usize) -> Result<DeltaNetWeights> {
        Ok(DeltaNetWeights {
            state,
            qkv: self.product(i, "attn_qkv")?,
            gate: self.product(i, "attn_gate")?,
            beta: self.product(i, "ssm_beta")?,
            alpha: self.product(i, "ssm_alpha")?,
            taps: self.taps(&in_layer(i, "ssm_conv1d.weight"), shape.taps)?,
            decay: self.vector(&in_layer(i, "ssm_a"))?,
            decay_bias: self.vector(&in_layer(i, "ssm_dt.bias"))?,
            norm: self.vector(&in_layer(i, "ssm_norm.weight"))?,
            output: self.product(i, "ssm_out")?,
        })
    }

    fn experts(&mut self, i: usize, n: usize) -> Result<ExpertsWeights> {
        let router = self.matrix(&in_layer(i, "ffn_gate_inp.weight"))?;
        let mut of =
            |e: usize, name: &str| self.matrix(&in_layer(i, &format!("{name}.weight.{e}")));
        let experts = (0..n)
            .map(|e| Ok([of(e, "ffn_gate_exps")?, of(e, "ffn_up_exps")?, of(e, "ffn_down_exps")?]))
            .collect::<Result<_>>()?;
        Ok(ExpertsWeights { router, experts })
    }
}
