//! Large zeroed memory, which costs nothing before it is written to.
//!
//! An operating system, and a browser too, hands out pages of zeros and backs them with memory
//! at the first write. The standard allocator of wasm32 does not know of it, and writes zeros
//! itself: a KV cache of 4,096 positions would take its whole size from the beginning. So on
//! wasm32 large pieces are taken in whole pages, here.

#[cfg(any(test, target_arch = "wasm32"))]
mod free_pages;
#[cfg(target_arch = "wasm32")]
mod wasm;

use bytemuck::Zeroable;
use std::alloc::Layout;

/// `len` zeros; `None` where there is no memory for them.
#[allow(unsafe_code)] // no safe way makes a zeroed `Vec`, or fails
pub(crate) fn zeroed<T: Zeroable>(len: usize) -> Option<Vec<T>> {
    let layout = Layout::array::<T>(len).ok()?;
    if layout.size() == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the layout is that of `len` elements and not empty, and zeros are valid for each.
    // A `Vec` of this length and capacity frees with the same layout.
    unsafe {
        let start = std::alloc::alloc_zeroed(layout).cast::<T>();
        (!start.is_null()).then(|| Vec::from_raw_parts(start, len, len))
    }
}

/// Makes room for so many bytes to come, without writing to them. Returns how many there is
/// room for; more than asked for counts as all.
pub(crate) fn reserve(bytes: u64) -> u64 {
    #[cfg(target_arch = "wasm32")]
    return wasm::reserve(bytes);
    #[cfg(not(target_arch = "wasm32"))]
    bytes.min(isize::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_also_where_something_was() {
        for len in [0, 1, 1000, 1 << 20] {
            let mut first = zeroed::<u32>(len).unwrap();
            assert_eq!((first.len(), first.iter().max().copied().unwrap_or(0)), (len, 0));
            first.fill(u32::MAX);
            drop(first);
            assert!(zeroed::<u32>(len).unwrap().iter().all(|x| *x == 0), "{len}");
        }
        assert_eq!(zeroed::<u64>(usize::MAX), None);
    }
}
