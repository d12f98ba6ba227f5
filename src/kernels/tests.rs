//! One suite for every level, on the host and in the browser: each against the scalar
//! twin (to the last bit), and the twin against f64 products of the unquantised values
//! (bounded by what 8-bit activations cost).

use super::attend::{Rows, score_keys, weigh_values};
use super::float::{gemm_float, gemv_float};
use super::level::{Centred8, Centred16, Centred32, Centred128, Level, Minima};
use super::product::{Piece, Q4, Q7, Q8, Quantised, Table4, Weights, gemm, gemv};
use super::recurrent::{add_products, delta_rule};
use super::row::{
    centre, gelu, inverse_rms, multiply_by, rms_norm, rotate_halves, rotate_pairs, scale_by,
    sigmoid_mul, silu, silu_mul, soft_cap, softmax_terms,
};
use super::scalar::Scalar;
use super::stripe::{Columns, Stripe};
use super::{BLOCK, PANEL_ROWS, PANEL_TOKENS};
use crate::gguf::GgmlType;
use crate::quant::{Iq4, Layout, Packed, Table};
use half::f16;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// Relative to Σ|w·x|: differences in the order of f32 sums only.
const TIGHT: f64 = 2e-6;

/// Awkward shapes: (rows, blocks in a row).
const SHAPES: [(usize, usize); 8] =
    [(8, 1), (1, 1), (7, 3), (16, 2), (24, 18), (9, 48), (64, 5), (56, 2)];
/// One token, panels with holes, whole panels.
const TOKENS: [usize; 6] = [1, 2, 3, 4, 7, 12];

/// Kinds of activations that have gone wrong somewhere.
#[derive(Clone, Copy, Debug)]
enum Input {
    Random,
    Zero,
    Huge,
    Tiny,
    /// One value dwarfs its block.
    Outlier,
    /// All at the quantisation's bounds.
    Extremes,
}

const INPUTS: [Input; 6] =
    [Input::Random, Input::Zero, Input::Huge, Input::Tiny, Input::Outlier, Input::Extremes];

fn activations(kind: Input, len: usize, rng: &mut StdRng) -> Vec<f32> {
    (0..len)
        .map(|i| {
            let x: f32 = rng.random_range(-2.0..2.0);
            match kind {
                Input::Random => x,
                Input::Zero => 0.0,
                Input::Huge => x * 3e4,
                Input::Tiny => x * 1e-20,
                Input::Outlier if i % BLOCK == 5 => 2500.0,
                Input::Outlier => x,
                Input::Extremes => [-1.0, 1.0][rng.random_range(0..2)],
            }
        })
        .collect()
}

/// A GGML type whose blocks are made at random.
struct Format {
    dtype: GgmlType,
    /// Columns of a block.
    len: usize,
    bytes: usize,
    /// Where its f16 scales are in a block.
    scales: &'static [usize],
    /// The bytes that its weights' bounds have.
    bounds: [u8; 2],
    /// How it is packed, where there are two ways.
    layout: Option<Layout>,
}

const fn format(dtype: GgmlType, len: usize, bytes: usize, scales: &'static [usize]) -> Format {
    Format { dtype, len, bytes, scales, bounds: [0x00, 0xff], layout: None }
}

const fn q8_0(layout: Layout) -> Format {
    let format = format(GgmlType::Q8_0, 32, 34, &[0]);
    Format { bounds: [0x80, 0x7f], layout: Some(layout), ..format }
}

/// One for each integer layout, and more where they differ in their minima.
const FORMATS: [Format; 10] = [
    format(GgmlType::Q4_0, 32, 18, &[0]),
    format(GgmlType::Q4_1, 32, 20, &[0, 2]),
    format(GgmlType::Q4_K, 256, 144, &[0, 2]),
    format(GgmlType::Q3_K, 256, 110, &[108]),
    format(GgmlType::Q5_0, 32, 22, &[0]),
    format(GgmlType::Q5_1, 32, 24, &[0, 2]),
    format(GgmlType::Q6_K, 256, 210, &[208]),
    q8_0(Layout::Q8),
    q8_0(Layout::Q8Centred),
    format(GgmlType::IQ4_NL, 32, 18, &[0]),
];

/// A matrix of random GGML blocks with finite scales; `extreme` weights are at their bounds.
fn packed(
    format: &Format,
    rows: usize,
    n_blocks: usize,
    extreme: bool,
    rng: &mut StdRng,
) -> Packed {
    let &Format { dtype, len, bytes, scales, bounds, layout } = format;
    let n_cols = (n_blocks * BLOCK).next_multiple_of(len);
    let layout = layout.or(crate::quant::layout_of(dtype)).unwrap();
    let mut matrix = Packed::zeroed(layout, rows, n_cols).unwrap();
    let row_bytes = n_cols / len * bytes;
    let mut all: Vec<u8> = (0..rows * row_bytes)
        .map(|_| if extreme { bounds[rng.random_range(0..2)] } else { rng.random::<u8>() })
        .collect();
    for block in all.chunks_mut(bytes) {
        for &at in scales {
            let scale = f16::from_f32(rng.random_range(-0.1..0.1));
            block[at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
    }
    for (p, rows) in all.chunks(row_bytes * PANEL_ROWS).enumerate() {
        matrix.pack_panel(dtype, p, rows).unwrap();
    }
    matrix
}

/// `[n_tokens, panels · 8]`, added to `start`.
fn run<L: Level>(w: &Packed, x: &[f32], n_tokens: usize, start: f32) -> Vec<f32> {
    match w.layout() {
        Layout::Q4 => multiply::<L, Q4<Minima<1>>>(w, x, n_tokens, start),
        Layout::Q4Halves => multiply::<L, Q4<Minima<2>>>(w, x, n_tokens, start),
        Layout::Q4Centred => multiply::<L, Q4<Centred8>>(w, x, n_tokens, start),
        Layout::Q5Centred => multiply::<L, Q7<Centred16>>(w, x, n_tokens, start),
        Layout::Q6Centred => multiply::<L, Q7<Centred32>>(w, x, n_tokens, start),
        Layout::Q8Centred => multiply::<L, Q7<Centred128>>(w, x, n_tokens, start),
        Layout::Q7 => multiply::<L, Q7<Minima<1>>>(w, x, n_tokens, start),
        Layout::Q7Halves => multiply::<L, Q7<Minima<2>>>(w, x, n_tokens, start),
        Layout::Q8 => multiply::<L, Q8>(w, x, n_tokens, start),
        Layout::Table4(Table::Iq4) => multiply::<L, Table4<Iq4>>(w, x, n_tokens, start),
        Layout::Table4(_) => unreachable!("its kernels are the same"),
        Layout::F16 | Layout::F32 => unreachable!("a float layout"),
    }
}

fn multiply<L: Level, W: Weights<L>>(
    w: &Packed,
    x: &[f32],
    n_tokens: usize,
    start: f32,
) -> Vec<f32> {
    let (width, n_blocks) = (w.n_cols(), w.n_cols() / BLOCK);
    let quantise = |x: &[f32], out: &mut [u8]| match (w.layout(), n_tokens) {
        (Layout::Q8 | Layout::Table4(_), 1) => {
            L::quantise_symmetric::<1>(x, width, n_blocks, out);
        }
        (Layout::Q8 | Layout::Table4(_), _) => {
            L::quantise_symmetric::<PANEL_TOKENS>(x, width, n_blocks, out)
        }
        (_, 1) => L::quantise_affine::<1>(x, width, n_blocks, out),
        _ => L::quantise_affine::<PANEL_TOKENS>(x, width, n_blocks, out),
    };
    let stride = w.n_panels() * PANEL_ROWS;
    let mut y = vec![start; n_tokens * stride];
    let add = start != 0.0;
    if n_tokens == 1 {
        let mut bytes = vec![0; n_blocks * W::X];
        quantise(x, &mut bytes);
        let x = Quantised { bytes: &bytes, n_blocks };
        // In pieces, an empty one among them, as if they were of several matrices; the second of
        // two places begins within the third.
        let (n, first, last) = (w.n_panels(), w.n_panels() / 5, w.n_panels() / 4);
        let mut rest = &mut y[..];
        let pieces = [0..first, first..first, first..n - last, n - last..n].map(|panels| {
            let (y, after) = core::mem::take(&mut rest).split_at_mut(panels.len() * PANEL_ROWS);
            rest = after;
            Piece { w: w.panels(panels), y }
        });
        gemv::<L, W>(pieces, x, add);
    } else {
        let panel = PANEL_TOKENS * n_blocks * W::X;
        let mut bytes = vec![0; n_tokens.div_ceil(PANEL_TOKENS) * panel];
        for (x, out) in x.chunks(PANEL_TOKENS * width).zip(bytes.chunks_mut(panel)) {
            quantise(x, out);
        }
        let x = Quantised { bytes: &bytes, n_blocks };
        // Two stripes, as two threads would have them.
        let cut = w.n_panels() / 2;
        let columns = Columns::new(&mut y, stride, [0..cut * PANEL_ROWS, cut * PANEL_ROWS..stride]);
        for (i, range) in [0..cut, cut..w.n_panels()].into_iter().enumerate() {
            let mut scratch = vec![0; n_blocks * W::SCRATCH];
            gemm::<L, W>(w.panels(range), x, &mut columns.take(i), &mut scratch, add);
        }
    }
    y
}

/// Σ|w·x| of a row: the scale of its rounding errors.
fn magnitude(w: &[f32], x: &[f32]) -> f64 {
    w.iter().zip(x).map(|(w, x)| (*w as f64 * *x as f64).abs()).sum::<f64>().max(1e-30)
}

fn sweep(mut check: impl FnMut(&Packed, &[f32], usize, &str)) {
    let mut rng = StdRng::seed_from_u64(7);
    for format in &FORMATS {
        for (rows, n_blocks) in SHAPES {
            for input in INPUTS {
                let extreme = matches!(input, Input::Extremes);
                let w = packed(format, rows, n_blocks, extreme, &mut rng);
                for n_tokens in TOKENS {
                    let x = activations(input, n_tokens * w.n_cols(), &mut rng);
                    let what = format!(
                        "{:?} {rows}×{n_blocks} blocks, {n_tokens} × {input:?}",
                        format.dtype
                    );
                    check(&w, &x, n_tokens, &what);
                }
            }
        }
    }
}

/// Whether a level has products with these weights: bytes beyond 127 not all levels take.
fn meets<L: Level>(w: &Packed) -> bool {
    w.layout() != Layout::Q8Centred || L::takes_bytes()
}

/// To the last bit: the same operations in the same order.
#[cfg(target_arch = "wasm32")]
fn equals_scalar<L: Level>() {
    sweep(|w, x, n_tokens, what| {
        if !meets::<L>(w) {
            return;
        }
        for start in [0.0, 1.5] {
            let found = run::<L>(w, x, n_tokens, start);
            let twin = run::<Scalar>(w, x, n_tokens, start);
            for (i, (a, b)) in found.iter().zip(&twin).enumerate() {
                assert_eq!(a.to_bits(), b.to_bits(), "{what}, {i}: {a} is not {b}");
            }
        }
    });
}

#[test]
fn scalar_is_close_to_f64() {
    sweep(|w, x, n_tokens, what| {
        let found = run::<Scalar>(w, x, n_tokens, 0.0);
        let stride = w.n_panels() * PANEL_ROWS;
        let mut row = vec![0.0; w.n_cols()];
        for r in 0..w.n_rows() {
            w.row(r, &mut row);
            for (t, x) in x.chunks(w.n_cols()).enumerate() {
                let exact: f64 = row.iter().zip(x).map(|(w, x)| *w as f64 * *x as f64).sum();
                // Each activation is off by at most half a step of its block.
                let bound: f64 = row
                    .chunks(BLOCK)
                    .zip(x.chunks(BLOCK))
                    .map(|(w, x)| {
                        let step = x.iter().fold(0.0f32, |m, x| m.max(x.abs())) as f64 / 127.0;
                        w.iter().map(|w| w.abs() as f64).sum::<f64>() * step * 0.5
                    })
                    .sum();
                let error = (found[t * stride + r] as f64 - exact).abs();
                let rounding = 40.0 * TIGHT * magnitude(&row, x);
                assert!(error <= bound * 1.001 + rounding, "{what}: off by {error}, bound {bound}");
            }
        }
        // Rows that only fill up the last panel are zero.
        for row in found.chunks(stride) {
            assert!(row[w.n_rows()..].iter().all(|y| *y == 0.0), "{what}");
        }
    });
}

#[cfg(target_arch = "wasm32")]
#[test]
fn simd128_equals_scalar() {
    equals_scalar::<super::simd128::Simd128>();
}

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
#[test]
fn relaxed_equals_scalar() {
    equals_scalar::<super::relaxed::Relaxed>();
}

/// To the last bit: drafts and requests that are taken up again rely on it.
#[test]
fn a_token_comes_to_the_same_alone_and_among_others() {
    sweep(|w, x, n_tokens, what| {
        if !meets::<super::Best>(w) {
            return;
        }
        let together = run::<super::Best>(w, x, n_tokens, 0.0);
        let alone = x.chunks(w.n_cols()).flat_map(|x| run::<super::Best>(w, x, 1, 0.0));
        for (i, (a, b)) in together.iter().zip(alone).enumerate() {
            assert_eq!(a.to_bits(), b.to_bits(), "{what}, {i}: {a} is not {b}");
        }
    });
}

#[test]
fn float_products_are_close_to_f64() {
    let mut rng = StdRng::seed_from_u64(8);
    for (panels, k) in [(1usize, 1usize), (2, 3), (1, 64), (3, 129)] {
        let w: Vec<f32> = activations(Input::Random, panels * k * PANEL_ROWS, &mut rng);
        let halves: Vec<u16> = w.iter().map(|w| f16::from_f32(*w).to_bits()).collect();
        for n_tokens in TOKENS {
            let x = activations(Input::Random, n_tokens * k, &mut rng);
            let stride = panels * PANEL_ROWS;
            let (mut y, mut y16) = (vec![0.5; n_tokens * stride], vec![0.0; n_tokens * stride]);
            if n_tokens == 1 {
                gemv_float(&w, &x, &mut y, true);
                gemv_float(&halves, &x, &mut y16, false);
            } else {
                gemm_float(&w, &x, k, &mut Stripe::whole(&mut y, stride), true);
                gemm_float(&halves, &x, k, &mut Stripe::whole(&mut y16, stride), false);
            }
            for (t, x) in x.chunks(k).enumerate() {
                for r in 0..stride {
                    let at = |i: usize| (r / PANEL_ROWS * k + i) * PANEL_ROWS + r % PANEL_ROWS;
                    let dot = |w: &dyn Fn(usize) -> f64| -> f64 {
                        x.iter().enumerate().map(|(i, x)| w(at(i)) * *x as f64).sum()
                    };
                    let exact = dot(&|i| w[i] as f64) + 0.5;
                    let exact16 = dot(&|i| f16::from_bits(halves[i]).to_f64());
                    let limit = TIGHT * 4.0 * k as f64 + TIGHT;
                    assert!((y[t * stride + r] as f64 - exact).abs() < limit);
                    assert!((y16[t * stride + r] as f64 - exact16).abs() < limit);
                }
            }
        }
    }
}

#[test]
fn attention_products_are_close_to_f64() {
    let mut rng = StdRng::seed_from_u64(9);
    for head_dim in [8, 64, 80, 96, 128, 256] {
        for (n_rows, n_keys) in [
            (1usize, 1usize),
            (2, 5),
            (3, 8),
            (4, 13),
            (5, 24),
            (6, 9),
            (7, 40),
            (11, 17),
            (16, 33),
        ] {
            let panels = n_keys.div_ceil(PANEL_ROWS);
            let q = activations(Input::Random, n_rows * head_dim, &mut rng);
            let keys = activations(Input::Random, panels * PANEL_ROWS * head_dim, &mut rng);
            let values = activations(Input::Random, n_keys * head_dim, &mut rng);
            let stride = panels * PANEL_ROWS;
            let mut scores = vec![0.0; n_rows * stride];
            let rows = Rows { data: &q, stride: head_dim, n: n_rows };
            score_keys(rows, &keys, head_dim, &mut scores, stride);
            let mut out = vec![0.0; n_rows * head_dim];
            let p = Rows { data: &scores, stride, n: n_rows };
            weigh_values(p, &values, head_dim, &mut out, head_dim);
            for r in 0..n_rows {
                let mut weighted = vec![0.0f64; head_dim];
                for key in 0..n_keys {
                    let panel = &keys[key / PANEL_ROWS * PANEL_ROWS * head_dim..];
                    let exact: f64 = (0..head_dim)
                        .map(|i| {
                            let k = panel[i * PANEL_ROWS + key % PANEL_ROWS] as f64;
                            q[r * head_dim + i] as f64 * k
                        })
                        .sum();
                    let score = scores[r * stride + key];
                    assert!((score as f64 - exact).abs() < 1e-4 * head_dim as f64);
                    for (i, sum) in weighted.iter_mut().enumerate() {
                        *sum += score as f64 * values[key * head_dim + i] as f64;
                    }
                }
                for (i, exact) in weighted.iter().enumerate() {
                    assert!((out[r * head_dim + i] as f64 - exact).abs() < 2e-3);
                }
            }
        }
    }
}

#[test]
fn row_operations_follow_their_formulas() {
    let mut rng = StdRng::seed_from_u64(10);
    for n in [1, 4, 7, 64, 577] {
        let (x, w) =
            (activations(Input::Random, n, &mut rng), activations(Input::Random, n, &mut rng));
        let mut out = vec![0.0; n];
        rms_norm(&x, &w, 1e-5, &mut out);
        let mean = x.iter().map(|x| (*x as f64).powi(2)).sum::<f64>() / n as f64;
        for i in 0..n {
            let exact = x[i] as f64 / (mean + 1e-5).sqrt() * w[i] as f64;
            assert!((out[i] as f64 - exact).abs() < 1e-5);
        }
        let mut gate: Vec<f32> = x.iter().map(|x| x * 30.0).collect();
        let before = gate.clone();
        silu_mul(&mut gate, &w);
        for i in 0..n {
            let g = before[i] as f64;
            let exact = g / (1.0 + (-g).exp()) * w[i] as f64;
            assert!((gate[i] as f64 - exact).abs() < 1e-4, "silu({g})");
        }
        let of = |f: &dyn Fn(&mut [f32])| {
            let mut row = before.clone();
            f(&mut row);
            row
        };
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let tanh = |x: f64| (0.797_884_560_802_865_4 * (x + 0.044715 * x.powi(3))).tanh();
        let centred = before.iter().map(|x| *x as f64).sum::<f64>() / n as f64;
        let rms = inverse_rms(&before, 1e-5);
        type Exact<'a> = &'a dyn Fn(usize) -> f64;
        let cases: [(Vec<f32>, Exact); 7] = [
            (of(&gelu), &|i| before[i] as f64 / 2.0 * (1.0 + tanh(before[i] as f64))),
            (of(&silu), &|i| before[i] as f64 * sigmoid(before[i] as f64)),
            (of(&|row| sigmoid_mul(row, &w)), &|i| before[i] as f64 * sigmoid(w[i] as f64)),
            (of(&|row| soft_cap(row, 5.0)), &|i| 5.0 * (before[i] as f64 / 5.0).tanh()),
            (of(&|row| multiply_by(row, &w)), &|i| before[i] as f64 * w[i] as f64),
            (of(&|row| scale_by(row, rms, &w)), &|i| before[i] as f64 * rms as f64 * w[i] as f64),
            (of(&centre), &|i| before[i] as f64 - centred),
        ];
        for (case, (found, exact)) in cases.iter().enumerate() {
            for (i, x) in found.iter().enumerate() {
                assert!((*x as f64 - exact(i)).abs() < 1e-4, "{case}: {} gives {x}", before[i]);
            }
        }
    }
    let mut scores = [1.0, f32::NEG_INFINITY, -200.0, 3.0];
    let (max, sum) = softmax_terms(&mut scores);
    assert_eq!((max, scores[1], scores[2], scores[3]), (3.0, 0.0, 0.0, 1.0));
    assert!((sum as f64 - (1.0 + (-2f64).exp())).abs() < 1e-6);
    for (len, largest) in [4, 8, 16, 20, 28, 128].iter().flat_map(|n| (0..*n).map(|i| (*n, i))) {
        let mut scores = vec![0.0; len];
        scores[largest] = 200.0;
        assert_eq!(softmax_terms(&mut scores), (200.0, 1.0), "{largest} of {len}");
        assert_eq!(scores[largest], 1.0);
    }
    let mut pair = [3.0, 4.0, 1.0, 0.0];
    rotate_pairs(&mut pair, &[[0.0, 1.0], [1.0, 0.0]]);
    assert_eq!(pair, [-4.0, 3.0, 1.0, 0.0]);
    let mut halves = [3.0, 1.0, 4.0, 0.0, 7.0];
    rotate_halves(&mut halves, &[[0.0, 1.0], [1.0, 0.0]]);
    assert_eq!(halves, [-4.0, 1.0, 3.0, 0.0, 7.0]);
}

#[test]
fn recurrent_steps_follow_their_formulas() {
    let mut rng = StdRng::seed_from_u64(11);
    for n in [4, 8, 64] {
        let mut random = |n: usize| activations(Input::Random, n, &mut rng);
        let (q, k, v, before) = (random(n), random(n), random(n), random(n * n));
        let (mut state, mut out) = (before.clone(), vec![0.0; n]);
        let (decay, beta) = (0.75, 0.3);
        delta_rule(&mut state, [&q, &k, &v], decay, beta, &mut out);
        for j in 0..n {
            let row: Vec<f64> =
                before[j * n..][..n].iter().map(|s| *s as f64 * decay as f64).collect();
            let found: f64 = row.iter().zip(&k).map(|(s, k)| s * *k as f64).sum();
            let change = beta as f64 * (v[j] as f64 - found);
            let mut read = 0.0;
            for i in 0..n {
                let exact = row[i] + change * k[i] as f64;
                assert!((state[j * n + i] as f64 - exact).abs() < 1e-4);
                read += exact * q[i] as f64;
            }
            assert!((out[j] as f64 - read).abs() < 1e-3);
        }
    }
    for n in [1, 4, 7] {
        let (a, b) = (vec![3.0; n], vec![-2.0; n]);
        let mut sum = vec![1.0; n];
        add_products(&mut sum, &a, &b);
        assert_eq!(sum, vec![-5.0; n]);
    }
}
