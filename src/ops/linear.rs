//! Matrix products: y = W·x for every token.

use super::activations::{Activations, Forms};
use crate::Result;
use crate::kernels::{
    BLOCK, Best, Centred8, Centred16, Centred32, Centred128, Columns, FloatWeight, Minima,
    PANEL_ROWS, Q4, Q7, Q8, Quantised, Stripe, Table4, Weights, gemm, gemm_float, gemv, gemv_float,
};
use crate::kv_cache::filled;
use crate::quant::{E2m1, Iq2, Iq3, Iq4, Layout, Packed, Table};
use crate::team::{MAX_THREADS, PerThread, Team, share};

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

/// Runs matrix products over a team.
pub(crate) struct Linear<'a> {
    /// The threads.
    pub(crate) team: &'a Team,
    /// Their scratch.
    pub(crate) scratch: &'a Scratch,
}

impl Linear<'_> {
    /// All products of one input in one region; each thread takes its share of the rows
    /// of each matrix.
    pub(crate) fn run<const N: usize>(
        &self,
        x: &Activations,
        products: [Product<'_>; N],
    ) -> Result<()> {
        let jobs = products.map(|p| Job::new(p, x.n_tokens(), PANEL_ROWS, self.team.len()));
        self.team.run(|tid| {
            let mut scratch = self.scratch.0.of(tid);
            for job in &jobs {
                multiply(job.weights, x, &mut job.columns.take(tid), &mut scratch, job.add);
            }
        })
    }

    /// The products of one token with two matrices of as many rows, and what `activate(gate, up)`
    /// makes of the first, in one region: each thread quantises its own rows into `out`. Their
    /// number is a multiple of [`BLOCK`].
    pub(crate) fn run_gated(
        &self,
        x: &Activations,
        [gate, up]: [Product<'_>; 2],
        activate: impl Fn(&mut [f32], &[f32]) + Sync,
        forms: Forms,
        out: &mut Activations,
    ) -> Result<()> {
        let (n, n_rows) = (self.team.len(), gate.weights.n_rows());
        assert!(x.n_tokens() == 1 && up.weights.n_rows() == n_rows);
        let out = out.one_token(n_rows, forms, n);
        let jobs = [gate, up].map(|p| Job::new(p, 1, BLOCK, n));
        self.team.run(|tid| {
            let mut scratch = self.scratch.0.of(tid);
            let [mut gate, mut up] = jobs.each_ref().map(|job| {
                let mut rows = job.columns.take(tid);
                multiply(job.weights, x, &mut rows, &mut scratch, job.add);
                rows
            });
            out.fill(tid, |row| {
                row.copy_from_slice(gate.row_mut(0));
                activate(row, up.row_mut(0));
            });
        })
    }
}

/// A product in parts, one for each thread.
struct Job<'a> {
    weights: &'a Packed,
    columns: Columns<'a, MAX_THREADS>,
    add: bool,
}

impl<'a> Job<'a> {
    /// For `n` threads, each having whole granules of the rows.
    fn new(p: Product<'a>, n_tokens: usize, granule: usize, n: usize) -> Job<'a> {
        let stride = p.weights.n_panels() * PANEL_ROWS;
        let parts = core::array::from_fn(|tid| {
            if tid < n { share(stride, granule, tid, n) } else { stride..stride }
        });
        let columns = Columns::new(&mut p.out[..n_tokens * stride], stride, parts);
        Job { weights: p.weights, columns, add: p.add }
    }
}

/// The rows of a matrix that are a stripe's columns, for all tokens.
fn multiply(w: &Packed, x: &Activations, y: &mut Stripe, scratch: &mut [u8], add: bool) {
    debug_assert_eq!(w.n_cols(), x.width());
    let rows = y.columns();
    let panels = w.panels(rows.start / PANEL_ROWS..rows.end / PANEL_ROWS);
    match w.layout() {
        Layout::Q4 => integer::<Q4<Minima<1>>>(panels, x.affine(), y, scratch, add),
        Layout::Q4Halves => integer::<Q4<Minima<2>>>(panels, x.affine(), y, scratch, add),
        Layout::Q4Centred => integer::<Q4<Centred8>>(panels, x.affine(), y, scratch, add),
        Layout::Q5Centred => integer::<Q7<Centred16>>(panels, x.affine(), y, scratch, add),
        Layout::Q6Centred => integer::<Q7<Centred32>>(panels, x.affine(), y, scratch, add),
        Layout::Q8Centred => integer::<Q7<Centred128>>(panels, x.affine(), y, scratch, add),
        Layout::Q7 => integer::<Q7<Minima<1>>>(panels, x.affine(), y, scratch, add),
        Layout::Q7Halves => integer::<Q7<Minima<2>>>(panels, x.affine(), y, scratch, add),
        Layout::Q8 => integer::<Q8>(panels, x.symmetric(), y, scratch, add),
        Layout::Table4(Table::Iq2) => {
            integer::<Table4<Iq2>>(panels, x.symmetric(), y, scratch, add)
        }
        Layout::Table4(Table::Iq3) => {
            integer::<Table4<Iq3>>(panels, x.symmetric(), y, scratch, add)
        }
        Layout::Table4(Table::Iq4) => {
            integer::<Table4<Iq4>>(panels, x.symmetric(), y, scratch, add)
        }
        Layout::Table4(Table::E2m1) => {
            integer::<Table4<E2m1>>(panels, x.symmetric(), y, scratch, add);
        }
        Layout::F16 => float::<u16>(panels, x, y, add),
        Layout::F32 => float::<f32>(panels, x, y, add),
    }
}

fn integer<W: Weights<Best>>(
    panels: &[u8],
    x: Quantised,
    y: &mut Stripe,
    scratch: &mut [u8],
    add: bool,
) {
    match y.n_rows() {
        1 => gemv::<Best, W>(panels, x, y.row_mut(0), add),
        _ => gemm::<Best, W>(panels, x, y, scratch, add),
    }
}

fn float<W: FloatWeight + bytemuck::Pod>(
    panels: &[u8],
    x: &Activations,
    y: &mut Stripe,
    add: bool,
) {
    let panels = bytemuck::cast_slice::<u8, W>(panels);
    match y.n_rows() {
        1 => gemv_float(panels, x.rows(), y.row_mut(0), add),
        _ => gemm_float(panels, x.rows(), x.width(), y, add),
    }
}
