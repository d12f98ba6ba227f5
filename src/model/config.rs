//! What the metadata says about a model, checked once. Architectures differ in these values;
//! `arch/` has a file for each that sets them.

use super::arch;
use super::keys::Keys;
use crate::gguf::Header;
use crate::kv_cache::{KvCache, KvType, Recurrent};
use crate::ops::{AttentionShape, Pairing, RopeShape, Scores};
use crate::{Error, Result};

/// Shapes and constants of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// `general.architecture`.
    pub(crate) architecture: String,
    /// One for each layer.
    pub(crate) layers: Vec<LayerConfig>,
    /// Width of the residual stream.
    pub(crate) n_embd: usize,
    /// Query heads.
    pub(crate) n_heads: usize,
    /// Key and value heads; each serves n_heads / n_kv_heads query heads.
    pub(crate) n_kv_heads: usize,
    /// Width of a head.
    pub(crate) head_dim: usize,
    /// Width of the feed-forward layer, or of each expert's.
    pub(crate) n_ff: usize,
    /// Tokens in the vocabulary.
    pub(crate) n_vocab: usize,
    /// Positions that the model was trained for.
    pub(crate) n_ctx_train: usize,

    /// Which norm.
    pub(crate) norm: Norm,
    /// Its epsilon.
    pub(crate) norm_eps: f32,
    /// Where attention and the feed-forward layer have theirs.
    pub(crate) norm_place: NormPlace,
    /// Norms of queries and keys.
    pub(crate) qk_norm: QkNorm,
    /// What the feed-forward layer reads.
    pub(crate) residual: Residual,
    /// Between the products of the feed-forward layer.
    pub(crate) activation: Activation,
    /// Whether it multiplies a gate with a product of its own.
    pub(crate) gated: bool,
    /// Where the feed-forward layer is a choice of experts.
    pub(crate) experts: Option<Experts>,

    /// Rotations that layers name by their index; the first is that of most layers.
    pub(crate) ropes: Vec<RopeConfig>,
    /// What becomes of q·k.
    pub(crate) scores: Scores,
    /// How queries grow with their position.
    pub(crate) temperature: Option<Temperature>,
    /// Whether what attention finds is gated: `attn_q` has query and gate of each head.
    pub(crate) query_gate: bool,

    /// Factor of the embedding.
    pub(crate) embedding_scale: f32,
    /// Factor of what each part of a layer adds.
    pub(crate) residual_scale: f32,
    /// Factor of the logits.
    pub(crate) logit_scale: f32,
    /// logit = cap · tanh(logit / cap).
    pub(crate) logit_cap: Option<f32>,

    /// How the file calls its tensors, and which it must have.
    pub(crate) tensors: TensorNames,
}

/// What one layer differs in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LayerConfig {
    /// What mixes the tokens.
    pub(crate) mixer: Mixer,
    /// Positions that a token sees, its own among them; `usize::MAX` for all.
    pub(crate) window: usize,
    /// Which of [`Config::ropes`]; `None` without positions.
    pub(crate) rope: Option<usize>,
}

/// What mixes the tokens of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mixer {
    /// Attention over all positions, or a window of them.
    Attention,
    /// A short convolution between two gates.
    ShortConv {
        /// Positions that it sees.
        taps: usize,
    },
    /// A state that learns to map keys to values.
    DeltaNet(DeltaNet),
}

/// The shape of a gated delta net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeltaNet {
    /// Positions that the convolution before it sees.
    pub(crate) taps: usize,
    /// Heads of queries and keys.
    pub(crate) n_k_heads: usize,
    /// Heads of values, each with a state.
    pub(crate) n_v_heads: usize,
    /// Width of a head.
    pub(crate) head_dim: usize,
}

impl DeltaNet {
    /// Width of all values.
    pub(crate) fn value_width(self) -> usize {
        self.n_v_heads * self.head_dim
    }

    /// Width of queries, keys and values.
    pub(crate) fn qkv_width(self) -> usize {
        2 * self.n_k_heads * self.head_dim + self.value_width()
    }
}

/// A norm over a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Norm {
    /// x / rms(x) · w.
    Rms,
    /// (x - mean(x)) / deviation(x) · w + b.
    Layer,
}

/// Where the norms of a layer's two parts stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NormPlace {
    /// x += f(norm(x))
    Before,
    /// x += norm(f(x))
    After,
    /// x += norm(f(norm(x)))
    Both,
}

/// Norms of queries and keys, before they are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QkNorm {
    /// None.
    None,
    /// Of each head, with weights `[head_dim]` for all heads.
    Heads,
    /// Of each head, with weights `[n_heads, head_dim]`.
    EachHead,
    /// Of all heads together, with weights `[n_heads · head_dim]`.
    Whole,
}

/// What the feed-forward layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residual {
    /// The stream after attention.
    Sequential,
    /// What attention has read, too, by a norm of its own.
    Parallel,
    /// What attention has read, by the same norm.
    ParallelOneNorm,
}

/// The function between the products of a feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    /// x · sigmoid(x).
    Silu,
    /// The tangent form of x · Φ(x).
    Gelu,
}

/// Queries at position p are multiplied by 1 + scale · ln(1 + ⌊p / period⌋).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Temperature {
    /// How much.
    pub(crate) scale: f32,
    /// Positions until the next step.
    pub(crate) period: usize,
}

impl Temperature {
    /// The factor at a position.
    pub(crate) fn at(self, position: usize) -> f32 {
        1.0 + self.scale * ((1 + position / self.period) as f32).ln()
    }
}

/// A choice of feed-forward layers for each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Experts {
    /// How many there are.
    pub(crate) n: usize,
    /// How many each token takes.
    pub(crate) n_used: usize,
}

/// A rotation, and where its factors are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RopeConfig {
    /// Frequencies.
    pub(crate) shape: RopeShape,
    /// Factors of them.
    pub(crate) factors: Factors,
    /// Up to this context, the short factors are right.
    pub(crate) original_context: usize,
}

/// Tensors with a factor for each frequency, `[dim / 2]`; used where the file has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factors {
    /// `rope_freqs.weight` (Llama 3.1).
    Frequencies,
    /// `rope_factors_long.weight` and `rope_factors_short.weight` (LongRoPE), by the context.
    LongShort,
    /// None are read.
    None,
}

/// Names and presence of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TensorNames {
    /// The norm before the head.
    pub(crate) output_norm: &'static str,
    /// The norm before the feed-forward layer.
    pub(crate) ffn_norm: &'static str,
    /// Whether all products must have a bias. Where they need not, they may.
    pub(crate) biases: bool,
    /// Whether the head must be there. Where it need not, it may be the embedding.
    pub(crate) output: bool,
    /// Whether there is an embedding of positions: `position_embd.weight`.
    pub(crate) positions: bool,
    /// Whether `ffn_up` holds gate and up, one after the other.
    pub(crate) fused_gate: bool,
}

impl Config {
    /// The configuration of the model behind a header.
    ///
    /// # Errors
    /// [`Error::MaskedModel`], [`Error::UnsupportedArchitecture`], [`Error::UnsupportedVariant`] and
    /// [`Error::BadMetadata`].
    pub(crate) fn from_header(header: &Header) -> Result<Config> {
        let keys = Keys::new(header)?;
        let config = arch::config(&keys)?;
        config.check(&keys)?;
        Ok(config)
    }

    /// A decoder like Llama, as the keys have it: norms before both parts of a layer,
    /// grouped-query attention over all positions, rotated by halves, and a gated
    /// feed-forward layer.
    pub(super) fn decoder(keys: &Keys, norm: Norm) -> Result<Config> {
        let skipped = keys.opt_u32("nextn_predict_layers")?.unwrap_or(0) as usize;
        let n_layers = keys.count("block_count", 1 << 12)?.saturating_sub(skipped);
        let n_embd = keys.count("embedding_length", 1 << 20)?;
        let heads = |key: &str| keys.opt_uniform(key, n_layers, 1 << 12);
        let n_heads =
            heads("attention.head_count")?.ok_or_else(|| keys.bad("attention.head_count"))?;
        let head_dim = keys.opt_count("attention.key_length", 1 << 12)?.unwrap_or(n_embd / n_heads);
        let n_ctx_train = keys.count("context_length", 1 << 30)?;
        Ok(Config {
            architecture: keys.architecture().into(),
            layers: vec![
                LayerConfig { mixer: Mixer::Attention, window: usize::MAX, rope: Some(0) };
                n_layers
            ],
            n_embd,
            n_heads,
            n_kv_heads: heads("attention.head_count_kv")?.unwrap_or(n_heads),
            head_dim,
            n_ff: keys
                .opt_uniform("feed_forward_length", n_layers, 1 << 20)?
                .ok_or_else(|| keys.bad("feed_forward_length"))?,
            n_vocab: keys.n_vocab()?,
            n_ctx_train,
            norm,
            norm_eps: keys.f32(norm.epsilon_key())?,
            norm_place: NormPlace::Before,
            qk_norm: QkNorm::None,
            residual: Residual::Sequential,
            activation: Activation::Silu,
            gated: true,
            experts: None,
            ropes: vec![RopeConfig { factors: Factors::None, ..keys.rope(head_dim, n_ctx_train)? }],
            scores: Scores { scale: 1.0 / (head_dim as f32).sqrt(), cap: None },
            temperature: None,
            query_gate: false,
            embedding_scale: 1.0,
            residual_scale: 1.0,
            logit_scale: 1.0,
            logit_cap: None,
            tensors: TensorNames {
                output_norm: "output_norm",
                ffn_norm: "ffn_norm",
                biases: false,
                output: false,
                positions: false,
                fused_gate: false,
            },
        })
    }

    /// Pairs neighbours when rotating, and reads the factors of frequencies: what `llama`
    /// files have.
    pub(super) fn with_llama_rope(mut self, keys: &Keys) -> Result<Config> {
        self.ropes[0] = keys.rope(self.head_dim, self.n_ctx_train)?;
        self.ropes[0].shape.pairing = Pairing::Neighbours;
        Ok(self)
    }

    /// Gives each layer its window.
    pub(super) fn with_windows(mut self, windows: Vec<usize>) -> Config {
        for (layer, window) in self.layers.iter_mut().zip(windows) {
            layer.window = window;
        }
        self
    }

    /// Rotates the layers with a window otherwise than those without.
    pub(super) fn with_local_rope(mut self, local: RopeShape) -> Config {
        self.ropes.push(RopeConfig {
            shape: local,
            factors: Factors::None,
            ..self.ropes[0].clone()
        });
        for layer in self.layers.iter_mut().filter(|layer| layer.window != usize::MAX) {
            layer.rope = Some(1);
        }
        self
    }

    /// Width of all query heads together.
    pub(crate) fn q_width(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub(crate) fn kv_width(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }

    /// Width of the widest input of a product.
    pub(crate) fn max_width(&self) -> usize {
        let own = self.layers.iter().map(|layer| match layer.mixer {
            Mixer::DeltaNet(shape) => shape.value_width(),
            _ => 0,
        });
        self.n_embd.max(self.n_ff).max(self.q_width()).max(own.max().unwrap_or(0))
    }

    /// Layers with a state instead, and the values of a state.
    pub(crate) fn recurrent_states(&self) -> (usize, usize) {
        let lens = self.layers.iter().filter_map(|layer| match layer.mixer {
            Mixer::Attention => None,
            Mixer::ShortConv { taps } => Some((taps - 1) * self.n_embd),
            Mixer::DeltaNet(s) => {
                Some((s.taps - 1) * s.qkv_width() + s.n_v_heads * s.head_dim * s.head_dim)
            }
        });
        (lens.clone().count(), lens.max().unwrap_or(0))
    }

    /// Layers whose keys and values are kept.
    pub(crate) fn n_attention_layers(&self) -> usize {
        self.layers.iter().filter(|layer| layer.mixer == Mixer::Attention).count()
    }

    /// Bytes of keys and values of `context` positions, and of states.
    pub(crate) fn cache_bytes(&self, kv_type: KvType, context: usize) -> u64 {
        let n_layers = self.n_attention_layers();
        let keys = KvCache::bytes_for(kv_type, n_layers, self.n_kv_heads, self.head_dim, context);
        let (n_recurrent, len) = self.recurrent_states();
        keys.saturating_add(Recurrent::bytes_for(n_recurrent, len))
    }

    /// The shape of attention.
    pub(crate) fn attention(&self) -> AttentionShape {
        let Config { n_heads, n_kv_heads, head_dim, scores, .. } = *self;
        AttentionShape { n_heads, n_kv_heads, head_dim, scores }
    }

    /// What the forward pass relies on.
    fn check(&self, keys: &Keys) -> Result<()> {
        let ensure = |holds: bool, key: &str| if holds { Ok(()) } else { Err(keys.bad(key)) };
        ensure(!self.layers.is_empty(), "block_count")?;
        ensure(self.n_heads.is_multiple_of(self.n_kv_heads), "attention.head_count_kv")?;
        let value_length = keys.opt_u32("attention.value_length")?;
        let same = value_length.is_none_or(|n| n as usize == self.head_dim);
        ensure(
            same && self.head_dim > 0 && self.head_dim.is_multiple_of(8),
            "attention.key_length",
        )?;
        ensure(self.n_embd.is_multiple_of(8), "embedding_length")?;
        ensure(self.n_ff.is_multiple_of(8), "feed_forward_length")?;
        for RopeShape { dim, base, .. } in self.ropes.iter().map(|rope| &rope.shape) {
            ensure(*dim <= self.head_dim && dim.is_multiple_of(2), "rope.dimension_count")?;
            ensure(*base > 0.0, "rope.freq_base")?;
        }
        ensure(self.norm_eps >= 0.0, self.norm.epsilon_key())
    }
}

impl Norm {
    fn epsilon_key(self) -> &'static str {
        match self {
            Norm::Rms => "attention.layer_norm_rms_epsilon",
            Norm::Layer => "attention.layer_norm_epsilon",
        }
    }
}

/// The error for what has no forward pass here.
pub(crate) fn unsupported(architecture: impl Into<String>) -> Error {
    Error::UnsupportedArchitecture {
        architecture: architecture.into(),
        supported: arch::supported(),
    }
}
