//! IQ4_XS: 256 columns as f16 d, the upper two bits of 8 scales in a u16, their lower four
//! bits in 4 bytes, and eight times 16 bytes as in IQ4_NL. Weight = d·(scale - 32)·level.

use super::affine::half_at;
use super::table4::{Block, nibbles};

pub(super) const BYTES: usize = 2 + 2 + 4 + 128;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block {
    let low = bytes[4 + i / 2] >> (i % 2 * 4) & 15;
    let high = bytes[2 + i / 4] >> (i % 4 * 2) & 3;
    let scale = (low | high << 4) as f32 - 32.0;
    Block { q: nibbles(&bytes[8 + 16 * i..]), d: half_at(bytes, 0) * scale }
}
