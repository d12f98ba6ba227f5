//! The engine: one model, its tokenizer and template, and one sequence in the cache.

use super::draft::Drafting;
use super::pace::Pace;
use super::tempo::Tempo;
use crate::chat::{ChatTemplate, ReasoningStream, RenderInput};
use crate::kv_cache::KvType;
use crate::model::Forward;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
use serde::Serialize;
use std::ops::Range;
use web_time::Instant;

/// A loaded model.
pub struct Engine {
    pub(super) forward: Forward,
    kv_type: KvType,
    pub(super) context: usize,
    /// The tokens whose keys and values are in the cache.
    pub(super) cached: Vec<u32>,
    /// How many tokens were last run, and the positions of those whose logits are there.
    n_rows: usize,
    scored: Range<usize>,
    pub(super) pace: Pace,
    pub(super) tempo: Tempo,
    pub(super) drafting: Drafting,
    tokenizer: Tokenizer,
    template: Result<ChatTemplate>,
    about: About,
    /// Which file the model is.
    pub(super) fingerprint: String,
}

/// What the file says of itself.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) name: Option<String>,
    pub(crate) quantization: String,
    pub(crate) parameters: u64,
}

/// What a loaded model is and takes.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    /// `general.name`.
    pub name: Option<String>,
    /// `general.architecture`.
    pub architecture: String,
    /// Weights in the file.
    pub parameters: u64,
    /// The GGML type of most of them.
    pub quantization: String,
    /// Positions of the KV cache.
    pub context: usize,
    /// How keys and values are kept.
    pub kv_cache: KvType,
    /// What one position of the KV cache is made of.
    pub kv_shape: KvShape,
    /// Positions that the model was trained for.
    pub context_train: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Threads at work.
    pub threads: usize,
    /// Bytes held.
    pub memory: Memory,
}

/// Keys and values of one position: twice `layers × heads × head_dim` numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KvShape {
    /// Layers that keep keys and values.
    pub layers: usize,
    /// Heads of keys, and of values, in each.
    pub heads: usize,
    /// Numbers of each head.
    pub head_dim: usize,
}

/// Bytes that a loaded model holds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Packed weights.
    pub weights: u64,
    /// Keys and values of the whole context, and states.
    pub kv_cache: u64,
    /// Activations and tables.
    pub scratch: u64,
}

impl Engine {
    pub(crate) fn new(
        forward: Forward,
        kv_type: KvType,
        context: usize,
        tokenizer: Tokenizer,
        template: Result<ChatTemplate>,
        about: About,
    ) -> Engine {
        let cached = Vec::with_capacity(forward.capacity());
        let (pace, tempo) = (Pace::default(), Tempo::new(forward.n_threads()));
        Engine {
            forward,
            kv_type,
            context,
            cached,
            n_rows: 0,
            scored: 0..0,
            pace,
            tempo,
            drafting: Drafting::default(),
            tokenizer,
            template,
            about,
            fingerprint: String::new(),
        }
    }

    /// What is loaded.
    pub fn info(&self) -> Info {
        let config = self.forward.config();
        Info {
            name: self.about.name.clone(),
            architecture: config.architecture.clone(),
            parameters: self.about.parameters,
            quantization: self.about.quantization.clone(),
            context: self.context,
            kv_cache: self.kv_type,
            kv_shape: KvShape {
                layers: config.n_attention_layers(),
                heads: config.n_kv_heads,
                head_dim: config.head_dim,
            },
            context_train: config.n_ctx_train,
            vocabulary: config.n_vocab,
            threads: self.forward.n_threads(),
            memory: Memory {
                weights: self.forward.weights().n_bytes() as u64,
                kv_cache: config.cache_bytes(self.kv_type, self.forward.capacity()),
                scratch: self.forward.scratch_bytes() as u64,
            },
        }
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Messages as the model's template writes them, and as tokens.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn render_chat(&self, input: &RenderInput) -> Result<(String, Vec<u32>)> {
        let text = self.template()?.render(input)?;
        // The template writes BOS where it wants one.
        let tokens = self.tokenizer.encode(&text, false, true)?;
        Ok((text, tokens))
    }

    /// Separates the reasoning from the answer to a prompt.
    pub(super) fn reasoning(&self, prompt: &str) -> Result<ReasoningStream> {
        Ok(self.template()?.reasoning(prompt))
    }

    fn template(&self) -> Result<&ChatTemplate> {
        self.template.as_ref().map_err(Error::clone)
    }

    /// Keeps the longest common prefix of the cache and `tokens`, at most `most` of it,
    /// and returns its length.
    pub(super) fn keep_prefix(&mut self, tokens: &[u32], most: usize) -> usize {
        let common = self.cached.iter().zip(tokens).take(most).take_while(|(a, b)| a == b).count();
        self.cut(common)
    }

    /// Forgets all tokens behind the first `len`, and as many more as the model's layers cannot
    /// do without forgetting; how many are left.
    pub(super) fn cut(&mut self, len: usize) -> usize {
        let left = self.forward.rewind(len.min(self.cached.len()));
        self.cached.truncate(left);
        left
    }

    /// Runs tokens behind those in the cache; milliseconds taken.
    pub(super) fn run(&mut self, tokens: &[u32]) -> Result<f64> {
        if self.cached.len() + tokens.len() > self.context {
            let tokens = self.cached.len() + tokens.len();
            return Err(Error::ContextOverflow { tokens, context: self.context });
        }
        let start = Instant::now();
        self.forward.run(tokens, self.cached.len())?;
        self.cached.extend_from_slice(tokens);
        self.n_rows = tokens.len();
        self.scored = 0..0;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }

    /// Logits `[n_vocab]` of the token at `position`, which was run last, or among the last
    /// few. Those behind it are computed with it.
    pub(super) fn logits(&mut self, position: usize) -> Result<&[f32]> {
        let end = self.cached.len();
        if !self.scored.contains(&position) {
            let first = self.n_rows - (end - position);
            self.forward.logits(first..self.n_rows)?;
            self.scored = position..end;
        }
        Ok(self.forward.logits_row(position - self.scored.start))
    }
}
