//! `tokenizer.json` against the ids of Hugging Face's `tokenizers`.

#![cfg(not(target_arch = "wasm32"))] // reads files

mod common;

use std::path::Path;

use common::fixtures;
use pagelm::Error;
use pagelm::gguf::{Array, Header, Metadata, Parsed, Value as Metavalue};
use pagelm::session::{Engine, LoadOptions, Loader, TokenizerFile};
use pagelm::tokenizer::{TextStream, Tokenizer, TokenizerJson, normalise_by_tables};
use serde_json::{Map, Value, json};

fn metadata(pairs: &[(&str, Metavalue)]) -> Metadata {
    let pairs = pairs.iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value.clone()));
    Metadata::new(pairs.collect()).expect("distinct keys")
}

fn tokenizer(json: &Value) -> Tokenizer {
    let bytes = serde_json::to_vec(json).expect("JSON");
    let json =
        TokenizerJson::parse(&bytes, normalise_by_tables).unwrap_or_else(|error| panic!("{error}"));
    Tokenizer::from_json(&json, &metadata(&[])).expect("no keys to be wrong")
}

fn ids(json: &Value) -> Vec<u32> {
    let list = json.as_array().expect("a list of ids");
    list.iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

fn stream(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut stream = TextStream::new();
    let mut text: String = ids.iter().map(|&id| stream.push(&tokenizer.piece(id))).collect();
    text += &stream.finish();
    text
}

/// What streams is what is decoded, for every prefix, but for the space that decoding takes away.
fn streams(tokenizer: &Tokenizer, ids: &[u32], what: &str) {
    for n in 0..=ids.len() {
        let (whole, streamed) = (tokenizer.decode(&ids[..n]), stream(tokenizer, &ids[..n]));
        let taken = streamed.strip_prefix(' ').is_some_and(|rest| rest == whole);
        assert!(streamed == whole || taken, "{what}: {n} tokens: {streamed:?}, {whole:?}");
    }
}

#[test]
fn every_kind_matches_the_reference() {
    let cases = fixtures().json("tokenizer_json/cases.json");
    let cases = cases.as_array().expect("cases");
    assert!(cases.len() >= 8);
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let tokenizer = tokenizer(&case["tokenizer"]);
        for row in case["rows"].as_array().expect("rows") {
            let text = row["text"].as_str().expect("a text");
            let what = format!("{name}: {text:?}");
            let expected = ids(&row["ids"]);
            let of = |key: &str| row.get(key).map_or_else(|| expected.clone(), ids);
            assert_eq!(tokenizer.encode(text, false, true).as_ref(), Ok(&expected), "{what}");
            assert_eq!(tokenizer.encode(text, false, false), Ok(of("plain")), "{what}");
            assert_eq!(tokenizer.encode(text, true, true), Ok(of("around")), "{what}");
            assert_eq!(tokenizer.decode(&expected), row["decoded"], "{what}");
            streams(&tokenizer, &expected, &what);
        }
    }
}

/// The published `tokenizer.json` of real vocabularies, made of a GGUF's tokens and merges.
fn published(path: &Path) -> Option<Value> {
    let header = Header::parse(&std::fs::read(path).expect("the file is readable"));
    let Ok(Parsed::Complete(Header { metadata, .. })) = header else { panic!("{path:?}") };
    let split = |regex: &str| {
        let pattern = json!({ "Regex": regex });
        json!({ "type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false })
    };
    let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex });
    let digits = json!({ "type": "Digits", "individual_digits": true });
    let llama3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    let parts = match metadata.opt_str("tokenizer.ggml.pre").expect("a name")? {
        "gpt-2" => vec![byte_level(true)],
        "starcoder" => vec![digits, byte_level(true)],
        "llama-bpe" => vec![split(llama3), byte_level(false)],
        "qwen2" => vec![split(&llama3.replace("{1,3}", "")), byte_level(false)],
        "deepseek-coder" => vec![
            split(r"[\r\n]"),
            split(r"\s?\p{L}+"),
            split(r"\s?\p{P}+"),
            split(r"[一-龥ࠀ-一가-퟿]+"),
            digits,
            byte_level(false),
        ],
        _ => return None,
    };
    let whole_words = metadata.opt_str("tokenizer.ggml.pre") == Ok(Some("llama-bpe"));
    let tokens = metadata.strings("tokenizer.ggml.tokens").expect("tokens");
    let types = metadata.opt_i32s("tokenizer.ggml.token_type").expect("types").expect("types");
    let added: Vec<Value> = (0..)
        .zip(tokens.iter().zip(types.iter()))
        .filter(|(_, (_, kind))| **kind != 1)
        .map(|(id, (text, kind))| json!({ "id": id, "content": text, "special": *kind == 3, "normalized": false }))
        .collect();
    let vocab: Map<String, Value> = tokens.iter().cloned().zip((0u32..).map(Value::from)).collect();
    let merges = metadata.strings("tokenizer.ggml.merges").expect("merges");
    Some(json!({
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": parts },
        "decoder": { "type": "ByteLevel" },
        "model": { "type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": whole_words },
    }))
}

/// Large vocabularies and their texts, and the time that long texts take.
#[test]
fn real_vocabularies_match_the_reference() {
    let mut compared = 0;
    for path in fixtures().files("vocab", ".gguf") {
        let Some(json) = published(&path) else { continue };
        let tokenizer = tokenizer(&json);
        let beside = |suffix: &str| {
            let name = format!("{}{suffix}", path.display());
            std::fs::read_to_string(name).expect("the vectors are beside the vocabulary")
        };
        let (inputs, outputs) = (beside(".inp"), beside(".out"));
        for (input, output) in inputs.split("\n__ggml_vocab_test__\n").zip(outputs.lines()) {
            let expected: Vec<u32> =
                output.split_whitespace().map(|id| id.parse().expect("an id")).collect();
            assert_eq!(tokenizer.encode(input, false, false).as_ref(), Ok(&expected), "{input:?}");
            assert_eq!(tokenizer.decode(&expected), input, "{path:?}");
            streams(&tokenizer, &expected, input);
            compared += 1;
        }
        for unit in [" ", "\n", "a", "ab", "\u{4e2d}", "<", "0", "!?", " \n", "x "] {
            let text = unit.repeat(100_000 / unit.len()) + "x";
            let begin = std::time::Instant::now();
            let ids = tokenizer.encode(&text, false, false).expect("encodes");
            assert!(begin.elapsed().as_secs() < 10, "{path:?}: {unit:?}");
            assert_eq!(tokenizer.decode(&ids), text, "{path:?}: {unit:?}");
        }
    }
    assert!(compared > 40, "the subset in tests/fixtures has a byte-level vocabulary");
}

#[test]
fn ends_come_from_the_model() {
    let case = &fixtures().json("tokenizer_json/cases.json")[2];
    let bytes = serde_json::to_vec(&case["tokenizer"]).expect("JSON");
    let json = TokenizerJson::parse(&bytes, normalise_by_tables).expect("is read");
    let build = |keys: &[(&str, Metavalue)]| Tokenizer::from_json(&json, &metadata(keys));
    let ends = |tokenizer: &Tokenizer| -> Vec<u32> {
        (0..400).filter(|id| tokenizer.is_end_of_generation(*id)).collect()
    };
    // <unk>, <s>, </s>, <|end|>: the ends are known by their texts.
    let plain = build(&[]).expect("builds");
    assert_eq!((plain.bos(), plain.eos(), ends(&plain)), (Some(1), None, vec![2, 3]));
    assert_eq!(plain.n_vocab(), 330);
    // A file without a tokenizer of its own.
    let keys = [
        ("model", Metavalue::String("none".into())),
        ("bos_token_id", Metavalue::U32(2)),
        ("eos_token_id", Metavalue::U32(1)),
        ("eot_token_id", Metavalue::U32(9)),
        ("eom_token_id", Metavalue::U32(330)),
    ];
    let given = build(&keys).expect("builds");
    assert_eq!((given.bos(), given.eos(), ends(&given)), (Some(2), Some(1), vec![1, 2, 3, 9]));
    // What stands around a text is the tokenizer.json's.
    assert_eq!(given.encode("", true, false), Ok(vec![1]));
    let error = Tokenizer::from_gguf(&metadata(&keys)).expect_err("has none");
    assert_eq!(error.code(), "unsupported_tokenizer");
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
    let wrong = build(&[("eos_token_id", Metavalue::Array(Array::U32(vec![1])))]);
    assert_eq!(wrong.expect_err("is no number").code(), "gguf_bad_metadata");
}

/// A model that is run with another's `tokenizer.json`, and refuses that of a larger one.
#[test]
fn a_model_takes_it_in_place_of_its_own() {
    let path = fixtures().path("tiny/llama-e192.Q4_1.gguf").expect("the subset has it");
    let bytes = std::fs::read(path).expect("the file is readable");
    let mut json = fixtures().json("tokenizer_json/cases.json")[2]["tokenizer"].take();
    let load = |json: Option<&Value>| {
        let read = |json: &Value| {
            TokenizerFile::parse(&serde_json::to_vec(json).expect("JSON"), normalise_by_tables)
        };
        let tokenizer = json.map(|json| read(json).expect("is one"));
        let mut loader = Loader::new(LoadOptions { tokenizer, ..LoadOptions::default() });
        loader.push(&bytes)?;
        loader.finish()
    };
    let own = load(None).expect("loads");
    let mut given = load(Some(&json)).expect("loads");
    let encode = |engine: &Engine| engine.tokenizer().encode("The end", true, true);
    assert_ne!(encode(&own), encode(&given));
    // What was saved with the one is nothing to the other.
    let saved = own.snapshot();
    assert_eq!(given.begin_restore(&saved).expect_err("is another's").code(), "session_mismatch");

    json["added_tokens"][0]["id"] = json!(512);
    match load(Some(&json)) {
        Err(Error::BadTokenizer { what }) => assert!(what.contains("513 tokens"), "{what}"),
        other => panic!("{:?}", other.map(|engine| engine.snapshot())),
    }
}

#[test]
fn the_host_tool_takes_it() {
    let folder = std::env::temp_dir().join(format!("pagelm-tokenizer-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let case = &fixtures().json("tokenizer_json/cases.json")[5];
    let row = &case["rows"].as_array().expect("rows")[10];
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("is written");
        path
    };
    let tokenizer = write("tokenizer.json", &case["tokenizer"].to_string());
    let text = write("text.txt", row["text"].as_str().expect("a text"));
    let model = fixtures().path("tiny/llama-e192.Q4_1.gguf").expect("the subset has it");
    let run = |tokenizer: &Path| {
        std::process::Command::new(env!("CARGO_BIN_EXE_pagelm"))
            .args(["tokenize", "--special", "--json"])
            .args([&model, Path::new("--text-file"), &text, Path::new("--tokenizer"), tokenizer])
            .output()
            .expect("runs")
    };
    let found: Value = serde_json::from_slice(&run(&tokenizer).stdout).expect("JSON");
    assert_eq!(found["tokens"], row["around"]);
    let refused = run(&text);
    assert!(!refused.status.success());
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("tokenizer.json is not usable"), "{words}");
    std::fs::remove_dir_all(&folder).expect("is removed");
}
