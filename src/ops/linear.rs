//! Matrix products: y = W·x for every token.

use super::activations::{Activations, Forms};
use crate::Result;
use crate::kernels::{
    BLOCK, Best, Centred8, Centred16, Centred32, Centred128, ColumnQueue, Columns, FloatWeight,
    MAX_PIECES, Minima, PANEL_ROWS, Piece, Q4, Q7, Q8, Quantised, Stripe, Table4, Weights, gemm,
    gemm_float, gemv, gemv_float,
};
use crate::kv_cache::filled;
use crate::quant::{E2m1, Iq2, Iq3, Iq4, Layout, Packed, Table};
use crate::team::{MAX_THREADS, PerThread, Team, share};
use core::array::from_fn;
use core::mem::replace;
use core::ops::Range;
use core::slice::{from_mut, from_ref};

/// One product of a region: a matrix and where its result goes.
pub(crate) struct Product<'a> {
    /// `[n_rows, n_cols]`, n_cols being the width of the activations.
    pub(crate) weights: &'a Packed,
    /// `[n_tokens, stride]`, the stride being the matrix's rows in whole panels.
    pub(crate) out: &'a mut [f32],
    /// Whether to add to what stands there.
    pub(crate) add: bool,
}

/// Scratch of the GEMM kernels: one unpacked panel for each thread.
pub(crate) struct Scratch(PerThread<Vec<u8>>);

impl Scratch {
    /// For inputs of up to `max_width` values.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub(crate) fn new(n_threads: usize, max_width: usize) -> Result<Scratch> {
        const BLOCK_BYTES: usize = <Q4<Minima<2>> as Weights<Best>>::SCRATCH;
        const { assert!(BLOCK_BYTES >= <Table4<Iq4> as Weights<Best>>::SCRATCH) };
        let bytes = max_width.div_ceil(BLOCK) * BLOCK_BYTES;
        Ok(Scratch(PerThread::new(n_threads, || filled(bytes))?))
    }
}

/// Prefill: a part of the rows is one in so many of a thread's share, in whole panels, or less.
const PARTS: usize = 8;
/// Panels in a part at most: two lines of memory, so that threads seldom write to the same one.
const PART_PANELS: usize = 4;

/// Runs matrix products over a team.
pub(crate) struct Linear<'a> {
    /// The threads.
    pub(crate) team: &'a Team,
    /// Their scratch.
    pub(crate) scratch: &'a Scratch,
}

impl Linear<'_> {
    /// All products of one input in one region, up to [`MAX_PIECES`].
    pub(crate) fn run<const N: usize>(
        &self,
        x: &Activations,
        products: [Product<'_>; N],
    ) -> Result<()> {
        const { assert!(0 < N && N <= MAX_PIECES) };
        match x.n_tokens() {
            1 => self.run_shared_out(x, products),
            _ => self.run_queued(x, products),
        }
    }

    /// One token: each thread has its share of the rows, in one piece, as memory streams best: of
    /// all matrices together where they are [`alike`], else of each.
    fn run_shared_out<const N: usize>(
        &self,
        x: &Activations,
        products: [Product<'_>; N],
    ) -> Result<()> {
        let (n, alike) = (self.team.len(), alike(&products));
        let n_rows: usize = products.iter().map(|p| rows_of(p.weights)).sum();
        let mut first = 0;
        let jobs = products.map(|p| {
            let end = first + rows_of(p.weights);
            let all = replace(&mut first, end)..end;
            Job::new(p, n, |tid| match alike {
                true => within(&all, share(n_rows, PANEL_ROWS, tid, n)),
                false => share(all.len(), PANEL_ROWS, tid, n),
            })
        });
        self.team.run(|tid| {
            multiply_own(&jobs, alike, tid, x, &mut self.scratch.0.of(tid));
        })
    }

    /// Several tokens: threads take rows as they get to them, since some cores are slower than
    /// others, or wanted by other programs too.
    fn run_queued<const N: usize>(
        &self,
        x: &Activations,
        products: [Product<'_>; N],
    ) -> Result<()> {
        let n = self.team.len();
        let queues = products.map(|p| {
            let stride = rows_of(p.weights);
            let panels = p.weights.n_panels().div_ceil(PARTS * n).clamp(1, PART_PANELS);
            let (matrix, out) = (Matrix::of(&p), &mut p.out[..x.n_tokens() * stride]);
            (matrix, ColumnQueue::new(out, stride, panels * PANEL_ROWS))
        });
        self.team.run(|tid| {
            let scratch = &mut self.scratch.0.of(tid);
            for (matrix, queue) in &queues {
                while let Some(mut rows) = queue.next() {
                    multiply(from_ref(matrix), x, from_mut(&mut rows), scratch);
                }
            }
        })
    }

    /// The products of one token with two matrices of as many rows, and what `activate(gate, up)`
    /// makes of the first, in one region: each thread quantises its own rows into `out`. Their
    /// number is a multiple of [`BLOCK`].
    pub(crate) fn run_gated(
        &self,
        x: &Activations,
        products: [Product<'_>; 2],
        activate: impl Fn(&mut [f32], &[f32]) + Sync,
        forms: Forms,
        out: &mut Activations,
    ) -> Result<()> {
        let (n, [n_rows, n_up]) =
            (self.team.len(), products.each_ref().map(|p| p.weights.n_rows()));
        assert!(x.n_tokens() == 1 && n_up == n_rows);
        let out = out.one_token(n_rows, forms, n);
        let alike = alike(&products);
        let jobs = products.map(|p| Job::new(p, n, |tid| share(n_rows, BLOCK, tid, n)));
        self.team.run(|tid| {
            let [mut gate, mut up] =
                multiply_own(&jobs, alike, tid, x, &mut self.scratch.0.of(tid));
            out.fill(tid, |row| {
                row.copy_from_slice(gate.row_mut(0));
                activate(row, up.row_mut(0));
            });
        })
    }
}

/// Whether products can be computed as one: all of one layout, and all added or all stored.
fn alike(products: &[Product]) -> bool {
    products.windows(2).all(|two| {
        let kind = |p: &Product| (p.weights.layout(), p.add);
        kind(&two[0]) == kind(&two[1])
    })
}

/// A matrix to multiply with.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    weights: &'a Packed,
    add: bool,
}

impl<'a> Matrix<'a> {
    fn of(p: &Product<'a>) -> Matrix<'a> {
        Matrix { weights: p.weights, add: p.add }
    }

    /// The weights of a stripe's rows.
    fn panels(&self, rows: &Stripe) -> &'a [u8] {
        let rows = rows.columns();
        self.weights.panels(rows.start / PANEL_ROWS..rows.end / PANEL_ROWS)
    }
}

/// A product of one token in parts, one for each thread.
struct Job<'a> {
    matrix: Matrix<'a>,
    columns: Columns<'a, MAX_THREADS>,
}

impl<'a> Job<'a> {
    /// For `n` threads, each having whole panels: the rows `of(tid)`.
    fn new(p: Product<'a>, n: usize, of: impl Fn(usize) -> Range<usize>) -> Job<'a> {
        let (matrix, stride) = (Matrix::of(&p), rows_of(p.weights));
        let parts = from_fn(|tid| if tid < n { of(tid) } else { stride..stride });
        Job { matrix, columns: Columns::new(&mut p.out[..stride], stride, parts) }
    }
}

/// Rows of a product, in whole panels.
fn rows_of(weights: &Packed) -> usize {
    weights.n_panels() * PANEL_ROWS
}

/// What of a share in the rows of all matrices lies in one of them, counted from its first.
fn within(own: &Range<usize>, share: Range<usize>) -> Range<usize> {
    let at = |row: usize| row.clamp(own.start, own.end) - own.start;
    at(share.start)..at(share.end)
}

/// Computes a thread's rows of all matrices, and returns them.
fn multiply_own<'a, const N: usize>(
    jobs: &'a [Job<'_>; N],
    alike: bool,
    tid: usize,
    x: &Activations,
    scratch: &mut [u8],
) -> [Stripe<'a>; N] {
    let mut rows = jobs.each_ref().map(|job| job.columns.take(tid));
    let matrices = jobs.each_ref().map(|job| job.matrix);
    let together = if alike { N } else { 1 };
    for (matrices, rows) in matrices.chunks(together).zip(rows.chunks_mut(together)) {
        multiply(matrices, x, rows, scratch);
    }
    rows
}

/// The rows of some matrices, which are [`alike`], that are a stripe's columns each, for all
/// tokens.
fn multiply(matrices: &[Matrix], x: &Activations, rows: &mut [Stripe], scratch: &mut [u8]) {
    debug_assert!(matrices.iter().all(|matrix| matrix.weights.n_cols() == x.width()));
    let work = Work { matrices, rows, scratch };
    match matrices[0].weights.layout() {
        Layout::Q4 => work.integer::<Q4<Minima<1>>>(x.affine()),
        Layout::Q4Halves => work.integer::<Q4<Minima<2>>>(x.affine()),
        Layout::Q4Centred => work.integer::<Q4<Centred8>>(x.affine()),
        Layout::Q5Centred => work.integer::<Q7<Centred16>>(x.affine()),
        Layout::Q6Centred => work.integer::<Q7<Centred32>>(x.affine()),
        Layout::Q8Centred => work.integer::<Q7<Centred128>>(x.affine()),
        Layout::Q7 => work.integer::<Q7<Minima<1>>>(x.affine()),
        Layout::Q7Halves => work.integer::<Q7<Minima<2>>>(x.affine()),
        Layout::Q8 => work.integer::<Q8>(x.symmetric()),
        Layout::Table4(Table::Iq2) => work.integer::<Table4<Iq2>>(x.symmetric()),
        Layout::Table4(Table::Iq3) => work.integer::<Table4<Iq3>>(x.symmetric()),
        Layout::Table4(Table::Iq4) => work.integer::<Table4<Iq4>>(x.symmetric()),
        Layout::Table4(Table::E2m1) => work.integer::<Table4<E2m1>>(x.symmetric()),
        Layout::F16 => work.float::<u16>(x),
        Layout::F32 => work.float::<f32>(x),
    }
}

/// What a thread multiplies at a time.
struct Work<'a, 'y> {
    matrices: &'a [Matrix<'a>],
    rows: &'a mut [Stripe<'y>],
    scratch: &'a mut [u8],
}

impl Work<'_, '_> {
    fn integer<W: Weights<Best>>(self, x: Quantised) {
        let Work { matrices, rows, scratch } = self;
        let add = matrices[0].add;
        if rows[0].n_rows() == 1 {
            let mut pieces = matrices
                .iter()
                .zip(rows)
                .map(|(matrix, rows)| Piece { w: matrix.panels(rows), y: rows.row_mut(0) });
            return gemv::<Best, W>(from_fn(|_| pieces.next().unwrap_or_default()), x, add);
        }
        for (matrix, rows) in matrices.iter().zip(rows) {
            gemm::<Best, W>(matrix.panels(rows), x, rows, scratch, add);
        }
    }

    fn float<W: FloatWeight + bytemuck::Pod>(self, x: &Activations) {
        for (matrix, rows) in self.matrices.iter().zip(self.rows) {
            let panels = bytemuck::cast_slice::<u8, W>(matrix.panels(rows));
            match rows.n_rows() {
                1 => gemv_float(panels, x.rows(), rows.row_mut(0), matrix.add),
                _ => gemm_float(panels, x.rows(), x.width(), rows, matrix.add),
            }
        }
    }
}
