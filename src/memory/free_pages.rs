//! Which pages are free, and whether anybody has written to them.

use std::ops::Range;

/// Ranges of free pages in ascending order. Neighbours are one, if they are alike.
pub(super) struct FreePages {
    /// The first `n` count.
    ranges: [Free; MOST],
    n: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Free {
    start: usize,
    end: usize,
    /// Whether they have been zero since the browser made them.
    untouched: bool,
}

/// Ranges that are remembered. Weights and caches live as long as the engine, so there are few.
const MOST: usize = 64;

impl FreePages {
    pub(super) const fn new() -> FreePages {
        FreePages { ranges: [Free { start: 0, end: 0, untouched: false }; MOST], n: 0 }
    }

    /// Takes `count` pages, where there are so many together: those that have been written to
    /// before others, as they take memory already. The first page, and whether they are
    /// untouched.
    pub(super) fn take(&mut self, count: usize) -> Option<(usize, bool)> {
        let fits = |untouched: bool| {
            let mut ranges = self.ranges[..self.n].iter();
            ranges.position(move |r| r.end - r.start >= count && r.untouched == untouched)
        };
        let at = fits(false).or_else(|| fits(true))?;
        let range = &mut self.ranges[at];
        let taken = (range.start, range.untouched);
        range.start += count;
        if range.start == range.end {
            self.remove(at);
        }
        Some(taken)
    }

    /// Gives pages back, or adds new ones.
    pub(super) fn put(&mut self, pages: Range<usize>, untouched: bool) {
        let new = Free { start: pages.start, end: pages.end, untouched };
        let at = self.ranges[..self.n].partition_point(|range| range.start < new.start);
        let joins =
            |left: Free, right: Free| left.end == right.start && left.untouched == right.untouched;
        let left = at > 0 && joins(self.ranges[at - 1], new);
        let right = at < self.n && joins(new, self.ranges[at]);
        match (left, right) {
            (true, true) => {
                self.ranges[at - 1].end = self.ranges[at].end;
                self.remove(at);
            }
            (true, false) => self.ranges[at - 1].end = new.end,
            (false, true) => self.ranges[at].start = new.start,
            (false, false) if self.n < MOST => {
                self.ranges.copy_within(at..self.n, at + 1);
                self.ranges[at] = new;
                self.n += 1;
            }
            // Forgotten: it costs addresses, until the worker ends.
            (false, false) => {}
        }
    }

    /// The most that are together.
    pub(super) fn largest(&self) -> usize {
        self.ranges[..self.n].iter().map(|range| range.end - range.start).max().unwrap_or(0)
    }

    fn remove(&mut self, at: usize) {
        self.ranges.copy_within(at + 1..self.n, at);
        self.n -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    impl FreePages {
        fn count(&self) -> usize {
            self.ranges[..self.n].iter().map(|range| range.end - range.start).sum()
        }
    }

    #[test]
    fn neighbours_are_joined_if_they_are_alike() {
        let mut free = FreePages::new();
        free.put(10..20, true);
        free.put(30..40, true);
        free.put(20..30, true);
        assert_eq!((free.n, free.count()), (1, 30));
        assert_eq!(free.take(10), Some((10, true)));
        free.put(15..20, false);
        assert_eq!((free.n, free.count(), free.largest()), (2, 25, 20));
        assert_eq!(free.take(21), None, "unlike neighbours are not joined");
        assert_eq!(free.take(5), Some((15, false)), "touched ones first");
        assert_eq!(free.take(20), Some((20, true)));
        assert_eq!((free.n, free.count()), (0, 0));
    }

    #[test]
    fn no_page_is_taken_twice_and_only_untouched_ones_count_as_such() {
        let mut random = StdRng::seed_from_u64(7);
        let mut free = FreePages::new();
        let (mut touched, mut taken) = (vec![false; 4000], Vec::<Range<usize>>::new());
        free.put(0..4000, true);
        for _ in 0..20_000 {
            if random.random_bool(0.5) || taken.is_empty() {
                let count = random.random_range(1..60);
                let Some((start, untouched)) = free.take(count) else {
                    continue;
                };
                let pages = start..start + count;
                assert!(taken.iter().all(|t| t.end <= pages.start || pages.end <= t.start));
                assert!(!untouched || touched[pages.clone()].iter().all(|touched| !touched));
                touched[pages.clone()].fill(true);
                taken.push(pages);
            } else {
                free.put(taken.swap_remove(random.random_range(0..taken.len())), false);
            }
        }
        taken.drain(..).for_each(|pages| free.put(pages, false));
        assert!(free.count() <= 4000);
    }
}
