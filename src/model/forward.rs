//! The forward pass. Prefill and decode are the same: a chunk of tokens goes through
//! all layers together, be it 128 or 1.

use super::buffers::Buffers;
use super::config::{Config, Factors, Residual, RopeConfig};
use super::profile::{Op, OpTimes, Profile};
use super::rows::{
    activate, activate_gate, add_bias, add_product, each_row, norm_heads, normed, product,
};
use super::weights::{DenseWeights, FeedForward, Mixer, RopeFactors, Weights};
use crate::kernels::{BLOCK, add_scaled, scale, sigmoid_mul};
use crate::kv_cache::{KvCache, KvType, Recurrent};
use crate::ops::{Activations, Attention, Linear, Rope, Scratch, View, store_keys_values};
use crate::team::Team;
use crate::{Error, Result};

/// A model ready to run: weights, cache, and every buffer it will ever need.
pub(crate) struct Forward {
    pub(super) config: Config,
    pub(super) weights: Weights,
    cache: KvCache,
    pub(super) recurrent: Recurrent,
    ropes: Vec<Rope>,
    pub(super) team: Team,
    pub(super) scratch: Scratch,
    attention: Attention,
    pub(super) buffers: Buffers,
    pub(super) profile: Profile,
}

impl Forward {
    /// Allocates what a context of `capacity` positions needs.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn new(
        config: Config,
        weights: Weights,
        kv_type: KvType,
        capacity: usize,
        team: Team,
    ) -> Result<Forward> {
        let Config { n_kv_heads, head_dim, .. } = config;
        let n_attention = config.n_attention_layers();
        let cache = KvCache::new(kv_type, n_attention, n_kv_heads, head_dim, capacity)?;
        let rope = |rope: &RopeConfig| {
            let factors = rope_factors(&weights.rope_factors, rope, capacity);
            Rope::new(cache.capacity(), &rope.shape, factors)
        };
        let (n_recurrent, state_len) = config.recurrent_states();
        Ok(Forward {
            recurrent: Recurrent::new(n_recurrent, state_len)?,
            ropes: config.ropes.iter().map(rope).collect::<Result<_>>()?,
            attention: Attention::new(config.attention(), kv_type, cache.capacity(), team.size())?,
            scratch: Scratch::new(team.size(), config.max_width())?,
            buffers: Buffers::new(&config, cache.capacity())?,
            cache,
            team,
            profile: Profile::default(),
            weights,
            config,
        })
    }

    /// The model's shapes.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The model's weights.
    pub(crate) fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Threads that can work.
    pub(crate) fn n_threads(&self) -> usize {
        self.team.size()
    }

    /// Works on `n` threads only from now on.
    pub(crate) fn set_threads(&mut self, n: usize) {
        self.team.set_len(n);
    }

    /// Starts to take the times of the passes to come.
    pub(crate) fn start_profile(&mut self) {
        self.profile.start();
    }

    /// The times since then.
    pub(crate) fn stop_profile(&mut self) -> OpTimes {
        self.profile.stop()
    }

    /// Positions the cache has room for.
    pub(crate) fn capacity(&self) -> usize {
        self.cache.capacity()
    }

    /// Keys and values.
    pub(crate) fn cache(&self) -> &KvCache {
        &self.cache
    }

    /// Keys and values, to be put there from outside.
    pub(crate) fn cache_mut(&mut self) -> &mut KvCache {
        &mut self.cache
    }

    /// Whether the next token may stand at any position up to the last one: with layers that
    /// keep a state, it may not.
    pub(crate) fn can_rewind(&self) -> bool {
        self.recurrent.is_empty()
    }

    /// Goes back to a position that is at `most`, as near as there is one, and returns it:
    /// where the next token stands.
    pub(crate) fn rewind(&mut self, most: usize) -> usize {
        self.recurrent.rewind(most)
    }

    /// Runs `tokens` (at most [`MAX_CHUNK`](super::MAX_CHUNK)) at positions `start ..` through
    /// all layers; their keys and values are in the cache afterwards. [`Forward::logits`]
    /// follows.
    ///
    /// # Errors
    /// [`Error::ThreadLost`], [`Error::BadRequest`] for a token outside the vocabulary.
    pub(crate) fn run(&mut self, tokens: &[u32], start: usize) -> Result<()> {
        let n_tokens = tokens.len();
        assert!(n_tokens <= super::MAX_CHUNK && start + n_tokens <= self.cache.capacity());
        self.embed(tokens, start)?;
        self.recurrent.advance(start, n_tokens);
        for layer in 0..self.config.layers.len() {
            self.keep_input(n_tokens);
            match self.weights.layers[layer].mixer {
                Mixer::Attention(_) => self.attend(layer, n_tokens, start)?,
                Mixer::ShortConv(_) => self.convolve(layer, n_tokens)?,
                Mixer::DeltaNet(_) => self.delta_net(layer, n_tokens)?,
            }
            match self.weights.layers[layer].ffn {
                FeedForward::Dense(_) => self.feed_forward(layer, n_tokens)?,
                FeedForward::Experts(_) => self.choose_experts(layer, n_tokens)?,
            }
        }
        Ok(())
    }

    /// x = embedding of each token, and of its position where the model has learnt them.
    fn embed(&mut self, tokens: &[u32], start: usize) -> Result<()> {
        let Forward { config, weights, buffers, profile, .. } = self;
        let position = &mut buffers.position[..];
        let rows = buffers.x.chunks_exact_mut(config.n_embd);
        for (i, (&token, row)) in tokens.iter().zip(rows).enumerate() {
            if token as usize >= weights.embedding.n_rows() {
                return Err(Error::BadRequest {
                    what: format!("token {token} is not in the vocabulary"),
                });
            }
            weights.embedding.row(token as usize, row);
            if config.embedding_scale != 1.0 {
                scale(row, config.embedding_scale);
            }
            if let Some(positions) = &weights.positions {
                positions.row(start + i, position);
                add_scaled(row, position, 1.0);
            }
        }
        profile.lap(Op::Embed);
        Ok(())
    }

    /// Where the parts of a layer read the same stream: keeps it for the second.
    fn keep_input(&mut self, n_tokens: usize) {
        if self.config.residual != Residual::Sequential {
            let n = n_tokens * self.config.n_embd;
            self.buffers.input_x[..n].copy_from_slice(&self.buffers.x[..n]);
        }
    }

    /// x += o · attention(rope(q), rope(k), v), all from norm(x).
    fn attend(&mut self, layer: usize, n_tokens: usize, start: usize) -> Result<()> {
        let Forward { config, weights, cache, ropes, team, scratch, attention, .. } = self;
        let Forward { buffers: Buffers { x, y, input, q, k, v, gate, .. }, profile, .. } = self;
        let (weights, layer) = (&weights.layers[layer], config.layers[layer]);
        let Mixer::Attention(own) = &weights.mixer else { return Ok(()) };
        let (cache, linear) = (cache.layer_mut(own.cache), Linear { team, scratch });
        let (head_dim, q_width, kv_width) = (config.head_dim, config.q_width(), config.kv_width());
        let q = &mut q[..n_tokens * q_width];
        let k = &mut k[..n_tokens * kv_width];
        let v = &mut v[..n_tokens * kv_width];

        let forms = own.input_forms();
        normed(team, config, x, weights.mixer_norm.as_ref(), n_tokens, forms, input)?;
        profile.lap(Op::Norm);
        // In this order, or almost, separate tensors stand in most files: memory is read on from
        // one to the next.
        let qkv =
            [product(&own.k.weights, k), product(&own.q.weights, q), product(&own.v.weights, v)];
        linear.run(input, qkv)?;
        if let Some(weights) = &own.gate {
            linear.run(input, [product(&weights.weights, gate)])?;
            add_bias(team, gate, n_tokens, weights.bias())?;
        }
        add_bias(team, q, n_tokens, own.q.bias())?;
        add_bias(team, k, n_tokens, own.k.bias())?;
        add_bias(team, v, n_tokens, own.v.bias())?;
        profile.lap(Op::Qkv);
        let rope = layer.rope.map(|i| &ropes[i]);
        let sides = [(&mut *q, &own.q_norm, config.temperature), (&mut *k, &own.k_norm, None)];
        for (rows, norm, temperature) in sides {
            each_row(team, rows, n_tokens, |token, row| {
                if let Some(weight) = norm {
                    norm_heads(config, weight, row);
                }
                if let Some(rope) = rope {
                    row.chunks_exact_mut(head_dim).for_each(|head| rope.apply(head, start + token));
                }
                if let Some(temperature) = temperature {
                    scale(row, temperature.at(start + token));
                }
            })?;
        }
        profile.lap(Op::Rope);
        store_keys_values(team, cache, k, v, head_dim, kv_width, start)?;
        profile.lap(Op::Cache);
        let view = View { cache, start, window: layer.window };
        attention.run(team, q, view, own.o.input_forms(), input, |token, row| {
            if own.gate.is_some() {
                sigmoid_mul(row, &gate[token * q_width..][..q_width]);
            }
        })?;
        profile.lap(Op::Attention);
        add_product(&linear, config, input, &own.o, weights.mixer_post_norm.as_ref(), y, x)?;
        profile.lap(Op::AttentionOutput);
        Ok(())
    }

    /// x += down · (act(gate) ⊙ up), both from norm(x); without a gate, down · act(up).
    fn feed_forward(&mut self, layer: usize, n_tokens: usize) -> Result<()> {
        let Forward { config, weights, team, scratch, buffers, profile, .. } = self;
        let Buffers { x, y, input_x, input, gated, gate, up, .. } = buffers;
        let layer = &weights.layers[layer];
        let FeedForward::Dense(own) = &layer.ffn else { return Ok(()) };
        let linear = Linear { team, scratch };
        let source = if config.residual == Residual::Sequential { &*x } else { &*input_x };

        normed(team, config, source, layer.ffn_norm.as_ref(), n_tokens, own.input_forms(), input)?;
        profile.lap(Op::Norm);
        let n_ff = config.n_ff;
        let forms = own.down.input_forms();
        let post_norm = layer.ffn_post_norm.as_ref();
        let fits = n_tokens == 1 && n_ff.is_multiple_of(BLOCK);
        if let Some([gate_weights, up_weights]) = own.plain_gate_up().filter(|_| fits) {
            // Decode: each thread goes on with the rows that it has.
            let products = [product(gate_weights, gate), product(up_weights, up)];
            let activate = |row: &mut [f32], up: &[f32]| activate_gate(config.activation, row, up);
            linear.run_gated(input, products, activate, forms, gated)?;
            profile.lap(Op::GateUp);
            add_product(&linear, config, gated, &own.down, post_norm, y, x)?;
            profile.lap(Op::Down);
            return Ok(());
        }
        up_and_gate(&linear, own, input, up, gate)?;
        profile.lap(Op::GateUp);
        input.produce(team, n_tokens, n_ff, forms, |_, t, rows| {
            let at = t * n_ff..t * n_ff + rows.len();
            match own.gate {
                Some(_) => {
                    rows.copy_from_slice(&gate[at.clone()]);
                    activate_gate(config.activation, rows, &up[at]);
                }
                None => {
                    rows.copy_from_slice(&up[at]);
                    activate(config.activation, rows);
                }
            }
        })?;
        profile.lap(Op::SiluMul);
        add_product(&linear, config, input, &own.down, post_norm, y, x)?;
        profile.lap(Op::Down);
        Ok(())
    }

    /// Bytes of the buffers that the cache does not hold.
    pub(crate) fn scratch_bytes(&self) -> usize {
        let ropes: usize = self.ropes.iter().map(Rope::n_bytes).sum();
        self.buffers.n_bytes() + self.attention.n_bytes() + ropes
    }
}

/// The factors of a rotation's frequencies, if the file has any.
fn rope_factors<'a>(all: &'a RopeFactors, rope: &RopeConfig, context: usize) -> Option<&'a [f32]> {
    let factors = match rope.factors {
        Factors::None => &None,
        Factors::Frequencies => &all.any,
        Factors::LongShort if context > rope.original_context => &all.long,
        Factors::LongShort => &all.short,
    };
    factors.as_deref()
}

/// The first products of a feed-forward layer.
fn up_and_gate(
    linear: &Linear,
    own: &DenseWeights,
    input: &Activations,
    up: &mut [f32],
    gate: &mut [f32],
) -> Result<()> {
    let n_tokens = input.n_tokens();
    match &own.gate {
        Some(weights) => {
            linear.run(input, [product(&weights.weights, gate), product(&own.up.weights, up)])?;
            add_bias(linear.team, gate, n_tokens, weights.bias())?;
        }
        None => linear.run(input, [product(&own.up.weights, up)])?,
    }
    add_bias(linear.team, up, n_tokens, own.up.bias())
}
