//! A cursor over the bytes that have arrived, and the caps on what they claim.

use super::sniff;
use crate::error::Error;

/// Bytes of a whole header. The largest vocabularies (260,000 tokens and their
/// merges) take some 20 MiB.
pub(super) const MAX_HEADER_BYTES: u64 = 128 << 20;
/// Entries of the tensor table; unfused mixtures of experts reach some 50,000.
pub(super) const MAX_TENSORS: u64 = 1 << 16;
/// Metadata keys; real models have 20 to 60.
pub(super) const MAX_KEYS: u64 = 1 << 16;
/// Bytes of a key (the format's limit).
pub(super) const MAX_KEY_BYTES: u64 = (1 << 16) - 1;
/// Bytes of a tensor's name (the format's limit).
pub(super) const MAX_NAME_BYTES: u64 = 64;
/// Bytes of one string value; the longest chat templates take some 100 KiB.
pub(super) const MAX_STRING_BYTES: u64 = 16 << 20;
/// Elements of one array.
pub(super) const MAX_ARRAY_LEN: u64 = 1 << 24;
/// Arrays within arrays: no model uses even two.
pub(super) const MAX_ARRAY_DEPTH: u32 = 4;
/// Dimensions of a tensor (GGML's limit).
pub(super) const MAX_DIMS: u32 = 4;

/// Why reading stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The bytes ended; so many from the file's start are needed to go on.
    Need(u64),
    /// The bytes are wrong.
    Bad(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Bad(error)
    }
}

/// Result of one reading step.
pub(super) type Step<T> = Result<T, Stop>;

/// The fixed fields at the file's start.
pub(super) struct Preamble {
    pub(super) version: u32,
    pub(super) n_tensors: u64,
    pub(super) n_keys: u64,
}

/// A cursor; positions are bytes from the file's start.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, position: 0 }
    }

    pub(super) fn position(&self) -> u64 {
        self.position as u64
    }

    /// Checks that `n` more bytes are there, without moving.
    pub(super) fn require(&self, n: u64) -> Step<()> {
        let end = self.position().saturating_add(n);
        if end > MAX_HEADER_BYTES {
            return Err(bad(format!("the header is longer than {MAX_HEADER_BYTES} bytes")).into());
        }
        if end > self.bytes.len() as u64 {
            return Err(Stop::Need(end));
        }
        Ok(())
    }

    /// The next `n` bytes.
    pub(super) fn take(&mut self, n: u64) -> Step<&'a [u8]> {
        self.require(n)?;
        // `require` has shown that `n` fits into the slice, so into usize.
        let end = self.position + n as usize;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    /// The next `N` bytes, for `from_le_bytes`.
    pub(super) fn fixed<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64)?);
        Ok(out)
    }

    pub(super) fn u32(&mut self) -> Step<u32> {
        self.fixed().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Step<u64> {
        self.fixed().map(u64::from_le_bytes)
    }

    /// A count that may not pass `max`; `what` names the counted in the plural.
    pub(super) fn count(&mut self, max: u64, what: &str) -> Step<u64> {
        let count = self.u64()?;
        if count > max {
            return Err(bad(format!("it claims {count} {what}, more than {max}")).into());
        }
        Ok(count)
    }

    /// A string's bytes, at most `max`.
    pub(super) fn string_bytes(&mut self, max: u64, what: &str) -> Step<&'a [u8]> {
        let n = self.u64()?;
        if n > max {
            return Err(bad(format!("{what} of {n} bytes is longer than {max}")).into());
        }
        self.take(n)
    }

    /// A string, at most `max` bytes.
    pub(super) fn string(&mut self, max: u64, what: &str) -> Step<&'a str> {
        let at = self.position;
        let bytes = self.string_bytes(max, what)?;
        std::str::from_utf8(bytes)
            .map_err(|_| bad(format!("{what} at byte {at} is not valid UTF-8")).into())
    }

    /// A tensor's number of dimensions.
    pub(super) fn n_dims(&mut self) -> Step<u32> {
        let n = self.u32()?;
        if !(1..=MAX_DIMS).contains(&n) {
            return Err(bad(format!("a tensor has {n} dimensions instead of 1 to 4")).into());
        }
        Ok(n)
    }

    /// Magic, version and counts.
    pub(super) fn preamble(&mut self) -> Step<Preamble> {
        sniff::magic(self.bytes)?;
        self.take(4)?;
        let version = self.u32()?;
        match version {
            2 | 3 => {}
            // A small number whose bytes stand the other way round.
            v if v != 0 && v.trailing_zeros() >= 16 => {
                let what = "it is stored big-endian, and only little-endian files can be read";
                return Err(bad(what.to_owned()).into());
            }
            version => return Err(Error::BadVersion { version }.into()),
        }
        let n_tensors = self.count(MAX_TENSORS, "tensors")?;
        let n_keys = self.count(MAX_KEYS, "metadata keys")?;
        Ok(Preamble { version, n_tensors, n_keys })
    }
}

/// [`Error::BadHeader`] with its clause.
pub(super) fn bad(what: String) -> Error {
    Error::BadHeader { what }
}

/// A name from the file, fit for an error's text: escaped, and cut where long.
pub(super) fn quote(name: &str) -> String {
    const MAX_CHARS: usize = 64;
    if name.chars().nth(MAX_CHARS).is_none() {
        return format!("{name:?}");
    }
    let head: String = name.chars().take(MAX_CHARS).collect();
    format!("{head:?}…")
}
