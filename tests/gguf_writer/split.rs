//! Cuts a model into the parts of a split one.

use super::{I32, U16, Writer};
use pagelm::gguf::{Header, Parsed};

pub(crate) fn header(bytes: &[u8]) -> Header {
    match Header::parse(bytes).unwrap() {
        Parsed::Complete(header) => header,
        Parsed::NeedMore { .. } => panic!("the header is cut"),
    }
}

/// The keys of part `no` of `count`.
pub(crate) fn keys(writer: Writer, no: u16, count: u16, n_tensors: i32) -> Writer {
    writer
        .key("split.no", U16, &no.to_le_bytes())
        .key("split.count", U16, &count.to_le_bytes())
        .key("split.tensors.count", I32, &n_tensors.to_le_bytes())
}

/// A model's parts, that many tensors in each.
pub(crate) fn cut(model: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let whole = header(model);
    let mut tensors = whole.in_data_order().into_iter();
    let part = |(no, size): (usize, &usize)| {
        let base = if no == 0 { Writer::like(model) } else { Writer::new() };
        let mut part = keys(base, no as u16, sizes.len() as u16, whole.tensors.len() as i32);
        for at in tensors.by_ref().take(*size) {
            let tensor = &whole.tensors[at];
            let start = (whole.data_offset + tensor.offset) as usize;
            let data = &model[start..start + tensor.n_bytes as usize];
            part = part.tensor_with(&tensor.name, &tensor.dims, tensor.dtype.number(), data);
        }
        part.file()
    };
    sizes.iter().enumerate().map(part).collect()
}
