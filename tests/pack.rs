//! `pagelm pack`: what it writes is the model, cut and digested as its `pagelm.json` says.

#![cfg(not(target_arch = "wasm32"))] // runs the host tool

mod gguf_writer;

use gguf_writer::split::cut;
use pagelm::store::recipe::Pack;
use pagelm::store::sha256;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MODEL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny/llama-e192.Q4_1.gguf");

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pack-{name}"));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn pack(model: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pagelm"));
    command.arg("pack").arg(model).arg("--out").arg(out).args(more);
    command.output().expect("the tool runs")
}

fn packed(model: &Path, out: &Path, more: &[&str]) -> Pack {
    let output = pack(model, out, more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&fs::read(out.join("pagelm.json")).unwrap()).unwrap()
}

/// Reads the files back; every record has its digest.
fn contents(out: &Path, pack: &Pack) -> Vec<Vec<u8>> {
    let part = |part: &pagelm::store::recipe::PackPart| {
        let mut whole = Vec::new();
        for file in &part.files {
            let bytes = fs::read(out.join(&file.path)).unwrap();
            assert_eq!(bytes.len() as u64, file.bytes);
            let records: Vec<_> =
                bytes.chunks(pack.record_bytes as usize).map(sha256::of).collect();
            assert_eq!(records, file.records);
            whole.extend(bytes);
        }
        assert_eq!(sha256::of(&whole), part.sha256);
        whole
    };
    pack.parts.iter().map(part).collect()
}

#[test]
fn a_model_is_cut_into_files() {
    let out = folder("cut");
    let pack = packed(Path::new(MODEL), &out, &["--record-mb", "0.0625", "--context", "64"]);
    let model = fs::read(MODEL).unwrap();
    assert_eq!(contents(&out, &pack), *std::slice::from_ref(&model));
    assert_eq!((pack.bytes, pack.record_bytes), (model.len() as u64, 1 << 16));
    assert_eq!(pack.parts[0].files.len(), model.len().div_ceil(1 << 16));
    assert_eq!(pack.settings.context, Some(64));
}

#[test]
fn or_stays_whole() {
    let out = folder("whole");
    let sampling = ["--whole", "--sampling", "{\"top_k\":1}", "--name", "N", "--license", "L"];
    let pack = packed(Path::new(MODEL), &out, &sampling);
    assert_eq!(contents(&out, &pack), [fs::read(MODEL).unwrap()]);
    assert_eq!(pack.parts[0].files[0].path, "llama-e192.Q4_1.gguf");
    assert_eq!(pack.settings.sampling["top_k"], 1);
    assert_eq!((pack.name.as_deref(), pack.license.as_deref()), (Some("N"), Some("L")));
}

#[test]
fn a_split_model_keeps_its_parts() {
    let from = folder("parts");
    fs::create_dir_all(&from).unwrap();
    let parts = cut(&fs::read(MODEL).unwrap(), &[3, usize::MAX]);
    for (n, part) in (1..).zip(&parts) {
        fs::write(from.join(format!("m-0000{n}-of-00002.gguf")), part).unwrap();
    }
    let out = folder("split");
    let pack = packed(&from.join("m-00001-of-00002.gguf"), &out, &["--whole"]);
    assert_eq!(contents(&out, &pack), parts);
}

#[test]
fn what_cannot_run_is_refused() {
    let from = folder("missing");
    fs::create_dir_all(&from).unwrap();
    let first = from.join("m-00001-of-00002.gguf");
    fs::write(&first, &cut(&fs::read(MODEL).unwrap(), &[3, usize::MAX])[0]).unwrap();
    let template = from.join("template.jinja");
    fs::write(&template, "{% if %}").unwrap();
    let out = folder("unrunnable");
    let template = ["--chat-template", template.to_str().unwrap()];
    for (model, more) in [(first.as_path(), &[][..]), (Path::new(MODEL), &template)] {
        assert!(!pack(model, &out, more).status.success(), "{}", model.display());
        assert!(!out.exists());
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let out = folder("refused");
    let not_a_model = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    for (model, more) in [
        (Path::new(MODEL), &["--record-mb", "24"][..]),
        (Path::new(MODEL), &["--record-mb", "0"]),
        (Path::new(MODEL), &["--sampling", "[1]"]),
        (not_a_model, &[]),
        (Path::new("none.gguf"), &[]),
        (Path::new("m-00002-of-00002.gguf"), &[]),
    ] {
        let output = pack(model, &out, more);
        assert!(!output.status.success(), "{more:?}");
        assert!(!out.join("pagelm.json").exists());
    }
}
