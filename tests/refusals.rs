//! Files that cannot run are refused by their header alone, each with its own code. Of the
//! weights not a byte is given.

mod common;
mod gguf_writer;

use gguf_writer::Writer;
use pagelm::gguf::{Header, Parsed, TensorInfo};
use pagelm::session::{LoadOptions, Loader};
use std::path::Path;

/// A sound model's keys and tensors, to be spoilt.
fn model() -> (Vec<u8>, Vec<TensorInfo>) {
    let path = common::fixtures().path("tiny/llama-e192.Q4_1.gguf").expect("it is in the subset");
    parsed(&path)
}

fn parsed(path: &Path) -> (Vec<u8>, Vec<TensorInfo>) {
    let bytes = std::fs::read(path).unwrap();
    match Header::parse(&bytes).unwrap() {
        Parsed::Complete(header) => (bytes, header.tensors),
        Parsed::NeedMore { .. } => panic!("the header is cut"),
    }
}

/// The header of a model with these tensors.
fn with(bytes: &[u8], tensors: impl IntoIterator<Item = TensorInfo>) -> Vec<u8> {
    let mut offset = 0u64;
    let mut writer = Writer::like(bytes);
    for tensor in tensors {
        writer = writer.tensor(&tensor.name, &tensor.dims, tensor.dtype.number(), offset);
        let elements: u64 = tensor.dims.iter().product();
        offset = (offset + elements * 8).next_multiple_of(32);
    }
    writer.file()
}

fn refusal(file: &[u8], options: LoadOptions) -> Option<&'static str> {
    Loader::new(options).push(file).err().map(|error| {
        let sentence = error.to_string();
        assert!(sentence.len() > 40 && sentence.ends_with('.'), "{sentence}");
        error.code()
    })
}

#[test]
fn each_has_its_code() {
    let (bytes, tensors) = model();
    let of = |kind: &str, architecture: &str| {
        let base = Writer::new().text("general.type", kind);
        base.text("general.architecture", architecture).tensor("t", &[32], 0, 0).file()
    };
    let changed = |name: &str, change: &dyn Fn(&mut TensorInfo)| {
        let mut tensors = tensors.clone();
        change(tensors.iter_mut().find(|t| t.name == name).unwrap());
        with(&bytes, tensors)
    };
    let up = "blk.1.ffn_up.weight";
    let without = |name: &str| with(&bytes, tensors.iter().filter(|t| t.name != name).cloned());
    let cases = [
        ("a LoRA adapter", of("adapter", "llama"), "adapter"),
        ("a control vector", of("model", "controlvector"), "adapter"),
        ("a projector", of("mmproj", "clip"), "projector"),
        ("an old projector", of("model", "clip"), "projector"),
        ("statistics", of("imatrix", "llama"), "not_a_model"),
        ("a vocabulary", with(&bytes, []), "vocabulary_only"),
        ("an encoder", of("model", "bert"), "masked_model"),
        ("an unknown architecture", of("model", "frobnicator"), "unsupported_architecture"),
        ("no embedding", without("token_embd.weight"), "missing_tensor"),
        ("no matrix", without(up), "missing_tensor"),
        ("no norm", without("output_norm.weight"), "missing_tensor"),
        ("a wrong shape", changed(up, &|t| t.dims[1] += 8), "wrong_shape"),
        ("a transposed matrix", changed(up, &|t| t.dims.reverse()), "wrong_shape"),
        ("an integer type", changed(up, &|t| t.dtype = type_of(24)), "unsupported_type"),
        ("an unknown type", changed(up, &|t| t.dtype = type_of(99)), "unsupported_type"),
    ];
    for (title, file, code) in cases {
        assert_eq!(refusal(&file, LoadOptions::default()), Some(code), "{title}");
    }
    let sound = with(&bytes, tensors.clone());
    assert_eq!(refusal(&sound, LoadOptions::default()), None, "the model itself");
    let phone = LoadOptions { device_memory: Some(100_000), ..LoadOptions::default() };
    assert_eq!(refusal(&sound, phone), Some("too_large"));
}

/// What a configuration asks for, it asks for by name and shape, in every architecture.
#[test]
fn every_architecture_needs_each_of_its_tensors() {
    let mut refused = 0;
    for path in common::fixtures().files("tiny", ".F16.gguf") {
        let (bytes, tensors) = parsed(&path);
        let code =
            |tensors: Vec<TensorInfo>| refusal(&with(&bytes, tensors), LoadOptions::default());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert_eq!(code(tensors.clone()), None, "{name}");
        for i in 0..tensors.len() {
            let without = code(tensors.iter().filter(|t| **t != tensors[i]).cloned().collect());
            let tensor = &tensors[i].name;
            // What a norm that is absent means for others is not known: they are refused.
            let expected = [Some("missing_tensor"), Some("unsupported_architecture")];
            assert!(expected.contains(&without), "{name} without {tensor}: {without:?}");
            let mut changed = tensors.clone();
            changed[i].dims[0] += 32;
            assert_eq!(code(changed), Some("wrong_shape"), "{name} with another {tensor}");
            refused += 2;
        }
        let more = TensorInfo { name: "blk.1.new.weight".into(), ..tensors[0].clone() };
        let more = tensors.iter().cloned().chain([more]).collect();
        assert_eq!(code(more), Some("unsupported_architecture"), "{name} with a new tensor");
    }
    assert!(refused > 300, "{refused}");
}

fn type_of(number: u32) -> pagelm::gguf::GgmlType {
    pagelm::gguf::GgmlType::from_number(number)
}
