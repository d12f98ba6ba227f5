//! Disjoint column stripes of a row-major matrix: one for each thread, or as threads ask.

use core::marker::PhantomData;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A row-major matrix `[n_rows, stride]` whose column ranges are handed out,
/// each once, to the threads of a team.
pub(crate) struct Columns<'a, const N: usize> {
    start: *mut f32,
    n_rows: usize,
    stride: usize,
    parts: [Range<usize>; N],
    taken: [AtomicBool; N],
    life: PhantomData<&'a mut [f32]>,
}

// SAFETY: the parts are disjoint (checked in `new`) and each is taken once (checked in `take`).
unsafe impl<const N: usize> Sync for Columns<'_, N> {}

impl<'a, const N: usize> Columns<'a, N> {
    /// `parts` are ascending, disjoint column ranges within `stride`.
    ///
    /// # Panics
    /// If they are not, or `matrix` is not a whole number of rows.
    pub(crate) fn new(matrix: &'a mut [f32], stride: usize, parts: [Range<usize>; N]) -> Self {
        assert!(stride > 0 && matrix.len().is_multiple_of(stride));
        let mut end = 0;
        for p in &parts {
            assert!(end <= p.start && p.start <= p.end && p.end <= stride);
            end = p.end;
        }
        Columns {
            start: matrix.as_mut_ptr(),
            n_rows: matrix.len() / stride,
            stride,
            parts,
            taken: [const { AtomicBool::new(false) }; N],
            life: PhantomData,
        }
    }

    /// The stripe of part `i`.
    ///
    /// # Panics
    /// If it was taken before.
    pub(crate) fn take(&self, i: usize) -> Stripe<'_> {
        assert!(!self.taken[i].swap(true, Ordering::Relaxed), "stripe {i} is taken already");
        Stripe {
            start: self.start,
            n_rows: self.n_rows,
            stride: self.stride,
            columns: self.parts[i].clone(),
            life: PhantomData,
        }
    }
}

/// A row-major matrix `[n_rows, stride]` whose columns are handed out in stripes of one width, to
/// whoever asks next.
pub(crate) struct ColumnQueue<'a> {
    start: *mut f32,
    n_rows: usize,
    stride: usize,
    width: usize,
    /// The first column that nobody has.
    next: AtomicUsize,
    life: PhantomData<&'a mut [f32]>,
}

// SAFETY: the stripes are disjoint, as no column is counted twice.
unsafe impl Sync for ColumnQueue<'_> {}

impl<'a> ColumnQueue<'a> {
    /// Stripes of `width` columns; the last one may be narrower.
    ///
    /// # Panics
    /// If `width` is 0, or `matrix` is not a whole number of rows.
    pub(crate) fn new(matrix: &'a mut [f32], stride: usize, width: usize) -> Self {
        assert!(width > 0 && stride > 0 && matrix.len().is_multiple_of(stride));
        ColumnQueue {
            start: matrix.as_mut_ptr(),
            n_rows: matrix.len() / stride,
            stride,
            width,
            next: AtomicUsize::new(0),
            life: PhantomData,
        }
    }

    /// The next stripe, if one is left.
    pub(crate) fn next(&self) -> Option<Stripe<'_>> {
        // Never beyond the end, so it cannot wrap.
        let take = |next| (next < self.stride).then(|| self.stride.min(next + self.width));
        let first = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Stripe {
            start: self.start,
            n_rows: self.n_rows,
            stride: self.stride,
            columns: first..self.stride.min(first + self.width),
            life: PhantomData,
        })
    }
}

/// Exclusive access to a range of columns in every row of a matrix.
pub(crate) struct Stripe<'a> {
    start: *mut f32,
    n_rows: usize,
    stride: usize,
    columns: Range<usize>,
    life: PhantomData<&'a mut [f32]>,
}

impl<'a> Stripe<'a> {
    /// All columns of a matrix.
    #[cfg(test)]
    pub(crate) fn whole(matrix: &'a mut [f32], stride: usize) -> Self {
        assert!(stride > 0 && matrix.len().is_multiple_of(stride));
        let n_rows = matrix.len() / stride;
        Stripe { start: matrix.as_mut_ptr(), n_rows, stride, columns: 0..stride, life: PhantomData }
    }

    /// Rows of the matrix.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The columns that this stripe covers, of the matrix.
    pub(crate) fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The stripe's part of one row.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.n_rows);
        // SAFETY: the row is inside the matrix, the columns inside the row, and no
        // other stripe covers them.
        unsafe {
            let start = self.start.add(row * self.stride + self.columns.start);
            core::slice::from_raw_parts_mut(start, self.columns.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_cover_their_columns_only() {
        let mut m = vec![0.0; 3 * 8];
        let columns = Columns::new(&mut m, 8, [0..2, 2..2, 2..8]);
        let (mut a, mut c) = (columns.take(0), columns.take(2));
        for row in 0..3 {
            a.row_mut(row).fill(1.0);
            c.row_mut(row).fill(2.0);
        }
        assert_eq!(m, [1., 1., 2., 2., 2., 2., 2., 2.].repeat(3));
    }

    #[test]
    fn a_queue_hands_out_each_column_once() {
        let mut m = vec![0.0; 3 * 11];
        let queue = ColumnQueue::new(&mut m, 11, 4);
        let widths = std::sync::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(mut stripe) = queue.next() {
                        (0..3)
                            .for_each(|row| stripe.row_mut(row).iter_mut().for_each(|x| *x += 1.0));
                        widths.lock().unwrap().push(stripe.columns().len());
                    }
                });
            }
        });
        let mut widths = widths.into_inner().unwrap();
        widths.sort_unstable();
        assert_eq!(widths, [3, 4, 4]);
        assert_eq!(m, [1.0; 33]);
    }

    #[test]
    #[should_panic(expected = "taken already")]
    fn a_stripe_is_given_out_once() {
        let mut m = vec![0.0; 8];
        let columns = Columns::new(&mut m, 8, [0..4, 4..8]);
        let _a = columns.take(0);
        let _b = columns.take(0);
    }
}
