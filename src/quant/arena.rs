//! Memory for packed weights: zeroed, aligned for SIMD, refused with an error
//! instead of a trap where there is none left.

use crate::{Error, Result, memory};

/// Bytes aligned to 16.
pub(super) struct Arena {
    words: Vec<u128>,
    len: usize,
}

impl Arena {
    pub(super) fn zeroed(len: u64) -> Result<Arena> {
        let full = || Error::OutOfMemory { needed: len };
        let len = usize::try_from(len).map_err(|_| full())?;
        let words = memory::zeroed(len.div_ceil(size_of::<u128>())).ok_or_else(full)?;
        Ok(Arena { words, len })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }
}

const _: () = assert!(align_of::<u128>() >= 8);

/// Copies the bytes of GGML blocks into candle's block structs.
///
/// # Panics
/// If the lengths differ.
#[allow(unsafe_code)] // candle offers no safe way from bytes to blocks without its matmul behind it
pub(super) fn copy_blocks<B: candle_core::quantized::k_quants::GgmlType>(
    bytes: &[u8],
    blocks: &mut [B],
) {
    assert_eq!(bytes.len(), size_of_val(blocks));
    // SAFETY: the lengths are equal; GGML's blocks are `repr(C)` integers and f16, valid
    // for any bytes, which candle asserts against GGML's sizes.
    unsafe {
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), blocks.as_mut_ptr().cast(), bytes.len());
    }
}
