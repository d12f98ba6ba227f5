//! A session that survives: the tokens in the cache, their keys and values, and what they
//! belong to.

use super::engine::Engine;
use crate::{Error, Result};
use serde::Serialize;

/// Changes whenever the bytes of saved layers, or how keys and values are computed, do.
const LAYOUT: u32 = 2;

/// What is in the cache, without the keys and values themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Which file the model is.
    pub model: String,
    /// Which build, and which type of cache, the layers' bytes are of.
    pub build: String,
    /// The tokens, in their order.
    pub tokens: Vec<u32>,
    /// How many layers there are to save.
    pub layers: usize,
}

impl Engine {
    /// What there is to save.
    pub fn snapshot(&self) -> Snapshot {
        let kind = self.info().kv_cache;
        Snapshot {
            model: self.fingerprint.clone(),
            build: format!("{}/{LAYOUT}/{kind:?}", env!("CARGO_PKG_VERSION")),
            tokens: self.cached.clone(),
            layers: self.forward.cache().n_layers(),
        }
    }

    /// Keys and values of one layer, for the tokens of [`Engine::snapshot`].
    pub fn save_layer(&self, layer: usize) -> Vec<u8> {
        self.forward.cache().save_layer(layer, self.cached.len())
    }

    /// Bytes of each layer of `n_tokens` tokens.
    pub fn layer_bytes(&self, n_tokens: usize) -> usize {
        self.forward.cache().layer_bytes(n_tokens)
    }

    /// Forgets what is in the cache, for the layers of `saved` to be restored into it.
    /// Whether they can be: if not, because another build saved them or the model has layers that
    /// keep a state, the tokens must be computed again.
    ///
    /// # Errors
    /// [`Error::SessionMismatch`] if it is a session of another model,
    /// [`Error::ContextOverflow`].
    pub fn begin_restore(&mut self, saved: &Snapshot) -> Result<bool> {
        let own = self.snapshot();
        if saved.model != own.model {
            return Err(Error::SessionMismatch);
        }
        if saved.tokens.len() > self.context {
            let (tokens, context) = (saved.tokens.len(), self.context);
            return Err(Error::ContextOverflow { tokens, context });
        }
        self.keep_prefix(&[], 0);
        // The states of recurrent layers are not saved.
        let whole = self.forward.can_rewind();
        Ok(whole && saved.build == own.build && saved.layers == own.layers)
    }

    /// Takes the bytes of one layer of `n_tokens` tokens; false if they cannot be its.
    pub fn restore_layer(&mut self, layer: usize, n_tokens: usize, bytes: &[u8]) -> bool {
        self.forward.cache_mut().restore_layer(layer, n_tokens, bytes)
    }

    /// All layers of these tokens have been restored.
    pub fn finish_restore(&mut self, tokens: &[u32]) {
        self.keep_prefix(&[], 0);
        self.cached.extend_from_slice(tokens);
    }
}
