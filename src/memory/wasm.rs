//! The allocator of wasm32: the standard one, with large pieces in whole pages.
#![allow(unsafe_code)] // an allocator is unsafe by its nature

use super::free_pages::FreePages;
use core::arch::wasm32::{memory_grow, memory_size};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes of a page of wasm.
const PAGE: usize = 64 << 10;
/// Pieces of this size are taken in pages.
const LARGE: usize = 4 * PAGE;
/// Pages that memory grows by at a time when room is made.
const STEP: usize = 4096;

struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: pieces below `LARGE` are the standard allocator's, whatever is done with them; of the
// others each has whole pages of its own, until it is freed with the same layout.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        FREE.begin();
        match pages(layout) {
            // SAFETY: as the caller promises.
            None => unsafe { System.alloc(layout) },
            Some(count) => take(count).map_or(std::ptr::null_mut(), |(start, _)| start),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        FREE.begin();
        let Some(count) = pages(layout) else {
            // SAFETY: as the caller promises.
            return unsafe { System.alloc_zeroed(layout) };
        };
        let Some((start, untouched)) = take(count) else { return std::ptr::null_mut() };
        if !untouched {
            // SAFETY: the pages are ours, and no smaller than the piece.
            unsafe { start.write_bytes(0, layout.size()) };
        }
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        match pages(layout) {
            // SAFETY: as the caller promises.
            None => unsafe { System.dealloc(start, layout) },
            Some(count) => {
                let first = start.addr() / PAGE;
                FREE.with(|free| free.put(first..first + count, false));
            }
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size is fit for a layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (pages(layout), pages(new)) {
            // SAFETY: as the caller promises.
            (None, None) => unsafe { System.realloc(start, layout, size) },
            (Some(old), Some(new)) if old == new => start,
            _ => {
                // SAFETY: two pieces, of which as many bytes are copied as both have.
                unsafe {
                    let moved = self.alloc(new);
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(start, size.min(layout.size()));
                        self.dealloc(start, layout);
                    }
                    moved
                }
            }
        }
    }
}

/// Pages of a piece; `None` for what the standard allocator does.
fn pages(layout: Layout) -> Option<usize> {
    (layout.size() >= LARGE && layout.align() <= PAGE).then(|| layout.size().div_ceil(PAGE))
}

/// So many pages, and whether nobody has written to them yet.
fn take(count: usize) -> Option<(*mut u8, bool)> {
    let taken = FREE.with(|free| free.take(count));
    let (first, untouched) = match taken {
        Some(taken) => taken,
        None => (grow(count)?, true),
    };
    Some((std::ptr::with_exposed_provenance_mut(first * PAGE), untouched))
}

/// New pages at the end of memory.
fn grow(count: usize) -> Option<usize> {
    match memory_grow(0, count) {
        usize::MAX => None,
        first => Some(first),
    }
}

/// Makes room for so many bytes in one place; how many there is room for. Of what is free in
/// small places, a large piece that comes last could have none.
pub(super) fn reserve(bytes: u64) -> u64 {
    let wanted = bytes.div_ceil(PAGE as u64);
    let mut have = FREE.with(|free| free.largest()) as u64;
    while have < wanted {
        let step = STEP.min((wanted - have) as usize);
        let Some(first) = grow(step) else { break };
        have = FREE.with(|free| {
            free.put(first..first + step, true);
            free.largest()
        }) as u64;
    }
    have * PAGE as u64
}

/// What is free, of all threads.
static FREE: Free = Free {
    began_with: AtomicUsize::new(0),
    busy: AtomicBool::new(false),
    pages: UnsafeCell::new(None),
};

struct Free {
    /// Pages of memory when the first piece was asked for.
    began_with: AtomicUsize,
    busy: AtomicBool,
    pages: UnsafeCell<Option<FreePages>>,
}

// SAFETY: `with` lets one thread at a time to the pages.
unsafe impl Sync for Free {}

impl Free {
    /// Takes note of the size of memory before anybody lets it grow.
    fn begin(&self) {
        if self.began_with.load(Ordering::Relaxed) == 0 {
            // Helpers are made by the first thread, which has been here before.
            self.began_with.store(memory_size(0), Ordering::Relaxed);
        }
    }

    fn with<T>(&self, then: impl FnOnce(&mut FreePages) -> T) -> T {
        // Never for long, and the first thread must not sleep: it could be a page's.
        while self.busy.swap(true, Ordering::Acquire) {
            spin_loop();
        }
        // SAFETY: the flag is ours, and `then` does not come back here.
        let pages = unsafe { &mut *self.pages.get() };
        let result = then(pages.get_or_insert_with(|| self.initial()));
        self.busy.store(false, Ordering::Release);
        result
    }

    /// The pages that memory began with beyond what the binary needs: shared memory is made
    /// before it, larger than needed, and nobody else uses them.
    fn initial(&self) -> FreePages {
        unsafe extern "C" {
            static __heap_base: u8;
        }
        let mut free = FreePages::new();
        // wasm-bindgen keeps a few words of its own behind what the linker has placed.
        let start = (&raw const __heap_base).addr().div_ceil(PAGE) + 1;
        let end = self.began_with.load(Ordering::Relaxed);
        if start < end {
            free.put(start..end, true);
        }
        free
    }
}
