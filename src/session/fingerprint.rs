//! Which file a model is: a hash of all its bytes, so that a saved session of another model
//! is never taken for one of this.

/// FNV-1a over 8 bytes at a time: fast, and it need not withstand an adversary, who could
/// change the session itself as well.
#[derive(Clone, Debug)]
pub(super) struct Fingerprint {
    hash: u64,
    len: u64,
    /// Bytes that do not fill a word yet.
    open: [u8; 8],
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

impl Default for Fingerprint {
    fn default() -> Fingerprint {
        Fingerprint { hash: OFFSET, len: 0, open: [0; 8] }
    }
}

impl Fingerprint {
    /// Takes the next bytes, however they are cut.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        let filled = (self.len % 8) as usize;
        self.len += bytes.len() as u64;
        if filled > 0 {
            let (head, rest) = bytes.split_at(bytes.len().min(8 - filled));
            self.open[filled..filled + head.len()].copy_from_slice(head);
            if filled + head.len() < 8 {
                return;
            }
            self.mix(u64::from_le_bytes(self.open));
            bytes = rest;
        }
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        self.open[..rest.len()].copy_from_slice(rest);
    }

    /// The hash and the length, as text.
    pub(super) fn finish(mut self) -> String {
        let filled = (self.len % 8) as usize;
        self.open[filled..].fill(0);
        self.mix(u64::from_le_bytes(self.open));
        format!("{:016x}-{}", self.hash, self.len)
    }

    fn mix(&mut self, word: u64) {
        // The multiplication carries upwards only: the rotation brings the high bits down.
        self.hash = (self.hash ^ word).wrapping_mul(PRIME).rotate_left(23);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_depends_on_every_byte_and_not_on_the_cuts() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| (i * 7 % 251) as u8).collect();
        let of = |bytes: &[u8], piece: usize| {
            let mut fingerprint = Fingerprint::default();
            bytes.chunks(piece).for_each(|piece| fingerprint.update(piece));
            fingerprint.finish()
        };
        let whole = of(&bytes, 1000);
        for piece in [1, 3, 7, 8, 9, 64, 999] {
            assert_eq!(of(&bytes, piece), whole, "{piece}");
        }
        for at in [0, 7, 8, 500, 999] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(of(&other, 1000), whole, "{at}");
        }
        assert_ne!(of(&bytes[..999], 1000), whole);
        assert_ne!(of(&[0; 8], 8), of(&[0; 9], 8));
    }
}
