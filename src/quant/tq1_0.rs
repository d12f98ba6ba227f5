//! TQ1_0: 256 columns as 52 bytes of base-3 digits, f16 d. A byte holds the fraction
//! n / 243 times 256, rounded up, whose digits are ternary: times 3^k, the next one stands
//! above 8 bits. 32 bytes hold five digits each (digit k: columns 32·k ..), the next 16 as
//! well (columns 160 + 16·k ..), the last 4 hold four (columns 240 + 4·k ..).
//! Weight = d·(digit - 1).

use super::affine::{Block, half_at};

pub(super) const BYTES: usize = 48 + 4 + 2;

pub(super) fn block(bytes: &[u8; BYTES], i: usize) -> Block<1> {
    let d = half_at(bytes, 52);
    Block { q: core::array::from_fn(|l| digit(bytes, 32 * i + l)), scales: [(d, -d)] }
}

fn digit(bytes: &[u8], column: usize) -> u8 {
    let (byte, k) = match column {
        0..160 => (bytes[column % 32], column / 32),
        160..240 => (bytes[32 + column % 16], (column - 160) / 16),
        _ => (bytes[48 + column % 4], (column - 240) / 4),
    };
    let shifted = byte.wrapping_mul([1, 3, 9, 27, 81][k]);
    ((shifted as u16 * 3) >> 8) as u8
}
