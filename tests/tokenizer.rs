//! Tokenizers against the reference engine's ids.

mod common;

use std::path::Path;

use common::{fixtures, real_model};
use pagelm::chat::{ChatTemplate, RenderInput};
use pagelm::gguf::{Header, Metadata, Parsed};
use pagelm::tokenizer::{TextStream, Tokenizer};
use serde_json::{Map, Value};

const REAL: &str = "real/smollm2-135m-q4_1";

fn metadata(path: &Path) -> Metadata {
    use std::io::Read;
    let mut file = std::fs::File::open(path).expect("the file is readable");
    let (mut bytes, mut need) = (Vec::new(), 1 << 20);
    loop {
        let missing = need - bytes.len() as u64;
        file.by_ref().take(missing).read_to_end(&mut bytes).expect("the file is readable");
        match Header::parse(&bytes).expect("a GGUF header") {
            Parsed::Complete(header) => return header.metadata,
            Parsed::NeedMore { at_least } => need = at_least.max(need * 2),
        }
    }
}

fn tokenizer(path: &Path) -> Tokenizer {
    Tokenizer::from_gguf(&metadata(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn ids(json: &Value) -> Vec<u32> {
    let list = json.as_array().expect("a list of ids");
    list.iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

fn text(json: &Value) -> &str {
    json.as_str().expect("a string")
}

fn stream(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut stream = TextStream::new();
    let mut text: String = ids.iter().map(|&id| stream.push(&tokenizer.piece(id))).collect();
    text += &stream.finish();
    text
}

#[test]
fn vocabularies_match_the_reference() {
    let files = fixtures().files("vocab", ".gguf");
    assert!(files.len() >= 2, "the subset in tests/fixtures has two vocabularies");
    for path in files {
        let beside = |suffix: &str| {
            let name = format!("{}{suffix}", path.display());
            std::fs::read_to_string(name).expect("the vectors are beside the vocabulary")
        };
        let (inputs, outputs) = (beside(".inp"), beside(".out"));
        let tokenizer = tokenizer(&path);
        let spaced = stream(&tokenizer, &tokenizer.encode("a", false, false).expect("encodes"));
        let mut compared = 0;
        for (input, output) in inputs.split("\n__ggml_vocab_test__\n").zip(outputs.lines()) {
            let expected: Vec<u32> =
                output.split_whitespace().map(|id| id.parse().expect("an id")).collect();
            let found = tokenizer.encode(input, false, false).expect("encodes");
            assert_eq!(found, expected, "{path:?}: {input:?}");
            assert_eq!(tokenizer.decode(&found), input, "{path:?}");
            // The pieces have the space that SentencePiece adds.
            let added = if spaced == " a" && !input.is_empty() { " " } else { "" };
            assert_eq!(stream(&tokenizer, &found), format!("{added}{input}"), "{path:?}");
            for n in 0..found.len() {
                let whole = tokenizer.decode(&found[..n]);
                let added = if n == 0 { "" } else { added };
                let streamed = stream(&tokenizer, &found[..n]);
                assert_eq!(streamed, format!("{added}{whole}"), "{path:?}: {input:?}, {n} tokens");
            }
            compared += 1;
        }
        assert!(compared > 40, "{path:?}");
    }
}

/// Every name of `tokenizer.ggml.pre`: the ids of llama.cpp, on a vocabulary whose tokens
/// cross words, so that every cut shows.
#[test]
fn pre_tokenizers_match_the_reference() {
    use pagelm::gguf::{Array, Value};
    let data = fixtures().json("pre_tokenizers/pre_tokenizers.json");
    let strings = |key: &str| {
        let list = data[key].as_array().expect("a list").iter().map(|one| text(one).to_owned());
        Value::Array(Array::String(list.collect()))
    };
    let rows = data["rows"].as_array().expect("rows");
    assert!(rows.len() > 15);
    for row in rows {
        for name in row["names"].as_array().expect("names").iter().map(text) {
            let keys = [
                ("model", Value::String("gpt2".to_owned())),
                ("pre", Value::String(name.to_owned())),
                ("tokens", strings("tokens")),
                ("merges", strings("merges")),
            ];
            let keys = keys.map(|(key, value)| (format!("tokenizer.ggml.{key}"), value));
            let metadata = Metadata::new(keys.to_vec()).expect("distinct keys");
            let tokenizer = Tokenizer::from_gguf(&metadata).expect("builds");
            let found = tokenizer.encode(text(&data["text"]), false, false).expect("encodes");
            assert_eq!(found, ids(&row["ids"]), "{name}");
        }
    }
}

#[test]
fn tiny_models_match_the_reference() {
    let mut compared = 0;
    for path in fixtures().files("tiny", ".gguf") {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let reference = fixtures().json(&format!("tiny/{name}.ref.json"));
        // Our own references are of tokens alone.
        let Some(whole) = reference["text"].as_str() else { continue };
        let tokenizer = tokenizer(&path);
        let expected = ids(&reference["tokens"]);
        assert_eq!(tokenizer.decode(&expected), whole, "{name}");
        // The text shows BOS, and the space that SentencePiece adds.
        let bos = tokenizer.bos().filter(|bos| expected.first() == Some(bos));
        let shown = bos.map_or(String::new(), |bos| tokenizer.decode(&[bos]));
        let rest = whole.strip_prefix(&shown).expect("begins with BOS");
        let spaced = tokenizer.encode("a", false, false).expect("encodes");
        let spaced = bos.is_some() && stream(&tokenizer, &spaced) == " a";
        let rest = if spaced { rest.strip_prefix(' ').expect("a space") } else { rest };
        assert_eq!(tokenizer.encode(rest, true, false), Ok(expected), "{name}");
        compared += 1;
    }
    assert!(compared >= 2, "the subset in tests/fixtures has two models");
}

#[test]
fn the_real_model_matches_the_reference() {
    let Some(path) = real_model() else { return };
    let tokenizer = tokenizer(&path);
    let data = fixtures().json(&format!("{REAL}/tokenize.json"));
    let rows = data["rows"].as_array().expect("rows");
    assert!(!rows.is_empty());
    for row in rows {
        let text = text(&row["text"]);
        let plain = ids(&row["plain"]);
        assert_eq!(tokenizer.encode(text, false, false).as_ref(), Ok(&plain), "{text:?}");
        assert_eq!(tokenizer.encode(text, true, true), Ok(ids(&row["special"])), "{text:?}");
        assert_eq!(tokenizer.decode(&plain), text);
        assert_eq!(stream(&tokenizer, &plain), text);
        let hex = |id: &u32| tokenizer.piece(*id).iter().map(|b| format!("{b:02x}")).collect();
        let pieces: Vec<String> = plain.iter().map(hex).collect();
        assert_eq!(serde_json::json!(pieces), row["pieces"], "{text:?}");
    }
}

#[test]
fn the_real_models_chat_matches_the_reference() {
    let Some(path) = real_model() else { return };
    let metadata = metadata(&path);
    let tokenizer = Tokenizer::from_gguf(&metadata).expect("builds");
    let template =
        ChatTemplate::from_gguf(&metadata, &tokenizer).expect("parses").expect("has a template");
    let data = fixtures().json(&format!("{REAL}/chat_template.json"));
    for row in data["rows"].as_array().expect("rows") {
        let rendered = template
            .render(&RenderInput {
                messages: row["messages"].clone(),
                add_generation_prompt: row["add_generation_prompt"].as_bool().expect("a boolean"),
                variables: Map::new(),
            })
            .expect("renders");
        assert_eq!(rendered, text(&row["text"]));
        assert_eq!(tokenizer.encode(&rendered, false, true), Ok(ids(&row["tokens"])));
    }
    // <|endoftext|>, <|im_end|>, and the repository mark, as the reference engine has them.
    let ends: Vec<u32> =
        (0..tokenizer.n_vocab() as u32).filter(|id| tokenizer.is_end_of_generation(*id)).collect();
    assert_eq!(ends, [0, 2, 4]);
}

/// Whatever the text, encoding and decoding returns it, the pieces stream to it, and no
/// text takes time that grows with its square.
#[test]
fn long_and_odd_texts_come_back() {
    let odd = "Zo\u{e9} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{1f1ee}\u{1f1f9}\u{1f1eb}\u{1f1f7} \
               \u{4e2d}\u{6587}\u{ac00}\u{e01} e\u{301} \u{2003}x\u{a0}\u{85}\r\n\t 1234567,89 it's I'LL \
               <|im_end|> </s> <0x0A> \u{0}\u{7f}\u{feff}";
    let mut texts = vec![odd.to_owned()];
    for unit in [" ", "\n", "a", "ab", "\u{4e2d}", "<", "0", "!?", " \n", "x "] {
        texts.push(unit.repeat(100_000 / unit.len()));
    }
    for path in fixtures().files("vocab", ".gguf") {
        let tokenizer = tokenizer(&path);
        for text in &texts {
            let begin = std::time::Instant::now();
            let plain = tokenizer.encode(text, false, false).expect("encodes");
            assert!(begin.elapsed().as_secs() < 10, "{path:?}: {:?}", &text[..8]);
            assert_eq!(tokenizer.decode(&plain), *text, "{path:?}");
            let special = tokenizer.encode(text, true, true).expect("encodes");
            assert!(!special.is_empty(), "{path:?}");
            let pieces: Vec<u8> =
                special.iter().flat_map(|id| tokenizer.piece(*id).into_owned()).collect();
            assert_eq!(stream(&tokenizer, &special), String::from_utf8_lossy(&pieces), "{path:?}");
        }
    }
}

#[test]
fn special_texts_are_tokens_only_on_request() {
    let Some(path) = fixtures().path("vocab/ggml-vocab-llama-bpe.gguf") else { return };
    let tokenizer = tokenizer(&path);
    let text = "<|begin_of_text|>hi<|eot_id|>";
    assert_eq!(tokenizer.encode(text, false, true), Ok(vec![128_000, 6151, 128_009]));
    let plain = tokenizer.encode(text, false, false).expect("encodes");
    assert!(plain.iter().all(|id| *id < 128_000));
    assert_eq!(tokenizer.encode("hi", true, true), Ok(vec![128_000, 6151]));
}
