//! Vocabularies made by hand: what the reference data has no case for.

use super::*;
use crate::gguf::{Array, Value};

fn strings(list: &[&str]) -> Value {
    Value::Array(Array::String(list.iter().map(|text| (*text).to_owned()).collect()))
}

fn metadata(pairs: Vec<(&str, Value)>) -> Metadata {
    let pairs = pairs.into_iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value));
    Metadata::new(pairs.collect()).expect("distinct keys")
}

fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// A byte-level vocabulary that knows three letters, a space and what they merge to.
fn byte_level(extra: Vec<(&str, Value)>) -> Result<Tokenizer> {
    let mut pairs = vec![
        ("model", string("gpt2")),
        ("pre", string("gpt-2")),
        ("tokens", strings(&["a", "b", "c", "Ġ", "ab", "abc", "Ġa", "<|end|>", "<u>", "<x>"])),
        ("token_type", Value::Array(Array::I32(vec![1, 1, 1, 1, 1, 1, 1, 3, 4, 5]))),
        ("merges", strings(&["a b", "ab c", "Ġ a"])),
    ];
    for (key, value) in extra {
        pairs.retain(|(k, _)| *k != key);
        pairs.push((key, value));
    }
    Tokenizer::from_gguf(&metadata(pairs))
}

/// A SentencePiece vocabulary without most bytes.
fn sentence_piece(extra: Vec<(&str, Value)>) -> Result<Tokenizer> {
    let mut pairs = vec![
        ("model", string("llama")),
        ("tokens", strings(&["<unk>", "<s>", "</s>", "<0x21>", "▁", "a", "b", "▁a", "ab", "<u>"])),
        (
            "scores",
            Value::Array(Array::F32(vec![0.0, 0.0, 0.0, 0.0, -9.0, -9.0, -9.0, -1.0, -2.0, 0.0])),
        ),
        ("token_type", Value::Array(Array::I32(vec![2, 3, 3, 6, 1, 1, 1, 1, 1, 4]))),
    ];
    for (key, value) in extra {
        pairs.retain(|(k, _)| *k != key);
        pairs.push((key, value));
    }
    Tokenizer::from_gguf(&metadata(pairs))
}

fn code(result: Result<Tokenizer>) -> &'static str {
    result.expect_err("must be refused").code()
}

#[test]
fn byte_level_merges_by_rank() {
    let tokenizer = byte_level(vec![]).expect("builds");
    let encode = |text| tokenizer.encode(text, true, true).expect("encodes");
    assert_eq!(encode("abc ab a"), [5, 3, 4, 6]);
    assert_eq!(encode("a<|end|>b<u>"), [0, 7, 1, 8]);
    assert_eq!(tokenizer.encode("<u>", false, false), Ok(vec![8]));
    assert_eq!(tokenizer.decode(&[5, 7, 6, 8, 9, 1000]), "abc<|end|> a<u>");
    assert_eq!(tokenizer.n_vocab(), 10);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, None));
    assert!(tokenizer.is_end_of_generation(7) && !tokenizer.is_end_of_generation(0));
}

#[test]
fn bytes_that_a_vocabulary_lacks_are_left_out() {
    let tokenizer = byte_level(vec![]).expect("builds");
    assert_eq!(tokenizer.encode("axbéc", false, false), Ok(vec![0, 1, 2]));
}

#[test]
fn bos_and_eos_as_the_file_says() {
    let keys = |bos, eos| {
        vec![
            ("bos_token_id", Value::U32(1)),
            ("eos_token_id", Value::U32(2)),
            ("add_bos_token", Value::Bool(bos)),
            ("add_eos_token", Value::Bool(eos)),
        ]
    };
    for (bos, eos, expected) in
        [(true, true, vec![1, 0, 2]), (true, false, vec![1, 0]), (false, false, vec![0])]
    {
        let tokenizer = byte_level(keys(bos, eos)).expect("builds");
        assert_eq!(tokenizer.encode("a", true, false), Ok(expected));
        assert_eq!(tokenizer.encode("a", false, false), Ok(vec![0]));
        assert!(tokenizer.is_end_of_generation(2));
    }
    let out_of_range = vec![("bos_token_id", Value::U32(99)), ("add_bos_token", Value::Bool(true))];
    let tokenizer = byte_level(out_of_range).expect("builds");
    assert_eq!(tokenizer.bos(), None);
    assert_eq!(tokenizer.encode("a", true, false), Ok(vec![0]));
    let llama3 = vec![("pre", string("llama-bpe")), ("bos_token_id", Value::U32(1))];
    assert_eq!(byte_level(llama3).expect("builds").encode("c", true, false), Ok(vec![1, 2]));
}

#[test]
fn without_ids_the_end_is_the_eleventh_if_it_is_no_text() {
    let build = |of_11: i32| {
        let tokens: Vec<String> = (0..12).map(|i| format!("t{i}")).collect();
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let mut types = vec![1; 12];
        types[11] = of_11;
        let types = ("token_type", Value::Array(Array::I32(types)));
        byte_level(vec![("tokens", strings(&tokens)), types, ("merges", strings(&[]))])
    };
    let control = build(3).expect("builds");
    assert_eq!((control.bos(), control.eos()), (Some(11), Some(11)));
    assert!(control.is_end_of_generation(11));
    assert_eq!(build(1).expect("builds").eos(), None);
}

#[test]
fn whole_words_are_not_merged_where_the_rules_say_so() {
    let merges = || ("merges", strings(&["b c"]));
    let tokens = || ("tokens", strings(&["a", "b", "c", "bc", "ab", "abc"]));
    let types = || ("token_type", Value::Array(Array::I32(vec![1; 6])));
    let build = |pre| byte_level(vec![("pre", string(pre)), merges(), tokens(), types()]);
    let encode = |pre| build(pre).expect("builds").encode("abc", false, false);
    assert_eq!(encode("llama-bpe"), Ok(vec![5]));
    assert_eq!(encode("qwen2"), Ok(vec![0, 3]));
}

#[test]
fn characters_merge_by_rank() {
    let keys = |model| {
        vec![
            ("model", string(model)),
            ("pre", string("sarvam-moe")),
            ("tokens", strings(&["▁", "a", "é", "▁a", "<0xF0>", "<0x9F>", "\n\n", "<bos>", "▁▁"])),
            ("token_type", Value::Array(Array::I32(vec![1, 1, 1, 1, 6, 6, 1, 3, 1]))),
            ("merges", strings(&["▁ ▁", "▁ a"])),
            ("bos_token_id", Value::U32(7)),
            ("add_bos_token", Value::Bool(false)),
        ]
    };
    let gemma4 = byte_level(keys("gemma4")).expect("builds");
    let encode = |text| gemma4.encode(text, false, true).expect("encodes");
    assert_eq!(encode("aé a  a"), [1, 2, 3, 8, 1]);
    // A run of line breaks is a token; an unknown character is its bytes, as far as they are.
    assert_eq!(encode("a\n\na"), [1, 6, 1]);
    assert_eq!(gemma4.decode(&[7, 1, 3, 8, 6, 4]), "<bos>a a  \n\n\u{fffd}");
    assert_eq!(gemma4.encode("a", true, false), Ok(vec![7, 1]));
    assert_eq!(byte_level(keys("gpt2")).expect("builds").encode("a", true, false), Ok(vec![1]));
}

#[test]
fn sentence_piece_merges_by_score() {
    let tokenizer = sentence_piece(vec![]).expect("builds");
    let encode = |text| tokenizer.encode(text, true, true).expect("encodes");
    // "▁ab": "▁a" has a better score than "ab".
    assert_eq!(encode("ab"), [1, 7, 6]);
    assert_eq!(encode("a ab"), [1, 7, 7, 6]);
    assert_eq!(encode(""), [1]);
    // Each text after a special token begins with a space of its own.
    assert_eq!(encode("<u>a</s>b"), [1, 9, 7, 2, 4, 6]);
    // A byte with a token, and bytes without.
    assert_eq!(encode("!é"), [1, 4, 3, 0, 0]);
    for text in ["ab a", " ab", "  a", "a<u>", "!", ""] {
        assert_eq!(tokenizer.decode(&tokenizer.encode(text, false, true).expect("encodes")), text);
    }
    assert_eq!(tokenizer.decode(&[1, 7, 8, 9, 7]), "<s> aab<u> a");
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
    assert!(tokenizer.is_end_of_generation(2));
    assert_eq!(tokenizer.piece(7), b" a".as_slice());
    assert_eq!(
        (tokenizer.piece(3), tokenizer.piece(77)),
        (b"!".as_slice().into(), b"".as_slice().into())
    );
}

#[test]
fn unigram_takes_the_best_sum() {
    let tokens = strings(&["<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a", "ab", "▁ab", "é", "<u>"]);
    let scores = [0.0, 0.0, 0.0, -2.0, -3.0, -3.0, -2.5, -5.0, -9.0, -4.0, 0.0];
    let keys = |prefix, merges| {
        vec![
            ("model", string("t5")),
            ("tokens", tokens.clone()),
            ("scores", Value::Array(Array::F32(scores.to_vec()))),
            ("token_type", Value::Array(Array::I32(vec![3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 4]))),
            ("add_space_prefix", Value::Bool(prefix)),
            ("remove_extra_whitespaces", Value::Bool(merges)),
        ]
    };
    let build = |prefix, merges| sentence_piece(keys(prefix, merges)).expect("builds");
    let tokenizer = build(true, false);
    // "▁a" + "b" is better than "▁" + "ab" and "▁ab".
    assert_eq!(tokenizer.encode("ab", true, true), Ok(vec![6, 5, 1]));
    assert_eq!(tokenizer.encode("xya  b<u>", false, true), Ok(vec![3, 2, 4, 3, 3, 5, 10]));
    assert_eq!(tokenizer.decode(&[6, 5, 3, 9]), "ab é");
    assert_eq!(build(true, true).encode("  a   b ", false, true), Ok(vec![6, 3, 5]));
    assert_eq!(build(false, false).encode("ab", false, true), Ok(vec![7]));
    assert_eq!(tokenizer.encode("", true, true), Ok(vec![1]));

    // A map of "é" (two bytes) to "a": the root leads to 256 ^ 0xc3, and that to 512 ^ 0xa9.
    let mut trie = vec![0u32; 1024];
    trie[0] = 256 << 10;
    trie[256 ^ 0xc3] = ((256 ^ 0xc3 ^ 512) << 10) | 0xc3;
    trie[512 ^ 0xa9] = ((512 ^ 0xa9 ^ 768) << 10) | (1 << 8) | 0xa9;
    trie[768] = (1 << 31) | 2;
    let mut bytes = (4 * trie.len() as u32).to_le_bytes().to_vec();
    bytes.extend(trie.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes.extend(b"x\0a\0");
    let charsmap = |bytes| ("precompiled_charsmap", Value::Array(Array::U8(bytes)));
    let with = |bytes| sentence_piece([keys(true, false), vec![charsmap(bytes)]].concat());
    let tokenizer = with(bytes.clone()).expect("builds");
    assert_eq!(tokenizer.encode("éb", false, true), Ok(vec![6, 5]));
    for damaged in [vec![], vec![1], vec![255; 8], bytes[..1000].to_vec()] {
        assert_eq!(code(with(damaged)), "gguf_bad_metadata");
    }
}

#[test]
fn sentence_piece_without_a_space_before() {
    let tokenizer = sentence_piece(vec![("add_space_prefix", Value::Bool(false))]).expect("builds");
    assert_eq!(tokenizer.encode("ab a", false, false), Ok(vec![8, 7]));
    assert_eq!(tokenizer.decode(&[7, 8]), " aab");
}

#[test]
fn equal_scores_merge_from_the_left() {
    let tokens = strings(&["<unk>", "<s>", "</s>", "a", "aa", "aaa"]);
    let types = Value::Array(Array::I32(vec![2, 3, 3, 1, 1, 1]));
    let scores = Value::Array(Array::F32(vec![0.0; 6]));
    let no_prefix = ("add_space_prefix", Value::Bool(false));
    let keys = vec![("tokens", tokens), ("token_type", types), ("scores", scores), no_prefix];
    let tokenizer = sentence_piece(keys).expect("builds");
    assert_eq!(tokenizer.encode("aaaaa", false, false), Ok(vec![5, 4]));
}

#[test]
fn refuses_what_it_does_not_know() {
    for kind in ["bert", "rwkv", "plamo2", "no_vocab", ""] {
        assert_eq!(code(byte_level(vec![("model", string(kind))])), "unsupported_tokenizer");
    }
    assert_eq!(code(byte_level(vec![("pre", string("no-such"))])), "unsupported_tokenizer");
    assert_eq!(code(Tokenizer::from_gguf(&metadata(vec![]))), "unsupported_tokenizer");
}

#[test]
fn refuses_damaged_vocabularies() {
    let bad = [
        vec![("model", Value::U32(1))],
        vec![("tokens", strings(&[]))],
        vec![("tokens", Value::U32(7))],
        vec![("token_type", Value::Array(Array::I32(vec![1; 3])))],
        vec![("merges", Value::Bool(true))],
        // No space; one part unknown; the union unknown; longer than any token.
        vec![("merges", strings(&["ab"]))],
        vec![("merges", strings(&["a x"]))],
        vec![("merges", strings(&["b a"]))],
        vec![("merges", strings(&["<|end|> <|end|>"]))],
        vec![("merges", strings(&[""]))],
        vec![("merges", strings(&["é "]))],
        vec![("eos_token_id", string("2"))],
        vec![("add_bos_token", Value::U32(1))],
        vec![("tokens", strings(&["a", "b", "c", "Ġ", "ab", "abc", "Ġa", "<u>", "<u>", "x"]))],
    ];
    for keys in bad {
        let shown = format!("{keys:?}");
        assert_eq!(code(byte_level(keys)), "gguf_bad_metadata", "{shown}");
    }
    let few = Value::Array(Array::F32(vec![0.0; 3]));
    assert_eq!(code(sentence_piece(vec![("scores", few)])), "gguf_bad_metadata");
    assert_eq!(code(sentence_piece(vec![("scores", string("1"))])), "gguf_bad_metadata");
}

#[test]
fn odd_vocabularies_build() {
    // Scores as integers, none at all, not numbers; types absent.
    let integers = Value::Array(Array::I32(vec![-1; 10]));
    let nan = Value::Array(Array::F32(vec![f32::NAN; 10]));
    for keys in [vec![("scores", integers)], vec![("scores", nan)]] {
        let tokenizer = sentence_piece(keys).expect("builds");
        assert!(!tokenizer.encode("ab a!", true, true).expect("encodes").is_empty());
    }
    let plain =
        metadata(vec![("model", string("llama")), ("tokens", strings(&["a", "▁", "", "é"]))]);
    let tokenizer = Tokenizer::from_gguf(&plain).expect("builds");
    assert_eq!(tokenizer.encode("aé a\u{0}", false, true), Ok(vec![1, 0, 3, 1, 0, 0]));
}
