//! One walk over the header that allocates nothing: is all of it there?

use super::reader::{self, Reader, Step};
use super::value::{ValueType, read_array_head};

/// Succeeds when the header is complete. A failure is the one that reading
/// values would meet at the same place, without having kept any.
pub(super) fn scan(r: &mut Reader<'_>) -> Step<()> {
    let preamble = r.preamble()?;
    for _ in 0..preamble.n_keys {
        r.string_bytes(reader::MAX_KEY_BYTES, "a key")?;
        let kind = ValueType::read(r)?;
        skip_value(r, kind, 0)?;
    }
    for _ in 0..preamble.n_tensors {
        r.string_bytes(reader::MAX_NAME_BYTES, "a tensor's name")?;
        let n_dims = r.n_dims()?;
        // dims u64[n_dims], type u32, offset u64
        r.take(u64::from(n_dims) * 8 + 12)?;
    }
    Ok(())
}

fn skip_value(r: &mut Reader<'_>, kind: ValueType, depth: u32) -> Step<()> {
    match kind {
        ValueType::String => {
            r.string_bytes(reader::MAX_STRING_BYTES, "a string")?;
        }
        ValueType::Array => {
            let (element, len) = read_array_head(r, depth)?;
            match element.fixed_bytes() {
                Some(size) => {
                    r.take(len * size)?;
                }
                None => {
                    for _ in 0..len {
                        skip_value(r, element, depth + 1)?;
                    }
                }
            }
        }
        fixed => {
            r.take(fixed.min_bytes())?;
        }
    }
    Ok(())
}
