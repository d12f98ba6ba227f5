//! Models in several files: a tiny one is cut into parts and gives what the whole one gives;
//! parts that do not fit, and headers that lie, are refused before weights are read.

mod common;
mod gguf_writer;

use common::{fixtures, score};
use gguf_writer::Writer;
use gguf_writer::split::{cut, header, keys};
use pagelm::session::{Engine, LoadOptions, Loader};
use pagelm::{Error, Result};

fn model() -> Vec<u8> {
    let path = fixtures().path("tiny/llama-e192.Q4_1.gguf").expect("it is in the subset");
    std::fs::read(path).unwrap()
}

/// Loads parts as a caller does, in pieces of an awkward size.
fn load(parts: &[Vec<u8>]) -> Result<Engine> {
    let mut loader = Loader::new(LoadOptions::default());
    let mut part = &parts[0];
    loop {
        for piece in part.chunks(10_007) {
            loader.push(piece)?;
            while let Some(split) = loader.missing_part() {
                let Some(part) = parts.get(split.no as usize) else {
                    let (part, count) = (split.no + 1, split.count);
                    return Err(Error::SplitPartMissing { part, count, name: String::new() });
                };
                loader.add_part(header(part))?;
            }
        }
        match loader.next_part()? {
            Some(split) => part = &parts[split.no as usize],
            None => return loader.finish(),
        }
    }
}

#[test]
fn parts_give_what_the_whole_gives() {
    let model = model();
    let n = header(&model).tensors.len();
    let tokens: Vec<u32> = (1..40).collect();
    let whole = score(&mut load(std::slice::from_ref(&model)).unwrap(), tokens.clone());
    for sizes in [&[n - 3, 1, 2][..], &[0, n], &[1, n - 2, 0, 1]] {
        let found = score(&mut load(&cut(&model, sizes)).unwrap(), tokens.clone());
        assert_eq!(found.last_logits, whole.last_logits, "{sizes:?}");
        assert_eq!(found.nll, whole.nll, "{sizes:?}");
    }
}

/// The code that loading ends in, and the part it names.
fn refusal(parts: &[Vec<u8>]) -> (&'static str, Option<u32>) {
    match load(parts).err().expect("it must not load") {
        Error::SplitMismatch { part, .. } => ("split_mismatch", Some(part)),
        other => (other.code(), None),
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let model = model();
    let n = header(&model).tensors.len();
    let parts = cut(&model, &[n - 3, 1, 2]);
    let [a, b, c] = &parts[..] else { panic!() };
    let other = cut(&model, &[n - 2, 2]);
    let cut_short = |part: &Vec<u8>| part[..part.len() - 100].to_vec();
    let first = |no, count, tensors| {
        vec![keys(Writer::like(&model), no, count, tensors).file(), b.clone(), c.clone()]
    };
    type Case<'a> = (&'a str, Vec<Vec<u8>>, (&'a str, Option<u32>));
    let cases: &[Case] = &[
        ("a later part first", vec![b.clone()], ("split_mismatch", Some(1))),
        ("a part is missing", vec![a.clone(), b.clone()], ("split_part_missing", None)),
        (
            "parts in another order",
            vec![a.clone(), c.clone(), b.clone()],
            ("split_mismatch", Some(2)),
        ),
        ("a part twice", vec![a.clone(), b.clone(), b.clone()], ("split_mismatch", Some(3))),
        (
            "a part of another split",
            vec![a.clone(), other[1].clone(), c.clone()],
            ("split_mismatch", Some(2)),
        ),
        (
            "a whole model as part",
            vec![a.clone(), model.clone(), c.clone()],
            ("split_mismatch", Some(2)),
        ),
        ("more tensors promised", first(0, 3, 500), ("split_mismatch", Some(2))),
        (
            "fewer than it has",
            vec![keys(Writer::like(&model), 0, 2, -1).file()],
            ("gguf_bad_metadata", None),
        ),
        ("no parts", first(0, 0, 9), ("gguf_bad_metadata", None)),
        ("ten thousand parts", first(0, 10_000, 9), ("gguf_bad_metadata", None)),
        ("a number beyond the count", first(3, 3, 9), ("gguf_bad_metadata", None)),
        ("the first is cut", vec![cut_short(a), b.clone(), c.clone()], ("gguf_truncated", None)),
        ("the last is cut", vec![a.clone(), b.clone(), cut_short(c)], ("gguf_truncated", None)),
    ];
    for (title, parts, expected) in cases {
        assert_eq!(refusal(parts), *expected, "{title}");
    }
}

#[test]
fn a_tensor_may_stand_in_one_part_only() {
    let model = model();
    let whole = header(&model);
    let n = whole.tensors.len();
    let mut parts = cut(&model, &[n - 1, 1]);
    let twice = &whole.tensors[whole.in_data_order()[0]];
    let data = vec![0; twice.n_bytes as usize];
    parts[1] = keys(Writer::new(), 1, 2, n as i32)
        .tensor_with(&twice.name, &twice.dims, twice.dtype.number(), &data)
        .file();
    assert_eq!(refusal(&parts), ("split_mismatch", Some(1)));
}

/// The host tool finds the parts by their names.
#[cfg(not(target_arch = "wasm32"))]
mod tool {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    fn inspect(path: &Path) -> serde_json::Value {
        let tool = Command::new(env!("CARGO_BIN_EXE_pagelm"));
        let output = { tool }.args(["inspect", "--json"]).arg(path).output().unwrap();
        let text = if output.status.success() { output.stdout } else { output.stderr };
        serde_json::from_slice(&text).unwrap_or_else(|_| String::from_utf8_lossy(&text).into())
    }

    #[test]
    fn inspect_and_logits_of_a_split_model() {
        let model = model();
        let n = header(&model).tensors.len();
        let folder = std::env::temp_dir().join(format!("pagelm-split-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = |no: usize| folder.join(format!("m-{no:05}-of-00003.gguf"));
        for (no, part) in cut(&model, &[2, n - 4, 2]).iter().enumerate() {
            std::fs::write(path(no + 1), part).unwrap();
        }
        let found = inspect(&path(1));
        assert_eq!(found["can_run"], true, "{found}");
        assert_eq!(found["parameters"], header(&model).n_elements());

        std::fs::write(folder.join("whole.gguf"), &model).unwrap();
        let logits = |path: &Path| {
            let tool = Command::new(env!("CARGO_BIN_EXE_pagelm"));
            { tool }.arg("logits").arg(path).args(["--tokens", "1,2,3", "--json"]).output().unwrap()
        };
        let whole = logits(&folder.join("whole.gguf"));
        assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
        assert_eq!(logits(&path(1)).stdout, whole.stdout);

        std::fs::remove_file(path(3)).unwrap();
        let failed = inspect(&path(1)).to_string();
        assert!(failed.contains("Part 3 of 3"), "{failed}");
        let failed = inspect(&path(2)).to_string();
        assert!(failed.contains("split_mismatch"), "{failed}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
