//! The operations of a transformer: shapes, no architecture.

mod activations;
mod attention;
mod linear;
mod rope;
#[cfg(test)]
mod tests;

pub(crate) use activations::{Activations, Forms};
pub(crate) use attention::{Attention, AttentionShape, Scores, View, store_keys_values};
pub(crate) use linear::{Linear, Product, Scratch};
pub(crate) use rope::{Pairing, Rope, RopeShape, Yarn};
