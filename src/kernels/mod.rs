//! The only SIMD: products of packed weights with activations, attention
//! tiles, and row operations. Shapes only; nothing here knows a model.
//!
//! The integer kernels stand in three levels of one trait ([`Level`]):
//! [`scalar`] (the twin that the tests compare with, and what the host runs),
//! `simd128` and `relaxed`. The level is chosen here, once, at build time. The
//! float kernels are written once over [`f32x4`].

#![allow(unsafe_code)] // the one room for SIMD loads and stores: each block states its bounds
#![allow(clippy::needless_range_loop)] // indices of rows, halves and tokens, as the layouts name them

mod attend;
mod attend_q8;
mod f32x4;
mod float;
#[cfg(target_arch = "wasm32")]
mod lanes;
mod level;
mod product;
mod recurrent;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod relaxed;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod relaxed_q8;
mod row;
#[cfg_attr(all(target_arch = "wasm32", not(test)), allow(dead_code))] // the tests' reference
mod scalar;
#[cfg(target_arch = "wasm32")]
// With relaxed SIMD it runs in tests only.
#[cfg_attr(all(target_feature = "relaxed-simd", not(test)), allow(dead_code))]
mod simd128;
mod stripe;
#[cfg(test)]
mod tests;

pub(crate) use attend::{HALF_SCALE, Half, Rows, score_keys, weigh_values};
pub(crate) use attend_q8::{
    ByteQueries, ByteScale, ByteTerms, ByteVectors, VALUE_GROUP, put_key, put_value,
    quantise_query, quantise_terms, score_bytes, weigh_bytes,
};
pub(crate) use f32x4::Exp;
pub(crate) use float::{FloatWeight, gemm_float, gemv_float};
pub(crate) use level::{
    Centred8, Centred16, Centred32, Centred128, Level, Minima, Q8_BLOCK, Scales, TABLE4_BLOCK,
    q4_block, q7_block,
};
pub(crate) use product::{
    Levels, MAX_PIECES, Piece, Q4, Q7, Q8, Quantised, Table4, Weights, gemm, gemv,
};
pub(crate) use recurrent::{add_products, delta_rule};
pub(crate) use row::{
    add_scaled, centre, exp_scalar, gelu, inverse_rms, multiply_by, rms_norm, rotate_halves,
    rotate_pairs, scale, scale_by, sigmoid_mul, silu, silu_mul, soft_cap, softmax_terms,
};
pub(crate) use stripe::{ColumnQueue, Columns, Stripe};

#[cfg(all(target_arch = "wasm32", not(target_feature = "simd128")))]
compile_error!("build for wasm32 with -C target-feature=+simd128 (build.sh does)");

/// The best level that this build can run.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub(crate) type Best = relaxed::Relaxed;
/// The best level that this build can run.
#[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
pub(crate) type Best = simd128::Simd128;
/// The best level that this build can run.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) type Best = scalar::Scalar;

/// Rows in a panel: the packed layouts interleave this many.
pub(crate) const PANEL_ROWS: usize = 8;
/// Tokens in a panel of activations for the GEMM kernels.
pub(crate) const PANEL_TOKENS: usize = 4;
/// Weights that share a scale in the integer layouts.
pub(crate) const BLOCK: usize = 32;
