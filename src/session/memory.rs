//! What a model will take, and whether it can be had, before its weights are read.

use crate::model::{Config, LOGITS_ROWS, MAX_CHUNK};
use crate::{Error, Result, memory};
use serde::Serialize;

/// Bytes that a model will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Preflight {
    /// Packed weights.
    pub weights: u64,
    /// Keys and values of the whole context.
    pub kv_cache: u64,
    /// Activations and tables, about.
    pub scratch: u64,
    /// Positions of the context.
    pub context: usize,
}

/// What a header tells of a model that can run here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlook {
    /// `general.name`.
    pub name: Option<String>,
    /// `general.architecture`.
    pub architecture: String,
    /// Weights in the file.
    pub parameters: u64,
    /// The GGML type of most of them.
    pub quantization: String,
    /// Bytes of all files.
    pub file_bytes: u64,
    /// Bytes of memory in all.
    pub needed: u64,
    /// What they are for.
    pub memory: Preflight,
}

impl Preflight {
    pub(super) fn new(config: &Config, (weights, kv_cache): (u64, u64), context: usize) -> Self {
        let width = 2 * config.n_embd + config.q_width() + 2 * config.kv_width() + 2 * config.n_ff;
        // Beside them lies the input of a product: as f32, and quantised in two forms.
        let input = 2 * config.max_width();
        let floats = MAX_CHUNK.min(context) as u64 * (width + input) as u64
            + (LOGITS_ROWS * config.n_vocab) as u64;
        let rotated: usize = config.ropes.iter().map(|rope| rope.shape.dim).sum();
        let angles = (rotated as u64).saturating_mul(context as u64);
        let attention = config.attention().scratch_bytes(context);
        let scratch = floats.saturating_add(angles).saturating_mul(4).saturating_add(attention);
        Preflight { weights, kv_cache, scratch, context }
    }

    /// All bytes.
    pub fn needed(&self) -> u64 {
        self.weights.saturating_add(self.kv_cache).saturating_add(self.scratch)
    }

    /// Makes sure that the memory can be had: room is made for it, which costs nothing but
    /// addresses before it is written to. `largest` is the largest piece that must be whole.
    ///
    /// # Errors
    /// [`Error::TooLarge`], with what could be had.
    pub(super) fn reserve(&self, largest: u64, device: Option<u64>) -> Result<()> {
        const LARGEST: u64 = isize::MAX as u64; // of one allocation
        if largest > LARGEST {
            return Err(Error::TooLarge { needed: largest, available: LARGEST });
        }
        let needed = self.needed();
        let too_large = |available| Err(Error::TooLarge { needed, available });
        if let Some(available) = device.filter(|&device| device < needed) {
            return too_large(available);
        }
        if needed > usize::MAX as u64 {
            return too_large(usize::MAX as u64); // more than addresses reach
        }
        match memory::reserve(needed) {
            held if held < needed => too_large(held),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_device_has_is_refused() {
        let need = Preflight { weights: 3 << 30, kv_cache: 1 << 30, scratch: 5, context: 9 };
        let refused = need.reserve(1 << 30, Some(4 << 30));
        let needed = (4 << 30) + 5;
        assert_eq!(refused, Err(Error::TooLarge { needed, available: 4 << 30 }));
        let small = Preflight { weights: 1 << 20, kv_cache: 0, scratch: 0, context: 9 };
        assert_eq!(small.reserve(1 << 20, Some(1 << 20)), Ok(()));
        let huge = Preflight { weights: u64::MAX, kv_cache: 1, scratch: 1, context: 9 };
        let whole = small.reserve(u64::MAX, None);
        assert!(matches!(whole, Err(Error::TooLarge { needed: u64::MAX, .. })));
        assert!(matches!(
            huge.reserve(1 << 40, None),
            Err(Error::TooLarge { needed: u64::MAX, .. })
        ));
    }
}
