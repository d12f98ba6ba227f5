//! The memory of one record, used again for the next.

use super::js::release;
use js_sys::{ArrayBuffer, Uint8Array};

/// A record while it is being filled.
pub(super) struct RecordBuffer {
    bytes: ArrayBuffer,
    filled: u32,
}

impl RecordBuffer {
    /// Empty, with room for `capacity` bytes.
    pub(super) fn new(capacity: u32) -> RecordBuffer {
        RecordBuffer { bytes: ArrayBuffer::new(capacity), filled: 0 }
    }

    /// Where the next bytes go.
    pub(super) fn room(&self) -> Uint8Array {
        Uint8Array::new_with_byte_offset(&self.bytes, self.filled)
    }

    /// Takes note that `n` bytes stand in the room, `bytes` being the whole memory now.
    pub(super) fn add(&mut self, bytes: ArrayBuffer, n: u32) {
        self.bytes = bytes;
        self.filled += n;
    }

    /// The last `n` bytes.
    pub(super) fn last(&self, n: u32) -> Uint8Array {
        Uint8Array::new_with_byte_offset_and_length(&self.bytes, self.filled - n, n)
    }

    /// Whether nothing is there.
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Whether there is no room left.
    pub(super) fn is_full(&self) -> bool {
        self.filled == self.bytes.byte_length()
    }

    /// The whole memory, if it is full, and a copy of what is there otherwise.
    pub(super) fn contents(&self) -> ArrayBuffer {
        if self.is_full() { self.bytes.clone() } else { self.bytes.slice_with_end(0, self.filled) }
    }

    /// Makes it empty; the bytes stay until others take their place.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }
}

impl Drop for RecordBuffer {
    fn drop(&mut self) {
        release(&self.bytes);
    }
}
