//! A global allocator that counts what the current thread asks for.

#![allow(unsafe_code)] // `GlobalAlloc` is an unsafe trait; this only forwards to the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// Constant and without destructors, so that the allocator itself may touch them.
thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn change(bytes: isize) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call goes to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        change(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        change(-(layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // Both blocks may exist for a moment.
        change(new_size as isize);
        change(-(layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

/// What a piece of work asked for.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code)] // each test binary reads what it needs
pub(crate) struct Usage {
    /// Allocations and reallocations.
    pub(crate) count: usize,
    /// Most bytes held at a time, above those held before.
    pub(crate) peak_bytes: usize,
}

/// Runs `work` and says what it allocated on this thread.
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> (T, Usage) {
    let (count, live) = (COUNT.get(), LIVE.get());
    PEAK.set(live);
    let value = work();
    let peak_bytes = (PEAK.get() - live) as usize;
    (value, Usage { count: COUNT.get() - count, peak_bytes })
}
