//! Writes GGUF headers, right and wrong ones.
// Each test compiles this module for itself and uses a part of it.
#![allow(dead_code)]

pub(crate) mod split;

/// A header under construction; the counts may be made to lie.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) magic: [u8; 4],
    pub(crate) version: u32,
    pub(crate) claimed_tensors: Option<u64>,
    pub(crate) claimed_keys: Option<u64>,
    pub(crate) keys: Vec<Vec<u8>>,
    /// Keys beyond one in the entries of `keys`.
    pub(crate) more_keys: u64,
    pub(crate) tensors: Vec<Vec<u8>>,
    /// The data section is padded to this.
    pub(crate) alignment: usize,
    pub(crate) data: Vec<u8>,
}

pub(crate) const U8: u32 = 0;
pub(crate) const U16: u32 = 2;
pub(crate) const U32: u32 = 4;
pub(crate) const I32: u32 = 5;
pub(crate) const F32: u32 = 6;
pub(crate) const BOOL: u32 = 7;
pub(crate) const STRING: u32 = 8;
pub(crate) const ARRAY: u32 = 9;
pub(crate) const U64: u32 = 10;
pub(crate) const F64: u32 = 12;

impl Writer {
    pub(crate) fn new() -> Writer {
        Writer {
            magic: *b"GGUF",
            version: 3,
            claimed_tensors: None,
            claimed_keys: None,
            keys: Vec::new(),
            more_keys: 0,
            tensors: Vec::new(),
            alignment: 32,
            data: Vec::new(),
        }
    }

    /// The metadata of a file, and no tensors.
    pub(crate) fn like(file: &[u8]) -> Writer {
        let Ok(pagelm::gguf::Parsed::Complete(header)) = pagelm::gguf::Header::parse(file) else {
            panic!("not a whole header");
        };
        // The keys end where the first tensor's entry begins.
        let entry = string(header.tensors[0].name.as_bytes());
        let end = file.windows(entry.len()).position(|bytes| bytes == entry).unwrap();
        let n_keys = header.metadata.len() as u64;
        Writer { keys: vec![file[24..end].to_vec()], more_keys: n_keys - 1, ..Writer::new() }
    }

    /// Adds a tensor with its data.
    pub(crate) fn tensor_with(
        mut self,
        name: &str,
        dims: &[u64],
        dtype: u32,
        data: &[u8],
    ) -> Writer {
        self.data.resize(self.data.len().next_multiple_of(self.alignment), 0);
        let offset = self.data.len() as u64;
        self.data.extend(data);
        self.tensor(name, dims, dtype, offset)
    }

    /// Adds a key whose value's bytes are given.
    pub(crate) fn key(mut self, key: &str, kind: u32, value: &[u8]) -> Writer {
        self.keys
            .push([string(key.as_bytes()), kind.to_le_bytes().to_vec(), value.into()].concat());
        self
    }

    pub(crate) fn u32(self, key: &str, value: u32) -> Writer {
        self.key(key, U32, &value.to_le_bytes())
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Writer {
        self.key(key, STRING, &string(value.as_bytes()))
    }

    pub(crate) fn tensor(mut self, name: &str, dims: &[u64], dtype: u32, offset: u64) -> Writer {
        let mut entry = string(name.as_bytes());
        entry.extend((dims.len() as u32).to_le_bytes());
        entry.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
        entry.extend(dtype.to_le_bytes());
        entry.extend(offset.to_le_bytes());
        self.tensors.push(entry);
        self
    }

    /// The header without padding.
    pub(crate) fn header(&self) -> Vec<u8> {
        let n_tensors = self.claimed_tensors.unwrap_or(self.tensors.len() as u64);
        let n_keys = self.claimed_keys.unwrap_or(self.keys.len() as u64 + self.more_keys);
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(n_tensors.to_le_bytes());
        bytes.extend(n_keys.to_le_bytes());
        bytes.extend(self.keys.concat());
        bytes.extend(self.tensors.concat());
        bytes
    }

    /// The header, padding and data.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut bytes = self.header();
        bytes.resize(bytes.len().next_multiple_of(self.alignment), 0);
        bytes.extend(&self.data);
        bytes
    }
}

/// A string as the format has it.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
}

/// An array value's bytes: element type, claimed length, elements.
pub(crate) fn array(element: u32, len: u64, elements: &[u8]) -> Vec<u8> {
    [&element.to_le_bytes()[..], &len.to_le_bytes(), elements].concat()
}

/// A small header with every kind of thing in it.
pub(crate) fn sample() -> Writer {
    let words = [string(b"a"), string("Grüße".as_bytes()), string(b"")].concat();
    let nested = [array(U8, 2, &[1, 2]), array(STRING, 1, &string(b"x"))].concat();
    Writer::new()
        .text("general.architecture", "llama")
        .u32("llama.block_count", 2)
        .key("flag", BOOL, &[1])
        .key("eps", F32, &1e-5f32.to_le_bytes())
        .key("double", F64, &0.25f64.to_le_bytes())
        .key("count", U64, &77u64.to_le_bytes())
        .key("tokens", ARRAY, &array(STRING, 3, &words))
        .key("types", ARRAY, &array(I32, 2, &[1, 0, 0, 0, 3, 0, 0, 0]))
        .key("nested", ARRAY, &array(ARRAY, 2, &nested))
        .tensor("token_embd.weight", &[64, 3], 2, 0)
        .tensor("output_norm.weight", &[64], 0, 128)
        .tensor("odd", &[5, 1, 2, 1], 99, 384)
}
