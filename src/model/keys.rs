//! The metadata of one architecture: keys without their prefix, checked as they are read.

use super::config::{Experts, Factors, RopeConfig};
use crate::gguf::{Array, Header, Value};
use crate::ops::{Pairing, RopeShape, Yarn};
use crate::{Error, Result};

/// A header, seen by its architecture.
pub(super) struct Keys<'a> {
    header: &'a Header,
    architecture: &'a str,
}

impl<'a> Keys<'a> {
    /// `general.architecture` is the prefix of all other keys.
    pub(super) fn new(header: &'a Header) -> Result<Keys<'a>> {
        Ok(Keys { header, architecture: header.metadata.str("general.architecture")? })
    }

    /// `general.architecture`.
    pub(super) fn architecture(&self) -> &'a str {
        self.architecture
    }

    /// Whether the file has a tensor of that name.
    pub(super) fn has_tensor(&self, name: &str) -> bool {
        self.header.tensor(name).is_some()
    }

    /// The error for a key whose value cannot be.
    pub(super) fn bad(&self, key: &str) -> Error {
        Error::BadMetadata { key: self.full(key) }
    }

    /// The error for a model that has what the forward pass has not; `what` is a predicate.
    pub(super) fn unsupported(&self, what: impl Into<String>) -> Error {
        Error::UnsupportedVariant { architecture: self.architecture.to_string(), what: what.into() }
    }

    fn full(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    /// An integer.
    pub(super) fn opt_u32(&self, key: &str) -> Result<Option<u32>> {
        self.header.metadata.opt_u32(&self.full(key))
    }

    /// A floating-point number, finite.
    pub(super) fn opt_f32(&self, key: &str) -> Result<Option<f32>> {
        match self.header.metadata.opt_f32(&self.full(key))? {
            Some(x) if !x.is_finite() => Err(self.bad(key)),
            x => Ok(x),
        }
    }

    /// A floating-point number that must be there.
    pub(super) fn f32(&self, key: &str) -> Result<f32> {
        self.opt_f32(key)?.ok_or_else(|| self.bad(key))
    }

    /// A boolean.
    pub(super) fn opt_bool(&self, key: &str) -> Result<Option<bool>> {
        self.header.metadata.opt_bool(&self.full(key))
    }

    /// A boolean that must be there.
    pub(super) fn bool(&self, key: &str) -> Result<bool> {
        self.opt_bool(key)?.ok_or_else(|| self.bad(key))
    }

    /// A count: at least 1 and below `below`, so that products of a few of them cannot
    /// overflow.
    pub(super) fn opt_count(&self, key: &str, below: u32) -> Result<Option<usize>> {
        match self.opt_u32(key)? {
            None => Ok(None),
            Some(n) if (1..below).contains(&n) => Ok(Some(n as usize)),
            Some(_) => Err(self.bad(key)),
        }
    }

    /// A count that must be there.
    pub(super) fn count(&self, key: &str, below: u32) -> Result<usize> {
        self.opt_count(key, below)?.ok_or_else(|| self.bad(key))
    }

    /// A number for each of `n_layers` layers, given as an array or once for all.
    pub(super) fn opt_per_layer(&self, key: &str, n_layers: usize) -> Result<Option<Vec<u32>>> {
        let full = self.full(key);
        match self.header.metadata.get(&full) {
            None => Ok(None),
            Some(Value::Array(_)) => {
                let all = self.header.metadata.u32s(&full)?;
                let layers = all.get(..n_layers).ok_or_else(|| self.bad(key))?;
                Ok(Some(layers.to_vec()))
            }
            Some(_) => Ok(self.opt_u32(key)?.map(|n| vec![n; n_layers])),
        }
    }

    /// A count that is the same in all layers that have it (those that have not say 0).
    pub(super) fn opt_uniform(
        &self,
        key: &str,
        n_layers: usize,
        below: u32,
    ) -> Result<Option<usize>> {
        let Some(layers) = self.opt_per_layer(key, n_layers)? else { return Ok(None) };
        let largest = layers.iter().copied().max().unwrap_or(0);
        if layers.iter().any(|n| *n != 0 && *n != largest) {
            return Err(self.unsupported(format!("has layers that differ in {key}")));
        }
        match largest {
            n if (1..below).contains(&n) => Ok(Some(n as usize)),
            _ => Err(self.bad(key)),
        }
    }

    /// The choice of experts, where there is one.
    pub(super) fn experts(&self) -> Result<Option<Experts>> {
        let Some(n) = self.opt_u32("expert_count")?.filter(|n| *n > 0) else { return Ok(None) };
        let n_layers = self.count("block_count", 1 << 12)?;
        let key = "expert_used_count";
        match self.opt_uniform(key, n_layers, 1 << 12)? {
            Some(n_used) if n_used <= n as usize && n < 1 << 12 => {
                Ok(Some(Experts { n: n as usize, n_used }))
            }
            _ => Err(self.bad(key)),
        }
    }

    /// The vocabulary's size is that of the embedding: metadata may leave it out.
    pub(super) fn n_vocab(&self) -> Result<usize> {
        let name = "token_embd.weight";
        let missing = || Error::MissingTensor { tensor: name.into() };
        match self.header.tensor(name).ok_or_else(missing)?.dims[..] {
            [_, n] if (1..1 << 24).contains(&n) => Ok(n as usize),
            _ => Err(self.bad("vocab_size")),
        }
    }

    /// How heads of `head_dim` values are rotated. Without a type, scaling is linear.
    pub(super) fn rope(&self, head_dim: usize, n_ctx_train: usize) -> Result<RopeConfig> {
        let factor = match self.opt_f32("rope.scaling.factor")? {
            None => self.opt_f32("rope.scale_linear")?,
            factor => factor,
        };
        let factor = factor.filter(|f| *f != 0.0).unwrap_or(1.0);
        if factor < 0.0 {
            return Err(self.bad("rope.scaling.factor"));
        }
        let original_context =
            self.opt_count("rope.scaling.original_context_length", 1 << 30)?.unwrap_or(n_ctx_train);
        let mut magnitude = self.opt_f32("rope.scaling.attn_factor")?.unwrap_or(1.0);
        let (mut scale, mut yarn, mut factors) = (1.0 / factor, None, Factors::Frequencies);
        match self.header.metadata.opt_str(&self.full("rope.scaling.type"))? {
            None | Some("linear") => {}
            Some("none") => scale = 1.0,
            Some("longrope") => factors = Factors::LongShort,
            Some("yarn") => {
                // 1 + m/10 · ln(factor), m being 1, relative to that of another m.
                let stretch = |m: f32| 1.0 + 0.1 * m * factor.max(1.0).ln();
                let other = self.opt_f32("rope.scaling.yarn_log_multiplier")?.unwrap_or(0.0);
                magnitude *= stretch(1.0) / stretch(other);
                yarn = Some(Yarn {
                    original_context,
                    fast: self.opt_f32("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
                    slow: self.opt_f32("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
                });
            }
            Some(other) => {
                return Err(self.unsupported(format!("has the rope scaling \"{other}\"")));
            }
        }
        let shape = RopeShape {
            dim: self.opt_count("rope.dimension_count", 1 << 12)?.unwrap_or(head_dim),
            pairing: Pairing::Halves,
            base: self.opt_f32("rope.freq_base")?.unwrap_or(10_000.0),
            scale,
            yarn,
            magnitude,
        };
        Ok(RopeConfig { shape, factors, original_context })
    }

    /// The window of each layer, `usize::MAX` where it sees all: `attention.sliding_window`,
    /// or `default`, in the layers that `attention.sliding_window_pattern` names. Where it is
    /// an array it says so for each layer; where it is a number n, or absent (`every`), every
    /// n-th layer sees all.
    pub(super) fn windows(
        &self,
        n_layers: usize,
        default: Option<usize>,
        every: usize,
    ) -> Result<Vec<usize>> {
        let window = match self.opt_u32("attention.sliding_window")? {
            Some(n) => (n > 0).then_some(n as usize),
            None => default,
        };
        let Some(window) = window else { return Ok(vec![usize::MAX; n_layers]) };
        let slides = self.layers("attention.sliding_window_pattern", n_layers, every)?;
        Ok(slides.into_iter().map(|s| if s { window } else { usize::MAX }).collect())
    }

    /// Which layers a pattern means: an array says so for each. A number n, or `every` where the
    /// key is absent, means all but every n-th; 0 means all.
    pub(super) fn layers(&self, key: &str, n_layers: usize, every: usize) -> Result<Vec<bool>> {
        let full = self.full(key);
        let mut layers: Vec<bool> = match self.header.metadata.get(&full) {
            Some(Value::Array(Array::Bool(layers))) => layers.clone(),
            Some(Value::Array(_)) => {
                self.header.metadata.u32s(&full)?.iter().map(|n| *n != 0).collect()
            }
            _ => {
                let every = self.opt_u32(key)?.map_or(every, |n| n as usize);
                (0..n_layers).map(|i| every == 0 || i % every < every - 1).collect()
            }
        };
        if layers.len() < n_layers {
            return Err(self.bad(key));
        }
        layers.truncate(n_layers);
        Ok(layers)
    }
}
