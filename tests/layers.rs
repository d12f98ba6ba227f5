//! The import rule: who may name whom in `src/`, where `cfg(target_arch)` and
//! where `unsafe` may stand. ARCHITECTURE.md shows the same order as a picture.

#![cfg(not(target_arch = "wasm32"))] // reads the source tree

use std::fs;
use std::path::{Path, PathBuf};

/// Layer → the layers it may name. Itself and `error` are always allowed; a
/// layer stands above everything in its row, so the table has no cycles.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("gguf", &[]),
    ("kernels", &[]),
    ("memory", &[]),
    ("team", &["kernels"]),
    ("quant", &["gguf", "kernels", "memory"]),
    ("kv_cache", &["kernels", "memory"]),
    ("ops", &["kernels", "kv_cache", "quant", "team"]),
    ("model", &["gguf", "kernels", "kv_cache", "ops", "quant", "team"]),
    ("tokenizer", &["gguf"]),
    ("chat", &["gguf", "tokenizer"]),
    ("sampling", &[]),
    ("session", &["chat", "gguf", "kv_cache", "memory", "model", "sampling", "team", "tokenizer"]),
    ("store", &[]),
    ("worker", &["chat", "gguf", "model", "sampling", "session", "store", "team", "tokenizer"]),
    ("bin", &["chat", "gguf", "model", "sampling", "session", "store", "tokenizer"]),
];

/// Where the target may be asked for. `lib.rs` leaves whole modules out by it.
const KNOWS_TARGET: &[&str] = &["lib.rs", "kernels/", "memory/", "team.rs", "store/", "worker/"];

/// Where `unsafe` may stand: the SIMD kernels, memory, the weight arena, the thread team.
const MAY_BE_UNSAFE: &[&str] = &["kernels/", "memory/", "quant/arena.rs", "team.rs"];

#[test]
fn sources_keep_the_import_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 1, "no sources under {}", root.display());
    let mut broken = Vec::new();
    for file in &files {
        let relative = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        broken.extend(violations(&relative, &fs::read_to_string(file).unwrap()));
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn table_names_known_layers_and_has_no_cycles() {
    for (at, (layer, lower)) in MAY_NAME.iter().enumerate() {
        for name in *lower {
            let below = MAY_NAME.iter().position(|(other, _)| other == name);
            assert!(below.is_some_and(|below| below < at), "{name} must stand above {layer}'s row");
        }
    }
}

#[test]
fn upward_imports_are_found() {
    for (file, source, expected) in [
        ("gguf/mod.rs", "use crate::model::Config;", "model"),
        (
            "ops/rope.rs",
            "use crate::{\n    Error,\n    kernels::{a, b},\n    session::Engine,\n};",
            "session",
        ),
        ("sampling/mod.rs", "fn f(x: crate::tokenizer::Tokenizer) {}", "tokenizer"),
        ("quant/q4_0.rs", "use super::super::ops::linear;", "ops"),
        ("team.rs", "use super::model::Config;", "model"),
        ("store/fetch.rs", "pub(in crate::worker) fn f() {}", "worker"),
        ("bin/pagelm.rs", "use pagelm::worker::run;", "worker"),
        ("nowhere/mod.rs", "fn f() {}", "nowhere"),
    ] {
        let found = violations(file, source);
        assert_eq!(found.len(), 1, "{file}: {source}: {found:?}");
        assert!(found[0].contains(expected), "{found:?}");
    }
}

#[test]
fn downward_imports_comments_and_strings_pass() {
    for (file, source) in [
        ("ops/linear.rs", "use crate::kernels::{gemm, gemv};\nuse crate::{Error, Result};"),
        (
            "gguf/mod.rs",
            "//! Read by [`crate::model`].\n/* unsafe /* crate::worker:: */ */ use crate::error::Error;",
        ),
        (
            "gguf/tensor.rs",
            r##"const A: &str = r#"crate::model::X unsafe"#; const B: char = '"'; const C: &str = "\"crate::model::";"##,
        ),
        (
            "session/mod.rs",
            "#![forbid(unsafe_code)]\nuse super::model::Config;\nfn f<'a>(x: &'a str) {}",
        ),
        ("store/mod.rs", "#[cfg(target_arch = \"wasm32\")]\nmod idb;"),
        ("bin/pagelm.rs", "use pagelm::session::Engine;\nuse pagelm::Error;"),
    ] {
        assert_eq!(violations(file, source), Vec::<String>::new(), "{file}: {source}");
    }
}

#[test]
fn misplaced_unsafe_and_target_are_found() {
    for (file, source) in [
        ("model/forward.rs", "fn f(p: *const u8) -> u8 { unsafe { *p } }"),
        ("quant/q4_0.rs", "#![allow(unsafe_code)]\nunsafe fn f() {}"),
        ("session/engine.rs", "if cfg!(target_arch = \"wasm32\") {}"),
        ("gguf/mod.rs", "#[cfg(not(target_arch = \"wasm32\"))]\nuse std::fs;"),
    ] {
        assert_eq!(violations(file, source).len(), 1, "{file}: {source}");
    }
}

/// Everything in one source file that breaks a rule, as lines for people.
/// `file` is its path under `src/`.
fn violations(file: &str, source: &str) -> Vec<String> {
    let code = code_only(source);
    let mut found = Vec::new();
    let within = |places: &[&str]| places.iter().any(|place| file.starts_with(place));
    if words(&code).any(|word| word == "unsafe") && !within(MAY_BE_UNSAFE) {
        found.push(format!("{file}: `unsafe` belongs in {}", MAY_BE_UNSAFE.join(", ")));
    }
    if file.ends_with("/tests.rs") {
        return found; // a test may bring its material from any layer, and run in both worlds
    }
    if words(&code).any(|word| word == "target_arch") && !within(KNOWS_TARGET) {
        found.push(format!("{file}: `target_arch` belongs in {}", KNOWS_TARGET.join(", ")));
    }
    if file == "lib.rs" {
        return found;
    }
    let layer = file.split(['/', '.']).next().unwrap_or(file);
    let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == layer) else {
        found.push(format!("{file}: `{layer}` has no row in the table of tests/layers.rs"));
        return found;
    };
    for name in named_layers(&code) {
        if name != layer && name != "error" && !allowed.contains(&name.as_str()) {
            found.push(format!("{file}: `{layer}` may not name `{name}`"));
        }
    }
    found
}

/// The layers that follow `crate::`, `super::` or `pagelm::` in the code, also in braces.
fn named_layers(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "pagelm::"] {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(group_heads(group)),
                None => found.extend(words(rest).next().map(str::to_owned)),
            }
        }
    }
    found.retain(|name| MAY_NAME.iter().any(|(layer, _)| layer == name));
    found
}

/// First names of the entries of `a::b, c::{d, e}, f}`.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut entry, mut heads) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => heads.push(std::mem::take(&mut entry)),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 0 => entry.push(c),
            _ => {}
        }
    }
    heads.push(entry);
    heads.iter().filter_map(|entry| words(entry).next().map(str::to_owned)).collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The source without comments and without the contents of strings.
fn code_only(source: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(source.len()), source);
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            raw_string(rest).unwrap_or(0)
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' && is_char_literal(rest) {
            quoted(rest, '\'')
        } else {
            0
        };
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// Length of the nested block comment that `text` begins with.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Length of the raw string that `text` begins with; `None` for a raw identifier.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].bytes().take_while(|&byte| byte == b'#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - body.len() + body.find(&end)? + end.len())
}

/// Length of the literal between two `quote`s that `text` begins with.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// `'x'` and `'\n'`, not the lifetime `'a`.
fn is_char_literal(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
