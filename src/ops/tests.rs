//! Products that share a region, against the same one by one.

use super::linear::{Linear, Product, Scratch};
use super::{Activations, Forms};
use crate::gguf::GgmlType;
use crate::kernels::{BLOCK, Best, Level, PANEL_ROWS, add_scaled, multiply_by};
use crate::quant::{Layout, Packed, layout_of};
use crate::team::Team;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A matrix of random blocks whose f16 scales, at these places, are small.
fn matrix(dtype: GgmlType, scales: &[usize], rows: usize, rng: &mut StdRng) -> Packed {
    let mut packed = Packed::zeroed(layout_of(dtype).unwrap(), rows, N_COLS).unwrap();
    let row_bytes = N_COLS / dtype.block_len() as usize * dtype.block_bytes() as usize;
    let mut bytes: Vec<u8> = (0..rows * row_bytes).map(|_| rng.random()).collect();
    for block in bytes.chunks_mut(dtype.block_bytes() as usize) {
        for &at in scales {
            let scale = half::f16::from_f32(rng.random_range(-0.1..0.1));
            block[at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
    }
    for (i, rows) in bytes.chunks(PANEL_ROWS * row_bytes).enumerate() {
        packed.pack_panel(dtype, i, rows).unwrap();
    }
    packed
}

const N_COLS: usize = 64;

fn activate(gate: &mut [f32], up: &[f32]) {
    multiply_by(gate, up);
    add_scaled(gate, up, 0.5);
}

/// What an input of products holds, to the last bit.
fn contents(x: &Activations, forms: Forms) -> (Vec<u32>, Vec<u8>, Vec<u8>) {
    let rows = x.rows().iter().map(|x| x.to_bits()).collect();
    let n_blocks = x.width() / BLOCK;
    let affine = x.affine().bytes[..n_blocks * Best::AFFINE_X].to_vec();
    let symmetric = x.symmetric().bytes[..n_blocks * Best::SYMMETRIC_X].to_vec();
    match forms == Forms::of([Layout::Q4]) {
        true => (rows, affine, Vec::new()),
        false => (rows, Vec::new(), symmetric),
    }
}

#[test]
fn a_gate_in_one_region_is_that_of_three_steps() {
    let mut rng = StdRng::seed_from_u64(11);
    let types: [(GgmlType, &[usize]); 3] =
        [(GgmlType::Q4_1, &[0, 2]), (GgmlType::Q4_0, &[0]), (GgmlType::Q8_0, &[0])];
    for (dtype, scales) in types {
        for rows in [32, 96, 160, 480] {
            let [gate, up] = [(); 2].map(|()| matrix(dtype, scales, rows, &mut rng));
            let row: Vec<f32> = (0..N_COLS).map(|_| rng.random_range(-1.0..1.0)).collect();
            for next in [Layout::Q4, Layout::Q8] {
                let forms = Forms::of([next]);
                let run = |n_threads: usize, fused: bool| {
                    let team = Team::new(n_threads);
                    let scratch = Scratch::new(n_threads, N_COLS).unwrap();
                    let linear = Linear { team: &team, scratch: &scratch };
                    let mut x = Activations::new(1, N_COLS).unwrap();
                    let input = Forms::of([gate.layout()]);
                    x.produce(&team, 1, N_COLS, input, |_, _, x| x.copy_from_slice(&row)).unwrap();
                    let (mut g, mut u) = (vec![0.0; rows], vec![0.0; rows]);
                    let mut out = Activations::new(1, rows).unwrap();
                    let product = |weights, out| Product { weights, out, add: false };
                    let products = [product(&gate, &mut g[..]), product(&up, &mut u[..])];
                    if fused {
                        linear.run_gated(&x, products, activate, forms, &mut out).unwrap();
                    } else {
                        linear.run(&x, products).unwrap();
                        let fill = |_: usize, _: usize, row: &mut [f32]| {
                            row.copy_from_slice(&g);
                            activate(row, &u);
                        };
                        out.produce(&team, 1, rows, forms, fill).unwrap();
                    }
                    contents(&out, forms)
                };
                let expected = run(1, false);
                for n_threads in [1, 2, 3, 5, 16] {
                    assert_eq!(run(n_threads, true), expected, "{dtype:?}, {rows}, {n_threads}");
                }
            }
        }
    }
}

#[test]
fn products_of_one_region_are_those_of_each_alone() {
    let mut rng = StdRng::seed_from_u64(12);
    let q4 = |rows, rng: &mut StdRng| matrix(GgmlType::Q4_1, &[0, 2], rows, rng);
    let q8 = |rows, rng: &mut StdRng| matrix(GgmlType::Q8_0, &[0], rows, rng);
    for rows in [[72, 24, 24], [8, 200, 16], [13, 5, 30]] {
        let alike = rows.map(|rows| q4(rows, &mut rng));
        let mixed = [q4(rows[0], &mut rng), q4(rows[1], &mut rng), q8(rows[2], &mut rng)];
        let floats = rows.map(|rows| matrix(GgmlType::F16, &[0], rows, &mut rng));
        for matrices in [alike, mixed, floats] {
            let forms = Forms::of(matrices.iter().map(Packed::layout));
            for n_tokens in [1, 6] {
                let values: Vec<f32> =
                    (0..n_tokens * N_COLS).map(|_| rng.random_range(-1.0..1.0)).collect();
                let run = |n_threads: usize, adds: [bool; 3], together: bool| {
                    let team = Team::new(n_threads);
                    let scratch = Scratch::new(n_threads, N_COLS).unwrap();
                    let linear = Linear { team: &team, scratch: &scratch };
                    let mut x = Activations::new(n_tokens, N_COLS).unwrap();
                    let fill = |_: usize, t: usize, rows: &mut [f32]| {
                        rows.copy_from_slice(&values[t * N_COLS..][..rows.len()]);
                    };
                    x.produce(&team, n_tokens, N_COLS, forms, fill).unwrap();
                    let mut out = matrices
                        .each_ref()
                        .map(|w| vec![0.5; n_tokens * w.n_panels() * PANEL_ROWS]);
                    let mut results = out.iter_mut().zip(adds);
                    let products = matrices.each_ref().map(|weights| {
                        let (out, add) = results.next().unwrap();
                        Product { weights, out: &mut out[..], add }
                    });
                    if together {
                        linear.run(&x, products).unwrap();
                    } else {
                        products.into_iter().for_each(|p| linear.run(&x, [p]).unwrap());
                    }
                    out.map(|out| out.into_iter().map(f32::to_bits).collect::<Vec<_>>())
                };
                for adds in [[true; 3], [false; 3], [true, false, true]] {
                    let expected = run(1, adds, false);
                    for n_threads in [1, 2, 3, 5, 16] {
                        let what = format!("{rows:?}, {adds:?}, {n_tokens} × {n_threads} threads");
                        assert_eq!(run(n_threads, adds, true), expected, "{what}");
                    }
                }
            }
        }
    }
}
