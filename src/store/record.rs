//! One record's bytes. In the browser they lie outside of wasm memory, which never
//! shrinks; on the host, where the tests run, in a `Vec`.

#[cfg(not(target_arch = "wasm32"))]
pub use host::Record;
#[cfg(target_arch = "wasm32")]
pub use web::Record;

#[cfg(target_arch = "wasm32")]
mod web {
    use super::super::js::{Js, release};
    use crate::Result;
    use js_sys::{Array, ArrayBuffer, Uint8Array};
    use web_sys::Blob;

    /// A record: so many bytes of a memory that may have room for more.
    pub struct Record {
        memory: ArrayBuffer,
        len: u32,
    }

    impl Record {
        /// Empty, with room for `capacity` bytes.
        pub(crate) fn new(capacity: u32) -> Record {
            Record { memory: ArrayBuffer::new(capacity), len: 0 }
        }

        /// These bytes, all of them.
        pub(crate) fn of(memory: ArrayBuffer) -> Record {
            let len = memory.byte_length();
            Record { memory, len }
        }

        /// Empty, with room for `bytes` bytes: in `spare`, where that is large enough. Fresh
        /// memory costs as much as reading a record into it.
        pub(crate) fn with_room(bytes: u32, spare: Option<Record>) -> Record {
            match spare.filter(|spare| spare.capacity() >= bytes) {
                Some(mut spare) => {
                    spare.clear();
                    spare
                }
                None => Record::new(bytes),
            }
        }

        /// Bytes that are there.
        pub fn len(&self) -> u32 {
            self.len
        }

        /// Whether none are there.
        pub fn is_empty(&self) -> bool {
            self.len == 0
        }

        /// How many bytes it can hold.
        pub(crate) fn capacity(&self) -> u32 {
            self.memory.byte_length()
        }

        /// Makes it empty.
        pub(crate) fn clear(&mut self) {
            self.len = 0;
        }

        /// Adds bytes at the end, for which there is room.
        pub(crate) fn append(&mut self, bytes: &Uint8Array) -> Js<()> {
            let room = Uint8Array::new_with_byte_offset(&self.memory, self.len);
            room.set(bytes, 0);
            self.len += bytes.length();
            Ok(())
        }

        /// Copies the bytes from `start` on, as many as `into` takes.
        pub fn copy_to(&self, start: u32, into: &mut [u8]) {
            let len = into.len() as u32;
            Uint8Array::new_with_byte_offset_and_length(&self.memory, start, len).copy_to(into);
        }

        /// The bytes, where they are.
        pub(crate) fn view(&self) -> Uint8Array {
            Uint8Array::new_with_byte_offset_and_length(&self.memory, 0, self.len)
        }

        /// A record of its own with the same bytes.
        pub(crate) fn copied(&self) -> Record {
            Record::of(self.buffer())
        }

        /// The bytes, in memory of their own.
        pub(crate) fn buffer(&self) -> ArrayBuffer {
            self.memory.slice_with_end(0, self.len)
        }

        /// The bytes, as a file of the browser's. It does not change with the record.
        pub(crate) fn blob(&self) -> Js<Blob> {
            Blob::new_with_u8_array_sequence(&Array::of1(&self.view()))
        }

        /// Makes its next `bytes` bytes, for which there is room, its own: the caller fills them.
        pub(crate) fn grow(&mut self, bytes: u32) -> Uint8Array {
            let at = self.len;
            self.len += bytes;
            Uint8Array::new_with_byte_offset_and_length(&self.memory, at, bytes)
        }

        /// SHA-256 of the bytes, in hexadecimal. In a secure context its computation begins now.
        ///
        /// # Errors
        /// [`Error::Internal`](crate::Error::Internal) if the browser fails.
        pub(crate) fn sha256(&self) -> impl Future<Output = Result<String>> + use<> {
            super::super::digest::sha256(&self.memory, self.len)
        }
    }

    impl Drop for Record {
        fn drop(&mut self) {
            release(&self.memory);
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod host {
    use super::super::sha256;
    use crate::Result;

    /// A record.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct Record {
        bytes: Vec<u8>,
        capacity: u32,
    }

    #[allow(missing_docs, reason = "the twin of the browser's")]
    impl Record {
        pub(crate) fn new(capacity: u32) -> Record {
            Record { bytes: Vec::new(), capacity }
        }

        pub(crate) fn of(bytes: Vec<u8>) -> Record {
            Record { capacity: bytes.len() as u32, bytes }
        }

        pub fn len(&self) -> u32 {
            self.bytes.len() as u32
        }

        pub fn is_empty(&self) -> bool {
            self.bytes.is_empty()
        }

        pub(crate) fn capacity(&self) -> u32 {
            self.capacity
        }

        pub(crate) fn clear(&mut self) {
            self.bytes.clear();
        }

        pub(crate) fn append(&mut self, bytes: &[u8]) {
            assert!(self.bytes.len() + bytes.len() <= self.capacity as usize);
            self.bytes.extend_from_slice(bytes);
        }

        pub fn copy_to(&self, start: u32, into: &mut [u8]) {
            into.copy_from_slice(&self.bytes[start as usize..][..into.len()]);
        }

        pub(crate) fn bytes(&self) -> &[u8] {
            &self.bytes
        }

        pub(crate) fn copied(&self) -> Record {
            Record::of(self.bytes.clone())
        }

        pub(crate) fn sha256(&self) -> impl Future<Output = Result<String>> + use<> {
            std::future::ready(Ok(sha256::of(&self.bytes)))
        }
    }
}
