//! Every format that is packed: those that candle knows against its dequantisation of the
//! same bytes, the others against vectors made with the Python package `gguf`.

use super::affine::{self, Bits};
use super::{Layout, Packed, layout_of, q8_0, symmetric, to_f32};
use crate::gguf::GgmlType;
use crate::kernels::Centred128;
use candle_core::quantized::GgmlDType;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const FORMATS: [(GgmlType, GgmlDType); 14] = [
    (GgmlType::F32, GgmlDType::F32),
    (GgmlType::F16, GgmlDType::F16),
    (GgmlType::BF16, GgmlDType::BF16),
    (GgmlType::Q4_0, GgmlDType::Q4_0),
    (GgmlType::Q4_1, GgmlDType::Q4_1),
    (GgmlType::Q5_0, GgmlDType::Q5_0),
    (GgmlType::Q5_1, GgmlDType::Q5_1),
    (GgmlType::Q8_0, GgmlDType::Q8_0),
    (GgmlType::Q2_K, GgmlDType::Q2K),
    (GgmlType::Q3_K, GgmlDType::Q3K),
    (GgmlType::Q4_K, GgmlDType::Q4K),
    (GgmlType::Q5_K, GgmlDType::Q5K),
    (GgmlType::Q6_K, GgmlDType::Q6K),
    (GgmlType::Q8_K, GgmlDType::Q8K),
];

/// Bytes of `values` as candle quantises them.
fn quantised(format: GgmlDType, values: &[f32]) -> Vec<u8> {
    let device = candle_core::Device::Cpu;
    let tensor = candle_core::Tensor::from_slice(values, values.len(), &device).unwrap();
    let tensor = candle_core::quantized::QTensor::quantize(&tensor, format).unwrap();
    tensor.data().unwrap().to_vec()
}

/// What candle makes of bytes.
fn dequantised(format: GgmlDType, bytes: &[u8], n: usize) -> Vec<f32> {
    let aligned: Vec<u64> = bytes
        .chunks(8)
        .map(|c| {
            let mut word = [0; 8];
            word[..c.len()].copy_from_slice(c);
            u64::from_le_bytes(word)
        })
        .collect();
    let bytes = &bytemuck::cast_slice(&aligned)[..bytes.len()];
    match format.from_data(bytes.into()).dequantize(n).unwrap() {
        candle_core::CpuStorage::F32(values) => values,
        _ => unreachable!("candle dequantises to f32"),
    }
}

/// The one for CPUs whose dot product takes bytes, and the one for all others.
#[test]
fn q8_0_is_the_same_in_either_layout() {
    let mut rng = StdRng::seed_from_u64(5);
    let n_cols = 96;
    let values: Vec<f32> = (0..8 * n_cols).map(|_| rng.random_range(-0.2..0.2)).collect();
    let mut bytes = quantised(GgmlDType::Q8_0, &values);
    bytes[2] = 0x80; // -128, which no quantisation gives
    let [plain, centred] = [Layout::Q8, Layout::Q8Centred].map(|layout| {
        let mut panel = vec![0; layout.panel_bytes(n_cols)];
        q8_0::pack(layout, &bytes, n_cols, &mut panel, q8_0::block);
        panel
    });
    let (mut expected, mut found) = (vec![0.0; n_cols], vec![0.0; n_cols]);
    for r in 0..8 {
        symmetric::unpack_row(&plain, r, &mut expected);
        affine::unpack_row::<Centred128>(Bits::Seven, &centred, r, &mut found);
        assert_eq!(found, expected);
    }
}

#[test]
fn every_format_unpacks_to_what_candle_reads() {
    let mut rng = StdRng::seed_from_u64(3);
    for (dtype, format) in FORMATS {
        for (n_rows, n_cols) in [(8, 256), (1, 512), (13, 768)] {
            let values: Vec<f32> =
                (0..n_rows * n_cols).map(|_| rng.random_range(-0.2..0.2)).collect();
            let bytes = quantised(format, &values);
            let exact = dequantised(format, &bytes, values.len());
            let row_bytes = bytes.len() / n_rows;
            let mut packed = Packed::zeroed(layout_of(dtype).unwrap(), n_rows, n_cols).unwrap();
            for (panel, rows) in bytes.chunks(8 * row_bytes).enumerate() {
                packed.pack_panel(dtype, panel, rows).unwrap();
            }
            let mut row = vec![0.0; n_cols];
            for (r, exact) in exact.chunks(n_cols).enumerate() {
                packed.row(r, &mut row);
                for (found, exact) in row.iter().zip(exact) {
                    let error = (found - exact).abs();
                    // f16 has 11 bits. Where products of scales and minima are rounded to it, d·q
                    // and m are off by that, and both can be larger than their sum.
                    let scales = dtype.block_len() == 256
                        && !matches!(dtype, GgmlType::Q6_K | GgmlType::Q8_K);
                    let size = if scales { exact.abs().max(0.6) } else { exact.abs() };
                    assert!(error <= size / 2048.0 + 1e-6, "{dtype:?}: {found}, {exact}");
                }
            }
        }
    }
}

/// Blocks of a format, and their weights as f32 (`tests/fixtures/formats/make.py`).
macro_rules! vectors {
    ($($name:ident)*) => {
        [$((
            GgmlType::$name,
            &include_bytes!(concat!("../../tests/fixtures/formats/", stringify!($name), ".blocks"))[..],
            &include_bytes!(concat!("../../tests/fixtures/formats/", stringify!($name), ".values"))[..],
        ),)*]
    };
}

#[test]
fn every_other_format_unpacks_to_the_vectors() {
    const COLUMNS: usize = 512;
    let vectors = vectors!(
        Q1_0 Q2_0 Q8_1 TQ1_0 TQ2_0 MXFP4 NVFP4 IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S
        IQ4_NL IQ4_XS
    );
    for (dtype, blocks, values) in vectors {
        let values: Vec<f32> =
            values.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let n_rows = values.len() / COLUMNS;
        let mut packed = Packed::zeroed(layout_of(dtype).unwrap(), n_rows, COLUMNS).unwrap();
        packed.pack_panel(dtype, 0, blocks).unwrap();
        let mut row = vec![0.0; COLUMNS];
        for (r, expected) in values.chunks(COLUMNS).enumerate() {
            packed.row(r, &mut row);
            for (b, (found, expected)) in row.chunks(32).zip(expected.chunks(32)).enumerate() {
                let largest = expected.iter().fold(0f32, |max, w| max.max(w.abs()));
                // Products of scales are rounded to f16, so d·q and m are off by 2^-11 at most.
                let exact = matches!(
                    dtype,
                    GgmlType::Q1_0
                        | GgmlType::Q2_0
                        | GgmlType::Q8_1
                        | GgmlType::TQ1_0
                        | GgmlType::TQ2_0
                        | GgmlType::MXFP4
                        | GgmlType::NVFP4
                        | GgmlType::IQ4_NL
                );
                let allowed = if exact { 0.0 } else { largest / 512.0 };
                for (found, expected) in found.iter().zip(expected) {
                    let error = (found - expected).abs();
                    assert!(error <= allowed, "{dtype} row {r} block {b}: {found}, {expected}");
                }
            }
        }
    }
}

#[test]
fn a_vector_is_a_single_row() {
    let values: Vec<f32> = (0..33).map(|i| i as f32 * 0.25).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(to_f32(GgmlType::F32, &bytes, 33).unwrap(), values);
}

#[test]
fn unknown_types_have_no_layout() {
    for dtype in [GgmlType::I8, GgmlType::I64, GgmlType::Unknown(99)] {
        assert_eq!(layout_of(dtype), None);
    }
}
