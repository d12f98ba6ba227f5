//! Files that are refused, and why.

use super::*;
use serde_json::{Value, json};

fn file() -> Value {
    json!({
        "version": "1.0",
        "added_tokens": [{ "id": 4, "content": "<s>", "special": true }],
        "normalizer": null,
        "pre_tokenizer": { "type": "Split", "pattern": { "String": "(" }, "behavior": "Isolated", "invert": false },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [4], "tokens": ["<s>"] } },
        },
        "decoder": { "type": "Fuse" },
        "model": { "type": "BPE", "vocab": { "a": 0, "b": 1, "ab": 2, "(": 6 }, "merges": ["a b"] },
    })
}

fn parse(file: &Value) -> Result<TokenizerJson> {
    TokenizerJson::parse(&serde_json::to_vec(file).expect("JSON"), normalise_by_tables)
}

fn refusal(bytes: &[u8]) -> String {
    match TokenizerJson::parse(bytes, normalise_by_tables) {
        Err(Error::BadTokenizer { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ids_may_have_holes() {
    let json = parse(&file()).expect("is read");
    assert_eq!(json.n_vocab(), 7);
    let mut ids = Vec::new();
    json.encode("ab(a<s>b", true, &mut ids).expect("encodes");
    assert_eq!(ids, [2, 6, 0, 4, 1]);
    let pieces: Vec<&[u8]> = (0..8).map(|id| json.piece(id)).collect();
    assert_eq!(pieces, [b"a".as_slice(), b"b", b"ab", b"", b"<s>", b"", b"(", b""]);
    assert!(json.is_special(4) && !json.is_special(2) && !json.is_added(2));
}

#[test]
fn what_is_no_tokenizer_is_refused() {
    for (bytes, word) in [
        (&b""[..], "EOF"),
        (b"{", "EOF"),
        (b"[]", "length"),
        (b"null", "null"),
        (b"{}", "model"),
        (b"\xff\xfe", "expected"),
        (b" \n<!doctype html>", "web page"),
        (br#"{"model_type": "llama"}"#, "model"),
    ] {
        let what = refusal(bytes);
        assert!(what.contains(word), "{bytes:?}: {what}");
    }
    let large = vec![b' '; MAX_TOKENIZER_BYTES + 1];
    assert!(refusal(&large).contains("bytes"));
}

#[test]
fn what_contradicts_itself_or_is_not_known_is_refused() {
    for (pointer, value, word) in [
        ("/model/type", json!("WordPiece"), "WordPiece"),
        ("/model/vocab", json!([["a", -1.0]]), "Unigram"),
        ("/model/vocab", json!({ "a": -1 }), "u32"),
        ("/model/vocab", json!({ "a": 4_000_000_000u32, "b": 1, "ab": 2 }), "4000000000"),
        ("/model/merges", json!(["ab"]), "ab"),
        ("/model/merges", json!([["a", "b", "c"]]), "two"),
        ("/model/merges", json!(["a a"]), "aa"),
        ("/model/merges", json!([["a", "x"]]), "x"),
        ("/model/merges", json!([["ab", "ab"]]), "lacks"),
        ("/model/merges", json!([7]), "`merges`"),
        ("/model/unk_token", json!("?"), "unknown token"),
        ("/model/dropout", json!(0.1), "dropout"),
        ("/model/end_of_word_suffix", json!("</w>"), "marks"),
        ("/normalizer", json!({ "type": "Nmt" }), "Nmt"),
        ("/normalizer", json!({ "type": "Prepend" }), "prepend"),
        ("/normalizer", json!("NFC"), "type"),
        ("/normalizer", json!({ "type": "Sequence", "normalizers": [null] }), "normalizers"),
        (
            "/normalizer",
            json!({ "type": "Replace", "pattern": { "Regex": "(" }, "content": "" }),
            "parenthesis",
        ),
        ("/pre_tokenizer", json!({ "type": "UnicodeScripts" }), "UnicodeScripts"),
        ("/pre_tokenizer/pattern", json!({ "Regex": "[" }), ""),
        ("/pre_tokenizer/behavior", json!("Sideways"), "Sideways"),
        ("/post_processor/special_tokens/<s>/ids", json!([7]), "post-processor"),
        ("/post_processor/special_tokens", json!({}), "special_tokens"),
        ("/decoder", json!(null), "decoder"),
        ("/decoder", json!({ "type": "Metaspace", "replacement": "ab" }), "replacement"),
        ("/added_tokens/0/id", json!("4"), "id"),
        ("/decoder", json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }), "WordPiece"),
        ("/decoder", json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }), "Strip"),
        (
            "/decoder",
            json!({ "type": "Replace", "pattern": { "Regex": "a" }, "content": "" }),
            "Replace",
        ),
        (
            "/added_tokens",
            json!([{ "id": 4, "content": "<s>" }, { "id": 4, "content": "<t>" }]),
            "4",
        ),
    ] {
        let mut file = file();
        match file.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => file["model"][pointer.rsplit('/').next().unwrap()] = value.clone(),
        }
        let what = refusal(&serde_json::to_vec(&file).expect("JSON"));
        assert!(what.contains(word), "{pointer} = {value}: {what}");
    }
}
