//! GGUF: untrusted bytes → typed header, metadata and tensor table.
//!
//! The format (little-endian, versions 2 and 3):
//!
//! ```text
//! "GGUF"  version u32  n_tensors u64  n_keys u64
//! n_keys    × { key string, type u32, value }
//! n_tensors × { name string, n_dims u32, dims u64[n_dims], type u32, offset u64 }
//! padding to `general.alignment` (32 unless given), then the tensors' data
//! ```
//!
//! A string is a u64 length and UTF-8 bytes. Everything that the file claims is
//! checked here, once: after [`Header::parse`] the rest of pagelm may rely on
//! counts, sizes and offsets. Source: the GGUF specification in the ggml
//! repository (`docs/gguf.md`).

mod ggml_type;
mod index;
mod kind;
mod metadata;
mod reader;
mod scan;
mod sniff;
mod split;
mod tensor;
mod value;

pub use ggml_type::GgmlType;
pub use metadata::Metadata;
pub use split::Split;
pub use tensor::TensorInfo;
pub use value::{Array, Value};

use crate::error::{Error, Result};
use index::NameIndex;
use reader::{Reader, Stop};

/// Alignment of the data section where `general.alignment` is absent.
const DEFAULT_ALIGNMENT: u64 = 32;
/// Largest alignment taken: far above any page size, far below an overflow.
const MAX_ALIGNMENT: u64 = 1 << 20;

/// Everything that stands before the tensors' data.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// GGUF version: 2 or 3.
    pub version: u32,
    /// The key-value pairs, in file order.
    pub metadata: Metadata,
    /// The tensor table, in file order of its entries (not of their data: see
    /// [`Header::in_data_order`]).
    pub tensors: Vec<TensorInfo>,
    /// Alignment of tensor offsets in bytes, a power of two.
    pub alignment: u64,
    /// Where the data section begins, in bytes from the file's start. Without
    /// tensors there is no data section, and this is the header's end.
    pub data_offset: u64,
    /// Tensor names → places in `tensors`.
    index: NameIndex,
}

/// What came of the bytes that have arrived so far.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// The whole header was there.
    Complete(Header),
    /// A valid beginning.
    NeedMore {
        /// Bytes from the file's start without which another try is vain. A
        /// lower bound: the header may turn out longer, never shorter.
        at_least: u64,
    },
}

impl Header {
    /// Elements of all tensors together.
    pub fn n_elements(&self) -> u64 {
        self.tensors.iter().map(TensorInfo::n_elements).fold(0, u64::saturating_add)
    }

    /// Parses the file's first `bytes`; bytes after the header are ignored.
    ///
    /// Call again with more bytes after [`Parsed::NeedMore`]. A try on an
    /// incomplete header only walks over it and allocates nothing, so that
    /// feeding even a large header in small chunks stays cheap.
    ///
    /// # Errors
    /// [`Error::BadMagic`] or [`Error::HtmlPage`] from the first bytes,
    /// [`Error::BadVersion`] for versions other than 2 and 3, and
    /// [`Error::BadHeader`] for whatever contradicts the format, as soon as the
    /// bytes that show it are there (contradictions between entries, such as
    /// duplicates and overlaps, when the header is complete).
    pub fn parse(bytes: &[u8]) -> Result<Parsed> {
        let outcome = scan::scan(&mut Reader::new(bytes))
            .and_then(|()| Header::read(&mut Reader::new(bytes)));
        match outcome {
            Ok(header) => Ok(Parsed::Complete(header)),
            Err(Stop::Need(at_least)) => Ok(Parsed::NeedMore { at_least }),
            Err(Stop::Bad(error)) => Err(error),
        }
    }

    fn read(r: &mut Reader<'_>) -> reader::Step<Header> {
        let preamble = r.preamble()?;
        let metadata = Metadata::read(r, preamble.n_keys)?;
        let tensors = tensor::read_table(r, preamble.n_tensors)?;
        let alignment = alignment(&metadata)?;
        let end = r.position();
        let data_offset = if tensors.is_empty() { end } else { end.next_multiple_of(alignment) };
        tensor::check_layout(&tensors, alignment, data_offset)?;
        let index = NameIndex::new(&tensors, |t| &t.name).map_err(|at| {
            reader::bad(format!("there are two tensors {}", reader::quote(&tensors[at].name)))
        })?;
        Ok(Header { version: preamble.version, metadata, tensors, alignment, data_offset, index })
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.index.find(&self.tensors, |t| &t.name, name).map(|at| &self.tensors[at])
    }

    /// Bytes that a complete file has at least: up to the end of the last
    /// tensor's data, without padding after it.
    pub fn file_len(&self) -> u64 {
        // `check_layout` has shown that the sum fits.
        let data = self.tensors.iter().map(|t| t.offset + t.n_bytes).max().unwrap_or(0);
        self.data_offset + data
    }

    /// Places in [`Header::tensors`], ordered by where the data stands in the
    /// file: the order in which a stream brings them.
    pub fn in_data_order(&self) -> Vec<usize> {
        tensor::data_order(&self.tensors)
    }
}

fn alignment(metadata: &Metadata) -> Result<u64> {
    let alignment = metadata.opt_u32("general.alignment")?.map_or(DEFAULT_ALIGNMENT, u64::from);
    // The format asks for a multiple of 8.
    if !alignment.is_power_of_two() || !(8..=MAX_ALIGNMENT).contains(&alignment) {
        return Err(Error::BadHeader {
            what: format!("the alignment {alignment} is not a power of two from 8 to 1048576"),
        });
    }
    Ok(alignment)
}
