//! The thread team: a fixed set of threads that run one closure together.
//!
//! The leader calls [`Team::run`]; helpers sit in [`helper_loop`]. A region costs two
//! meetings: all start, all end. Waiting threads spin for a bounded number of turns
//! (a forward pass has some hundred regions, a few microseconds apart) and then
//! sleep. A helper that dies marks the team as broken, so that the leader ends in
//! [`Error::ThreadLost`] and never hangs. With one thread there is no machinery at all.

use crate::{Error, Result};
use std::cell::{Cell, UnsafeCell};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// The most threads a team can have.
pub(crate) const MAX_THREADS: usize = 16;

/// Turns to spin before sleeping: enough for the time between two passes, in which a token is
/// chosen (with a tenth of it a small model's decode takes a twentieth longer), and little enough
/// that a program on the same core gets it soon.
const SPIN: u32 = if cfg!(test) { 5_000 } else { 500_000 };

type Job = dyn Fn(usize) + Sync;

/// One region in `Shared::epoch`.
const REGION: u32 = 32;
const _: () = assert!(MAX_THREADS < REGION as usize);

/// A word on a cache line of its own.
#[repr(align(128))]
struct Line<T>(T);

struct Shared {
    n: usize,
    /// Threads that take part in the next region; the others sleep through it.
    active: AtomicU32,
    /// Counts regions, in steps of [`REGION`]; below it, how many threads take part. A helper
    /// looks when it changes.
    epoch: Line<AtomicU32>,
    /// Helpers still inside the current region.
    running: Line<AtomicU32>,
    /// Helpers asleep, and whether the leader is.
    sleepers: AtomicU32,
    leader_sleeps: AtomicBool,
    lock: Mutex<()>,
    start: Condvar,
    end: Condvar,
    /// Whether a region is running.
    busy: AtomicBool,
    broken: AtomicBool,
    closed: AtomicBool,
    job: UnsafeCell<Option<*const Job>>,
}

// SAFETY: `job` is written by the leader only between regions, and read by helpers only
// within one; `epoch` (release, acquire) and `running` order the two.
#[allow(unsafe_code)]
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` is only followed while the leader keeps its target alive.
#[allow(unsafe_code)]
unsafe impl Send for Shared {}

/// The team as its leader sees it.
pub(crate) struct Team {
    shared: Arc<Shared>,
}

/// The team of this wasm instance, for [`helper_loop`]: wasm threads start with
/// nothing but their number.
static WASM_TEAM: OnceLock<Arc<Shared>> = OnceLock::new();

impl Team {
    /// A team of `n` threads (1 to [`MAX_THREADS`]), the caller among them.
    ///
    /// On the host the helpers are started here. On wasm32 the caller starts them as
    /// workers that call [`helper_loop`], each number once.
    pub(crate) fn new(n: usize) -> Team {
        // A second team in one wasm instance would have no helpers: it is a team of one.
        let taken = cfg!(target_arch = "wasm32") && WASM_TEAM.get().is_some();
        let n = if taken { 1 } else { n.clamp(1, MAX_THREADS) };
        let shared = Arc::new(Shared {
            n,
            active: AtomicU32::new(n as u32),
            epoch: Line(AtomicU32::new(0)),
            running: Line(AtomicU32::new(0)),
            sleepers: AtomicU32::new(0),
            leader_sleeps: AtomicBool::new(false),
            lock: Mutex::new(()),
            start: Condvar::new(),
            end: Condvar::new(),
            busy: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            job: UnsafeCell::new(None),
        });
        if cfg!(target_arch = "wasm32") {
            // Fails for the second one.
            let _ = WASM_TEAM.set(shared.clone());
        } else {
            for tid in 1..n {
                let shared = shared.clone();
                std::thread::spawn(move || shared.help(tid));
            }
        }
        Team { shared }
    }

    /// Threads that regions run on now.
    #[allow(clippy::len_without_is_empty)] // a team is never empty
    pub(crate) fn len(&self) -> usize {
        self.shared.active.load(Ordering::Relaxed) as usize
    }

    /// Threads in the team.
    pub(crate) fn size(&self) -> usize {
        self.shared.n
    }

    /// Runs the regions to come on `n` threads only (1 to [`Team::size`]).
    pub(crate) fn set_len(&self, n: usize) {
        self.shared.active.store(n.clamp(1, self.shared.n) as u32, Ordering::Relaxed);
    }

    /// Runs `f(tid)` once on every active thread, tid in 0..len, and returns when all are done.
    ///
    /// # Errors
    /// [`Error::ThreadLost`] if more than one thread is active and a helper died, now or before.
    ///
    /// # Panics
    /// If a region is running: `f` must not start another.
    pub(crate) fn run(&self, f: impl Fn(usize) + Sync) -> Result<()> {
        let shared = &*self.shared;
        let n = self.len();
        assert!(!shared.busy.swap(true, Ordering::Acquire), "a region within a region");
        let _idle = Idle(&shared.busy);
        if n > 1 {
            if shared.broken.load(Ordering::Acquire) {
                return Err(Error::ThreadLost);
            }
            let job: *const (dyn Fn(usize) + Sync + '_) = &f;
            // SAFETY: no helper reads `job` between regions. The lifetime is erased, but
            // helpers follow the pointer only until `running` is 0, which `join` awaits
            // before `f` is dropped, also when this thread unwinds.
            #[allow(unsafe_code)]
            unsafe {
                *shared.job.get() = Some(std::mem::transmute::<
                    *const (dyn Fn(usize) + Sync + '_),
                    *const Job,
                >(job));
            }
            shared.running.0.store(n as u32 - 1, Ordering::Relaxed);
            shared.begin(n);
        }
        let join = (n > 1).then(|| Join(shared));
        f(0);
        drop(join);
        if n > 1 && shared.broken.load(Ordering::Acquire) { Err(Error::ThreadLost) } else { Ok(()) }
    }

    /// Runs `f` on every thread if `many`, else on this one alone: for work that may be too
    /// small to share.
    pub(crate) fn run_if(&self, many: bool, f: impl Fn(usize) + Sync) -> Result<()> {
        if many {
            self.run(f)
        } else {
            f(0);
            Ok(())
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.begin(self.shared.n);
    }
}

/// Ends a region when it goes out of scope.
struct Idle<'a>(&'a AtomicBool);

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Waits for the helpers when it goes out of scope.
struct Join<'a>(&'a Shared);

impl Drop for Join<'_> {
    fn drop(&mut self) {
        let shared = self.0;
        let done = || shared.running.0.load(Ordering::Acquire) == 0;
        if spin_until(done) {
            return;
        }
        let mut guard = shared.lock();
        shared.leader_sleeps.store(true, Ordering::SeqCst);
        while shared.running.0.load(Ordering::SeqCst) != 0 {
            guard = shared.end.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        shared.leader_sleeps.store(false, Ordering::SeqCst);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, ()> {
        // The lock guards no data: a panic elsewhere leaves nothing half-done.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a region on `n` threads.
    fn begin(&self, n: usize) {
        let region = self.epoch.0.load(Ordering::Relaxed) / REGION;
        self.epoch
            .0
            .store(region.wrapping_add(1).wrapping_mul(REGION) + n as u32, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.lock());
            self.start.notify_all();
        }
    }

    /// A helper leaves the region.
    fn leave(&self) {
        if self.running.0.fetch_sub(1, Ordering::SeqCst) == 1
            && self.leader_sleeps.load(Ordering::SeqCst)
        {
            drop(self.lock());
            self.end.notify_one();
        }
    }

    /// What a helper does all its life.
    fn help(&self, tid: usize) {
        // A helper may miss regions that it has no part in, but no other: they end only
        // when all who take part have left.
        let mut seen = 0;
        loop {
            seen = self.await_region(seen);
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            if tid >= (seen % REGION) as usize {
                continue;
            }
            // SAFETY: within a region `job` is set and not written.
            #[allow(unsafe_code)]
            let job = unsafe { *self.job.get() };
            let leave = Leave::new(self);
            if let Some(job) = job {
                // SAFETY: the leader keeps the closure alive until this thread has left.
                #[allow(unsafe_code)]
                unsafe {
                    (*job)(tid);
                }
            }
            drop(leave);
        }
    }

    /// Waits until `epoch` is not `seen` any more, and returns it.
    fn await_region(&self, seen: u32) -> u32 {
        if spin_until(|| self.epoch.0.load(Ordering::Acquire) != seen) {
            return self.epoch.0.load(Ordering::Acquire);
        }
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.lock();
        while self.epoch.0.load(Ordering::SeqCst) == seen {
            guard = self.start.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        self.epoch.0.load(Ordering::Acquire)
    }
}

thread_local! {
    /// Whether this thread helps in a region now.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Marks a helper as out of the region; as dead, if it unwinds.
struct Leave<'a>(&'a Shared);

impl Leave<'_> {
    fn new(shared: &Shared) -> Leave<'_> {
        INSIDE.set(true);
        Leave(shared)
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        INSIDE.set(false);
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
        }
        self.0.leave();
    }
}

fn spin_until(done: impl Fn() -> bool) -> bool {
    for _ in 0..SPIN {
        if done() {
            return true;
        }
        std::hint::spin_loop();
    }
    done()
}

/// Makes the calling wasm thread helper `tid` (1..n) of this instance's team. Returns
/// when the team is dropped.
///
/// # Errors
/// [`Error::Internal`] if there is no team.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))] // the host starts its own
pub(crate) fn helper_loop(tid: usize) -> Result<()> {
    let team = WASM_TEAM.get().ok_or(Error::Internal { what: "no thread team".into() })?;
    team.help(tid);
    Ok(())
}

/// Tells the team that the calling helper has trapped. A trap does not unwind, so the
/// worker's JavaScript calls this from its `catch`. A region that the helper is not in does
/// not wait for it.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))] // the host unwinds
pub(crate) fn poison() {
    if let Some(team) = WASM_TEAM.get() {
        team.broken.store(true, Ordering::Release);
        if INSIDE.get() {
            team.leave();
        }
    }
}

/// The share of `tid` of `n` threads in `0..len`, in whole granules; the last one takes
/// what is left.
pub(crate) fn share(len: usize, granule: usize, tid: usize, n: usize) -> Range<usize> {
    let granules = len.div_ceil(granule);
    let at = |i: usize| (granules * i / n * granule).min(len);
    at(tid)..at(tid + 1)
}

/// A slice cut into consecutive parts that threads take, each its own.
pub(crate) struct Parts<'a, T>([Mutex<Option<&'a mut [T]>>; MAX_THREADS]);

impl<'a, T> Parts<'a, T> {
    /// Cuts `slice` into `n` parts at the bounds that [`share`] gives for rows of
    /// `row_len` values, `granule` rows at a time.
    pub(crate) fn new(slice: &'a mut [T], row_len: usize, granule: usize, n: usize) -> Self {
        let n_rows = slice.len() / row_len;
        let mut rest = slice;
        Parts(std::array::from_fn(|tid| {
            if tid >= n {
                return Mutex::new(None);
            }
            let len = share(n_rows, granule, tid, n).len() * row_len;
            let (part, after) = std::mem::take(&mut rest).split_at_mut(len);
            rest = after;
            Mutex::new(Some(part))
        }))
    }

    /// The part of a thread; empty when it was taken before.
    pub(crate) fn take(&self, tid: usize) -> &'a mut [T] {
        self.0[tid].lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

/// One value for each thread, locked by its owner only.
pub(crate) struct PerThread<T>(Vec<Mutex<T>>);

impl<T> PerThread<T> {
    /// Values for `n` threads.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn new(n: usize, make: impl Fn() -> Result<T>) -> Result<PerThread<T>> {
        let values: Result<_> = (0..n).map(|_| make().map(Mutex::new)).collect();
        Ok(PerThread(values?))
    }

    /// The value of a thread.
    pub(crate) fn of(&self, tid: usize) -> MutexGuard<'_, T> {
        self.0[tid].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_thread_runs_every_region() {
        for n in 1..=4 {
            let team = Team::new(n);
            let counts: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            for region in 1..=2000 {
                team.run(|tid| {
                    counts[tid].fetch_add(1, Ordering::Relaxed);
                })
                .unwrap();
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == region));
            }
        }
    }

    #[test]
    fn some_may_sleep_through_regions() {
        let team = Team::new(4);
        for turn in 0..2000 {
            let n = [4, 1, 2, 3, 1, 4][turn % 6];
            team.set_len(n);
            let counts: Vec<AtomicUsize> = (0..4).map(|_| AtomicUsize::new(0)).collect();
            team.run(|tid| {
                counts[tid].fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
            for (tid, count) in counts.iter().enumerate() {
                assert_eq!(count.load(Ordering::Relaxed), usize::from(tid < n));
            }
        }
        assert_eq!((team.len(), team.size()), (1, 4));
    }

    #[test]
    fn sleeping_helpers_wake_up() {
        let team = Team::new(3);
        let sum = AtomicUsize::new(0);
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(60));
            team.run(|tid| {
                // The leader, done first, sleeps as well.
                std::thread::sleep(std::time::Duration::from_millis(60 * tid as u64));
                sum.fetch_add(tid + 1, Ordering::Relaxed);
            })
            .unwrap();
        }
        assert_eq!(sum.into_inner(), 18);
    }

    #[test]
    #[should_panic(expected = "a region within a region")]
    fn regions_do_not_nest() {
        let team = Team::new(1);
        let _ = team.run(|_| drop(team.run(|_| ())));
    }

    #[test]
    fn a_dead_helper_is_an_error_not_a_hang() {
        let team = Team::new(2);
        assert_eq!(team.run(|tid| assert_eq!(tid, 0)), Err(Error::ThreadLost));
        assert_eq!(team.run(|_| ()), Err(Error::ThreadLost));
    }

    #[test]
    fn parts_cover_a_slice_in_granules() {
        for (rows, granule, n) in [(10, 4, 3), (3, 8, 2), (0, 4, 2), (17, 1, 4), (8, 8, 1)] {
            let mut slice = vec![0; rows * 2];
            let parts = Parts::new(&mut slice, 2, granule, n);
            for tid in 0..n {
                let range = share(rows, granule, tid, n);
                assert!(range.start.is_multiple_of(granule) || range.is_empty());
                let part = parts.take(tid);
                assert_eq!(part.len(), range.len() * 2);
                part.fill(tid + 1);
                assert!(parts.take(tid).is_empty());
            }
            assert!(slice.is_sorted() && slice.iter().all(|&tid| tid > 0));
        }
    }
}
