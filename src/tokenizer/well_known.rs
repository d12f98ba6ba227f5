//! Tokens that are known by their text.
//!
//! Files often leave out which token ends a turn, or mark it as plain text. Then a model
//! would talk on for ever, or a user could not be kept from writing `<|im_end|>`. The
//! lists are those that llama.cpp applies (`llama-vocab.cpp`), so that the same tokens
//! are special here and there.

use std::collections::BTreeSet;

use super::Vocabulary;
use super::token_type::TokenType;
use crate::Result;
use crate::gguf::Metadata;

/// Marks of fill-in-the-middle: keys, then texts. The first text in the vocabulary
/// serves where no key names a token; it becomes a control token.
const FILL_IN_MIDDLE: [(&[&str], &[&str]); 6] = [
    (
        &["fim_pre_token_id", "prefix_token_id"],
        &[
            "<|fim_prefix|>",
            "<fim-prefix>",
            "<fim_prefix>",
            "<｜fim▁begin｜>",
            "<PRE>",
            "▁<PRE>",
            "<|code_prefix|>",
            "<|prefix|>",
        ],
    ),
    (
        &["fim_suf_token_id", "suffix_token_id"],
        &[
            "<|fim_suffix|>",
            "<fim-suffix>",
            "<fim_suffix>",
            "<｜fim▁hole｜>",
            "<SUF>",
            "▁<SUF>",
            "<|code_suffix|>",
            "<|suffix|>",
        ],
    ),
    (
        &["fim_mid_token_id", "middle_token_id"],
        &[
            "<|fim_middle|>",
            "<fim-middle>",
            "<fim_middle>",
            "<｜fim▁end｜>",
            "<MID>",
            "▁<MID>",
            "<|code_middle|>",
            "<|middle|>",
        ],
    ),
    (&["fim_pad_token_id"], &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"]),
    (
        &["fim_rep_token_id"],
        &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
    ),
    (&["fim_sep_token_id"], &["<|file_sep|>"]),
];

/// Of [`FILL_IN_MIDDLE`], padding, repository and file mark end an answer.
const FIRST_ENDING_MARK: usize = 3;

/// Texts that end an answer.
const ENDING: [&str; 22] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Parts of gpt-oss's conversation format, which its users want to see as text.
const SHOWN: [&str; 4] = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/// Corrects the types of well-known tokens and returns the tokens that end an answer,
/// ascending.
///
/// # Errors
/// [`crate::Error::BadMetadata`] for a token id that is no number.
pub(super) fn apply(
    metadata: &Metadata,
    eos: Option<u32>,
    vocabulary: &mut Vocabulary<'_>,
) -> Result<Vec<u32>> {
    let n_vocab = vocabulary.texts.len();
    let id_of_key = |key: &str| -> Result<Option<u32>> {
        let id = metadata.opt_u32(&format!("tokenizer.ggml.{key}"))?;
        Ok(id.filter(|&id| (id as usize) < n_vocab))
    };
    let found = find_well_known(vocabulary.texts);
    let id_of_text = |text: &str| found.iter().find(|(t, _)| *t == text).map(|(_, id)| *id);

    let mut ending = BTreeSet::new();
    for (mark, (keys, texts)) in FILL_IN_MIDDLE.iter().enumerate() {
        let mut id = None;
        for key in *keys {
            id = id_of_key(key)?.or(id);
        }
        if id.is_none() {
            id = found.iter().find(|(text, _)| texts.contains(text)).map(|(_, id)| *id);
            if let Some(id) = id {
                make_control(vocabulary, id);
            }
        }
        if mark >= FIRST_ENDING_MARK {
            ending.extend(id);
        }
    }
    for id in ENDING.iter().filter_map(|text| id_of_text(text)) {
        make_control(vocabulary, id);
        ending.insert(id);
    }
    for id in SHOWN.iter().filter_map(|text| id_of_text(text)) {
        vocabulary.types[id as usize] = TokenType::USER_DEFINED;
    }
    ending.extend(eos);
    ending.extend(id_of_key("eot_token_id")?);
    ending.extend(id_of_key("eom_token_id")?);

    let mut take_out = |text: &str, becomes: TokenType| {
        if let Some(id) = id_of_text(text).filter(|id| ending.contains(id)) {
            ending.remove(&id);
            vocabulary.types[id as usize] = becomes;
        }
    };
    let has = |text: &str| id_of_text(text).is_some();
    // Where a format has its own tokens for the end, `<|end|>` only ends a part of it.
    if (has("<|call|>") || has("<|calls|>")) && (has("<|return|>") || has("<|flush|>")) {
        take_out("<|end|>", TokenType::USER_DEFINED);
    }
    // In these vocabularies, `</s>` is the HTML tag.
    let plamo_ends = eos.is_some_and(|id| vocabulary.texts[id as usize] == "<|plamo:eos|>");
    if has("<|tool_response>") || plamo_ends {
        take_out("</s>", TokenType::NORMAL);
    }
    Ok(ending.into_iter().collect())
}

fn make_control(vocabulary: &mut Vocabulary<'_>, id: u32) {
    let token_type = &mut vocabulary.types[id as usize];
    *token_type = token_type.or(TokenType::CONTROL);
}

/// All tokens with one of the texts above, by ascending id.
fn find_well_known(texts: &[String]) -> Vec<(&str, u32)> {
    let known = |text: &str| {
        // Cheap for the hundred thousand other tokens.
        text.starts_with(['<', '[', '_', '▁'])
            && (ENDING.contains(&text)
                || SHOWN.contains(&text)
                || FILL_IN_MIDDLE.iter().any(|(_, texts)| texts.contains(&text)))
    };
    let numbered = texts.iter().map(String::as_str).zip(0..);
    numbered.filter(|(text, _)| known(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Value;

    fn ending(texts: &[&str], keys: &[(&str, u32)]) -> (Vec<u32>, Vec<TokenType>) {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let pairs = keys.iter().map(|(key, id)| (format!("tokenizer.ggml.{key}"), Value::U32(*id)));
        let metadata = Metadata::new(pairs.collect()).expect("distinct keys");
        let mut vocabulary =
            Vocabulary { types: vec![TokenType::NORMAL; texts.len()], texts: &texts };
        let ids = apply(&metadata, Some(0), &mut vocabulary).expect("valid keys");
        (ids, vocabulary.types)
    }

    #[test]
    fn finds_ends_by_key_and_by_text() {
        let (ids, types) = ending(&["a", "<|im_end|>", "b", "<fim_pad>", "<PRE>"], &[]);
        assert_eq!(ids, [0, 1, 3]);
        let control = [false, true, false, true, true];
        assert_eq!(types.iter().map(|t| t.is(TokenType::CONTROL)).collect::<Vec<_>>(), control);
        let keys = [("eot_token_id", 2), ("eom_token_id", 4), ("fim_pad_token_id", 99)];
        assert_eq!(ending(&["a", "b", "c", "d", "e"], &keys).0, [0, 2, 4]);
    }

    #[test]
    fn keys_come_before_texts() {
        let (ids, types) = ending(&["a", "<fim_pad>", "b"], &[("fim_pad_token_id", 2)]);
        assert_eq!(ids, [0, 2]);
        assert!(!types[1].is(TokenType::CONTROL) && !types[2].is(TokenType::CONTROL));
    }

    #[test]
    fn formats_with_ends_of_their_own() {
        let (ids, types) = ending(&["a", "<|end|>", "<|return|>", "<|call|>", "<|start|>"], &[]);
        assert_eq!(ids, [0, 2, 3]);
        assert!(types[1] == TokenType::USER_DEFINED && types[4] == TokenType::USER_DEFINED);
        let (ids, types) = ending(&["a", "</s>", "<|tool_response>"], &[]);
        assert_eq!((ids, types[1]), (vec![0, 2], TokenType::NORMAL));
    }
}
