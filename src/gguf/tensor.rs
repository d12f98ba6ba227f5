//! The tensor table.

use super::ggml_type::GgmlType;
use super::reader::{self, Reader, Step, bad, quote};
use crate::error::Result;

/// One entry of the tensor table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Unique name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Shape, 1 to 4 sizes, none 0, in GGUF order: fastest dimension first.
    pub dims: Vec<u64>,
    /// How the elements are stored.
    pub dtype: GgmlType,
    /// Where the data begins, in bytes from [`super::Header::data_offset`].
    pub offset: u64,
    /// Bytes of the data, without padding; 0 for an unknown type.
    pub n_bytes: u64,
}

impl TensorInfo {
    /// Number of elements.
    pub fn n_elements(&self) -> u64 {
        // `read` has shown that the product fits.
        self.dims.iter().product()
    }

    fn read(r: &mut Reader<'_>) -> Step<TensorInfo> {
        let name = r.string(reader::MAX_NAME_BYTES, "a tensor's name")?.to_owned();
        let n_dims = r.n_dims()?;
        let dims = (0..n_dims).map(|_| r.u64()).collect::<Step<Vec<u64>>>()?;
        let dtype = GgmlType::from_number(r.u32()?);
        let offset = r.u64()?;
        if name.is_empty() {
            return Err(bad("a tensor has no name".to_owned()).into());
        }
        let n_bytes = n_bytes(&name, &dims, dtype)?;
        Ok(TensorInfo { name, dims, dtype, offset, n_bytes })
    }
}

/// Bytes of a tensor's data: blocks run along the fastest dimension.
fn n_bytes(name: &str, dims: &[u64], dtype: GgmlType) -> Result<u64> {
    let refuse = |what: &str| Err(bad(format!("tensor {} {what}", quote(name))));
    if dims.contains(&0) {
        return refuse("has an empty dimension");
    }
    let Some(n_elements) = dims.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim)) else {
        return refuse("has more elements than can be counted");
    };
    if let GgmlType::Unknown(_) = dtype {
        return Ok(0);
    }
    if !dims[0].is_multiple_of(dtype.block_len()) {
        let (row, block) = (dims[0], dtype.block_len());
        return refuse(&format!("has rows of {row} elements, not whole {dtype} blocks of {block}"));
    }
    match (n_elements / dtype.block_len()).checked_mul(dtype.block_bytes()) {
        Some(n_bytes) => Ok(n_bytes),
        None => refuse("has more bytes than can be counted"),
    }
}

pub(super) fn read_table(r: &mut Reader<'_>, n_tensors: u64) -> Step<Vec<TensorInfo>> {
    let mut tensors = Vec::new();
    for _ in 0..n_tensors {
        tensors.push(TensorInfo::read(r)?);
    }
    Ok(tensors)
}

/// Places in `tensors` by offset.
pub(super) fn data_order(tensors: &[TensorInfo]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&at| tensors[at].offset);
    order
}

/// Checks that the data of all tensors is aligned, apart from one another, and
/// ends where a u64 can say.
pub(super) fn check_layout(tensors: &[TensorInfo], alignment: u64, data_offset: u64) -> Result<()> {
    let mut free_from = 0; // end of the data before, from `data_offset`
    for at in data_order(tensors) {
        let TensorInfo { name, offset, n_bytes, .. } = &tensors[at];
        let refuse = |what: &str| Err(bad(format!("tensor {} {what}", quote(name))));
        if !offset.is_multiple_of(alignment) {
            return refuse(&format!("stands at {offset}, not at a multiple of {alignment}"));
        }
        if *offset < free_from {
            return refuse(&format!("stands at {offset}, within the tensor before it"));
        }
        let end =
            offset.checked_add(*n_bytes).filter(|end| data_offset.checked_add(*end).is_some());
        match end {
            Some(end) => free_from = end,
            None => return refuse("ends beyond any file"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_blocks() {
        for (dims, dtype, expected) in [
            (&[64, 3][..], GgmlType::F32, 64 * 3 * 4),
            (&[64, 3], GgmlType::Q4_0, 2 * 3 * 18),
            (&[256, 2, 5], GgmlType::Q4_K, 10 * 144),
            (&[7], GgmlType::F16, 14),
            (&[7, 1, 2, 3], GgmlType::Unknown(99), 0),
        ] {
            assert_eq!(n_bytes("t", dims, dtype), Ok(expected), "{dims:?} {dtype}");
        }
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for (dims, dtype) in [
            (&[0, 32][..], GgmlType::F32),
            (&[32, 0], GgmlType::Unknown(99)),
            (&[33, 32], GgmlType::Q8_0), // 33 · 32 elements are whole blocks, the rows are not
            (&[128], GgmlType::Q6_K),
            (&[1 << 32, 1 << 32], GgmlType::I8),
            (&[1 << 32, 1 << 32], GgmlType::Unknown(99)),
            (&[1 << 62], GgmlType::F32),
        ] {
            let error = n_bytes("t", dims, dtype).unwrap_err();
            assert_eq!(error.code(), "gguf_bad_header", "{dims:?} {dtype}");
        }
    }

    fn at(offset: u64, n_bytes: u64) -> TensorInfo {
        let name = format!("t{offset}");
        TensorInfo { name, dims: vec![n_bytes.max(1)], dtype: GgmlType::I8, offset, n_bytes }
    }

    #[test]
    fn layout() {
        let good: &[&[TensorInfo]] = &[
            &[],
            &[at(0, 32), at(32, 1), at(64, 7)],
            &[at(64, 7), at(0, 64)],              // any order
            &[at(0, 1), at(1 << 40, 1 << 20)],    // gaps
            &[at(32, 0), at(32, 5)],              // an unknown type has no size
            &[at((u64::MAX >> 5) << 5, 31 - 10)], // with data_offset 10: the last place
        ];
        for tensors in good {
            assert_eq!(check_layout(tensors, 32, 10), Ok(()), "{tensors:?}");
        }
        let bad: &[&[TensorInfo]] = &[
            &[at(16, 1)],
            &[at(0, 33), at(32, 1)],
            &[at(32, 1), at(0, 33)],
            &[at(0, 8), at(0, 8)],
            &[at((u64::MAX >> 5) << 5, 31 - 9)],
            &[at((u64::MAX >> 5) << 5, 64)],
        ];
        for tensors in bad {
            assert!(check_layout(tensors, 32, 10).is_err(), "{tensors:?}");
        }
    }
}
