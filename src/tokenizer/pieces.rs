//! One byte string for each token, stored end to end.

/// A list of byte strings in two allocations.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// Where each string ends; it begins where the one before ends.
    ends: Vec<u32>,
}

impl Pieces {
    /// Room for `n` strings of `n_bytes` together.
    pub(super) fn with_capacity(n: usize, n_bytes: usize) -> Pieces {
        Pieces { bytes: Vec::with_capacity(n_bytes), ends: Vec::with_capacity(n) }
    }

    /// Appends a string. All together must stay under 4 GiB, which the size of a header
    /// ensures.
    pub(super) fn push(&mut self, piece: impl IntoIterator<Item = u8>) {
        self.bytes.extend(piece);
        self.ends.push(self.bytes.len() as u32);
    }

    /// The string of token `id`; empty out of range.
    pub(super) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start as usize..end as usize]
    }

    /// Number of strings.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// The byte that a text `<0xHH>` stands for.
pub(super) fn byte_of(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    // `from_str_radix` alone would take a sign.
    let two_digits = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    two_digits.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back() {
        let mut pieces = Pieces::with_capacity(3, 0);
        for piece in [b"".as_slice(), b"ab", b"", b"\xff"] {
            pieces.push(piece.iter().copied());
        }
        let all: Vec<&[u8]> = (0..5).map(|id| pieces.get(id)).collect();
        assert_eq!(all, [b"".as_slice(), b"ab", b"", b"\xff", b""]);
        assert_eq!((pieces.len(), pieces.get(u32::MAX)), (4, b"".as_slice()));
    }

    #[test]
    fn byte_texts() {
        assert_eq!(byte_of("<0x0A>"), Some(10));
        assert_eq!(byte_of("<0xff>"), Some(255));
        for text in ["<0x0A", "0x0A", "<0x+A>", "<0x00A>", "<0x>", "", "<0xé>"] {
            assert_eq!(byte_of(text), None, "{text}");
        }
    }
}
