//! The GGUF parser on good, cut, hostile and mutated headers, and on the given files.

#![cfg(not(target_arch = "wasm32"))] // counts with an allocator of its own

mod allocations;
mod common;
mod gguf_writer;

use common::fixtures;
use gguf_writer::{ARRAY, BOOL, STRING, U8, U32, Writer, array, sample, string};
use pagelm::Error;
use pagelm::gguf::{Array, GgmlType, Header, Parsed, Value};

fn complete(bytes: &[u8]) -> Header {
    match Header::parse(bytes) {
        Ok(Parsed::Complete(header)) => header,
        other => panic!("not complete: {other:?}"),
    }
}

#[test]
fn a_whole_header() {
    let file = sample().file();
    let header = complete(&file);
    assert_eq!((header.version, header.alignment), (3, 32));
    assert_eq!(header.data_offset, file.len() as u64);
    assert_eq!(header.metadata.len(), 9);
    assert_eq!(header.metadata.str("general.architecture"), Ok("llama"));
    assert_eq!(header.metadata.u32("llama.block_count"), Ok(2));
    assert_eq!(header.metadata.u32("count"), Ok(77));
    assert_eq!(header.metadata.bool("flag"), Ok(true));
    assert_eq!(header.metadata.f32("eps"), Ok(1e-5));
    assert_eq!(header.metadata.strings("tokens").unwrap(), ["a", "Grüße", ""]);
    assert_eq!(&*header.metadata.i32s("types").unwrap(), [1, 3]);
    let nested = vec![Array::U8(vec![1, 2]), Array::String(vec!["x".into()])];
    assert_eq!(header.metadata.get("nested"), Some(&Value::Array(Array::Array(nested))));
    let json = serde_json::to_string(header.metadata.get("nested").unwrap()).unwrap();
    assert_eq!(json, r#"[[1,2],["x"]]"#);

    let embedding = header.tensor("token_embd.weight").unwrap();
    assert_eq!((embedding.dtype, embedding.n_bytes), (GgmlType::Q4_0, 2 * 3 * 18));
    assert_eq!((&*embedding.dims, embedding.n_elements()), (&[64, 3][..], 192));
    assert_eq!(header.tensor("odd").unwrap().dtype, GgmlType::Unknown(99));
    assert_eq!(header.tensor("token_embd"), None);
    assert_eq!(header.file_len(), header.data_offset + 128 + 64 * 4);
    assert_eq!(header.in_data_order(), [0, 1, 2]);
}

#[test]
fn version_2_and_other_alignments() {
    let mut writer = sample().u32("general.alignment", 64);
    writer.version = 2;
    writer.alignment = 64;
    let file = writer.file();
    let header = complete(&file);
    assert_eq!((header.version, header.alignment), (2, 64));
    assert_eq!(header.data_offset, file.len() as u64);
}

#[test]
fn without_tensors_the_file_ends_with_the_header() {
    let bytes = Writer::new().text("a", "b").header();
    let header = complete(&bytes);
    assert_eq!(header.file_len(), bytes.len() as u64);
    assert_eq!(complete(&Writer::new().header()).file_len(), 24);
}

#[test]
fn data_may_stand_in_any_order() {
    let header = complete(&Writer::new().tensor("b", &[8], 0, 32).tensor("a", &[8], 0, 0).file());
    assert_eq!(header.in_data_order(), [1, 0]);
    assert_eq!(header.file_len(), header.data_offset + 64);
}

#[test]
fn every_cut_asks_for_more() {
    let bytes = sample().header();
    for cut in 0..bytes.len() {
        match Header::parse(&bytes[..cut]) {
            Ok(Parsed::NeedMore { at_least }) => {
                assert!(at_least > cut as u64, "asks for {at_least} at {cut}");
                assert!(at_least <= bytes.len() as u64, "asks beyond the header at {cut}");
            }
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
    complete(&bytes);
}

fn big_array(depth: usize) -> Vec<u8> {
    (0..depth).fold(array(U8, 0, &[]), |inner, _| array(ARRAY, 1, &inner))
}

/// Wrong headers, and a word of the clause that says why.
fn hostile() -> Vec<(Writer, &'static str)> {
    let w = Writer::new;
    let long_name = "n".repeat(65);
    let long_key = "k".repeat(1 << 16);
    let mut cases = vec![
        (Writer { claimed_tensors: Some(1 << 60), ..w() }, "tensors"),
        (Writer { claimed_tensors: Some(u64::MAX), ..w() }, "tensors"),
        (Writer { claimed_keys: Some(1 << 60), ..w() }, "metadata keys"),
        (w().key("k", 13, &[0; 8]), "metadata type 13"),
        (w().key("k", u32::MAX, &[0; 8]), "metadata type"),
        (w().key("k", STRING, &u64::MAX.to_le_bytes()), "a string"),
        (w().key("k", STRING, &(1u64 << 40).to_le_bytes()), "a string"),
        (w().key("k", STRING, &string(b"\xff\xfe")), "UTF-8"),
        (w().key("k", BOOL, &[2]), "boolean"),
        (w().key("k", ARRAY, &array(U32, 1 << 60, &[])), "array elements"),
        (w().key("k", ARRAY, &array(13, 0, &[])), "metadata type 13"),
        (w().key("k", ARRAY, &array(BOOL, 2, &[1, 9])), "boolean"),
        (w().key("k", ARRAY, &array(STRING, 1, &u64::MAX.to_le_bytes())), "a string"),
        (w().key("k", ARRAY, &big_array(4)), "nested"),
        (w().key("k", ARRAY, &big_array(5000)), "nested"),
        (w().key(&long_key, U8, &[0]), "a key"),
        (w().u32("", 1), "a key is empty"),
        (w().u32("k", 1).text("k", "again"), "twice"),
        (w().u32("general.alignment", 0), "alignment"),
        (w().u32("general.alignment", 4), "alignment"),
        (w().u32("general.alignment", 48), "alignment"),
        (w().u32("general.alignment", 1 << 31), "alignment"),
        (w().tensor(&long_name, &[8], 0, 0), "a tensor's name"),
        (w().tensor("", &[8], 0, 0), "no name"),
        (w().tensor("t", &[], 0, 0), "dimensions"),
        (w().tensor("t", &[1; 5], 0, 0), "dimensions"),
        (w().tensor("t", &[8, 0], 0, 0), "empty dimension"),
        (w().tensor("t", &[1 << 33, 1 << 33], 0, 0), "elements"),
        (w().tensor("t", &[1 << 62], 0, 0), "bytes"),
        (w().tensor("t", &[31], 2, 0), "blocks"),
        (w().tensor("t", &[8], 0, 16), "multiple"),
        (w().tensor("t", &[8], 0, u64::MAX), "multiple"),
        (w().tensor("t", &[8], 0, u64::MAX - 31), "beyond"),
        (w().tensor("a", &[9], 0, 0).tensor("b", &[8], 0, 32), "within"),
        (w().tensor("t", &[8], 0, 0).tensor("t", &[8], 0, 32), "two tensors"),
        (Writer { version: 3u32.swap_bytes(), ..w() }, "big-endian"),
        (Writer { version: 2u32.swap_bytes(), ..w() }, "big-endian"),
    ];
    let mut name_not_text = w();
    name_not_text.tensors.push([string(b"\xc3"), vec![0; 24]].concat());
    name_not_text.tensors[0][9] = 1; // n_dims
    cases.push((name_not_text, "UTF-8"));
    cases
}

#[test]
fn hostile_headers_are_refused() {
    for (writer, word) in hostile() {
        let bytes = writer.file();
        let (outcome, usage) = allocations::during(|| Header::parse(&bytes));
        match outcome {
            Err(Error::BadHeader { what }) => {
                assert!(what.contains(word), "{what:?} does not speak of {word:?}");
                assert!(what.len() < 400, "{what:?} is long");
            }
            other => panic!("{word}: {other:?}"),
        }
        assert!(usage.peak_bytes < 4096 + 12 * bytes.len(), "{word}: {usage:?}");
    }
}

#[test]
fn an_alignment_of_another_type_is_refused() {
    let bytes = Writer::new().text("general.alignment", "32").file();
    let error = Header::parse(&bytes).unwrap_err();
    assert_eq!(error, Error::BadMetadata { key: "general.alignment".into() });
}

#[test]
fn wrong_versions_and_magics() {
    for version in [0, 1, 4, 5, 65_535] {
        let bytes = Writer { version, ..Writer::new() }.file();
        assert_eq!(Header::parse(&bytes), Err(Error::BadVersion { version }));
        assert_eq!(Header::parse(&bytes[..8]), Err(Error::BadVersion { version }), "at once");
    }
    let bytes = Writer { magic: *b"ggla", ..Writer::new() }.file();
    assert_eq!(Header::parse(&bytes[..4]), Err(Error::BadMagic { magic: *b"ggla" }));
    assert_eq!(Header::parse(b"\n<!DocType HTML><p>404"), Err(Error::HtmlPage));
}

/// Claims are refused, or wait for their bytes, without memory being set aside.
#[test]
fn large_claims_within_the_caps_cost_nothing() {
    let w = Writer::new;
    for writer in [
        Writer { claimed_tensors: Some(60_000), claimed_keys: Some(60_000), ..w() },
        w().key("k", STRING, &(16u64 << 20).to_le_bytes()),
        w().key("k", ARRAY, &array(STRING, 1 << 23, &[])),
        w().key("k", ARRAY, &array(U32, 1 << 24, &[0; 100])),
    ] {
        let bytes = writer.header();
        let (outcome, usage) = allocations::during(|| Header::parse(&bytes));
        assert!(matches!(outcome, Ok(Parsed::NeedMore { .. })), "{outcome:?}");
        assert_eq!(usage.count, 0);
    }
    // 16,777,216 strings cannot fit into the largest header taken.
    let bytes = w().key("k", ARRAY, &array(STRING, 1 << 24, &[])).header();
    assert!(matches!(Header::parse(&bytes), Err(Error::BadHeader { .. })));
}

/// A small generator, so that the cases are the same everywhere.
struct Random(u64);

impl Random {
    /// A number below `n` (xorshift64*).
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % n
    }
}

#[test]
fn mutated_headers_never_panic_and_cost_little() {
    let original = sample().u32("general.alignment", 32).file();
    let mut random = Random(0x5eed);
    let (mut parsed, mut refused, mut waiting) = (0, 0, 0);
    for case in 0..20_000 {
        let mut bytes = original.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(6) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.below(256) as u8,
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 9][random.below(6)],
                3 => bytes.truncate(at.max(1)),
                4 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.below(256) as u8),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        let (outcome, usage) = allocations::during(|| Header::parse(&bytes));
        assert!(usage.peak_bytes < 4096 + 12 * bytes.len(), "case {case}: {usage:?}");
        match outcome {
            Ok(Parsed::Complete(header)) => {
                parsed += 1;
                assert!(header.data_offset <= header.file_len());
            }
            Ok(Parsed::NeedMore { at_least }) => {
                waiting += 1;
                assert!(at_least > bytes.len() as u64, "case {case}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(parsed > 1000 && refused > 1000 && waiting > 1000, "{parsed} {refused} {waiting}");
}

#[test]
fn a_dense_header_costs_a_small_multiple() {
    let words = string(b"").repeat(100_000);
    let arrays = array(U8, 0, &[]).repeat(100_000);
    let mut writer = Writer::new().key("words", ARRAY, &array(STRING, 100_000, &words)).key(
        "arrays",
        ARRAY,
        &array(ARRAY, 100_000, &arrays),
    );
    for i in 0..10_000 {
        writer = writer.key(&i.to_string(), U8, &[0]).tensor(&i.to_string(), &[1], 24, i * 32);
    }
    let bytes = writer.file();
    let (header, usage) = allocations::during(|| complete(&bytes));
    assert_eq!(header.tensors.len(), 10_000);
    assert_eq!(header.tensor("9999").unwrap().offset, 9999 * 32);
    assert!(usage.peak_bytes < 6 * bytes.len(), "{usage:?} for {} bytes", bytes.len());
}

/// Metadata keys and tensors of some of the given files, counted by another reader.
const COUNTS: [(&str, usize, usize); 8] = [
    ("gemma3.Q4_K_M.gguf", 33, 80),
    ("llama-types.IQ3_S.gguf", 26, 20),
    ("llama-types.Q1_0.gguf", 26, 20),
    ("llama-types.Q2_0.gguf", 26, 20),
    ("llama3.Q8_0.gguf", 26, 21),
    ("qwen35.Q8_0.gguf", 35, 55),
    ("ggml-vocab-llama-bpe.gguf", 20, 0),
    ("ggml-vocab-llama-spm.gguf", 22, 0),
];

#[test]
fn given_files() {
    let files = ["tiny", "vocab"].map(|folder| fixtures().files(folder, ".gguf")).concat();
    let mut counted = 0;
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let header = complete(&bytes);
        assert_eq!(header.version, 3, "{name}");
        assert!(header.metadata.str("general.architecture").is_ok(), "{name}");
        if let Some(&(_, keys, tensors)) = COUNTS.iter().find(|count| count.0 == name) {
            assert_eq!((header.metadata.len(), header.tensors.len()), (keys, tensors), "{name}");
            counted += 1;
        }
        let len = bytes.len() as u64;
        assert!(header.file_len() <= len, "{name}: {} of {len}", header.file_len());
        assert!(header.file_len() + header.alignment > len, "{name}: bytes are left over");
        // These files are written without gaps: each size says where the next begins.
        let order = header.in_data_order();
        for pair in order.windows(2) {
            let [this, next] = [pair[0], pair[1]].map(|at| &header.tensors[at]);
            assert_ne!(this.n_bytes, 0, "{name}: {}", this.dtype);
            let end = (this.offset + this.n_bytes).next_multiple_of(header.alignment);
            assert_eq!(end, next.offset, "{name}: {} as {}", this.name, this.dtype);
        }
    }
    assert!(counted > 0, "none of the counted files is there");
}

/// A large header in small chunks: every call before the last only walks over
/// what is there, and asks for no more than the header has.
#[test]
fn a_large_header_in_chunks() {
    // The largest vocabulary that is there.
    let files = fixtures().files("vocab", ".gguf");
    let largest = files.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let bytes = std::fs::read(largest).unwrap();
    let (mut calls, mut allocated) = (0, 0);
    let mut have = 0;
    while have < bytes.len() {
        have = (have + (64 << 10)).min(bytes.len());
        calls += 1;
        let (outcome, usage) = allocations::during(|| Header::parse(&bytes[..have]));
        match outcome.unwrap() {
            Parsed::Complete(_) => assert_eq!(have, bytes.len()),
            Parsed::NeedMore { at_least } => {
                assert!(at_least > have as u64 && at_least <= bytes.len() as u64);
                allocated += usage.count;
            }
        }
    }
    assert_eq!((calls, allocated), (bytes.len().div_ceil(64 << 10), 0));
}
