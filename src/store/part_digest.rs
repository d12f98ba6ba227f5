//! The digest of a whole part, while it is handed out.

use super::sha256::Hasher;
use crate::{Error, Result};

/// Watches over one part.
pub(super) struct PartDigest {
    part: u32,
    expected: String,
    hasher: Hasher,
    /// Whether its first bytes came from the store.
    stored: bool,
}

impl PartDigest {
    pub(super) fn new(part: u32, expected: &str, stored: bool) -> PartDigest {
        let expected = expected.to_ascii_lowercase();
        PartDigest { part, expected, hasher: Hasher::default(), stored }
    }

    pub(super) fn part(&self) -> u32 {
        self.part
    }

    pub(super) fn began_stored(&self) -> bool {
        self.stored
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The digest, if it is the expected one.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`].
    pub(super) fn finish(self, url: &str) -> Result<String> {
        let (found, expected) = (self.hasher.finish(), self.expected);
        match found == expected {
            true => Ok(found),
            false => Err(Error::DigestMismatch { url: url.into(), expected, found }),
        }
    }
}
