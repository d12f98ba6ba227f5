//! What a file holds: GGUF is also the format of adapters, projectors and statistics.

use super::Header;
use crate::error::{Error, Result};

impl Header {
    /// Whether this is the file of a model that may run by itself.
    ///
    /// # Errors
    /// [`Error::Adapter`], [`Error::Projector`], [`Error::NotAModel`],
    /// [`Error::VocabularyOnly`].
    pub fn check_is_model(&self) -> Result<()> {
        let kind = self.metadata.opt_str("general.type")?.unwrap_or("model");
        let architecture = self.metadata.opt_str("general.architecture")?;
        match (kind, architecture) {
            ("adapter", _) | (_, Some("controlvector")) => {
                let kind = match architecture {
                    Some("controlvector") => "control vector",
                    _ => self.metadata.opt_str("adapter.type")?.unwrap_or("adapter"),
                };
                Err(Error::Adapter { kind: kind.into() })
            }
            ("mmproj", _) | (_, Some("clip")) => Err(Error::Projector),
            ("model", _) if self.tensors.is_empty() => Err(Error::VocabularyOnly),
            ("model", _) => Ok(()),
            (other, _) => Err(Error::NotAModel { kind: other.into() }),
        }
    }
}
