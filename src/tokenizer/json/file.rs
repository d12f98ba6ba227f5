//! The file as it is. Vocabulary and merges, most of it, are read without a stop between.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct File {
    pub(super) model: ModelPart,
    #[serde(default)]
    pub(super) added_tokens: Value,
    #[serde(default)]
    pub(super) normalizer: Value,
    #[serde(default)]
    pub(super) pre_tokenizer: Value,
    #[serde(default)]
    pub(super) post_processor: Value,
    #[serde(default)]
    pub(super) decoder: Value,
}

#[derive(Deserialize)]
pub(super) struct ModelPart {
    /// Files of old have none.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) vocab: VocabPart,
    #[serde(default)]
    pub(super) merges: Vec<MergePart>,
    pub(super) dropout: Option<f32>,
    pub(super) unk_token: Option<String>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) end_of_word_suffix: Option<String>,
    pub(super) fuse_unk: Option<bool>,
    pub(super) byte_fallback: Option<bool>,
    pub(super) ignore_merges: Option<bool>,
}

/// The ids of tokens; `None` if they are a list with scores, as of unigram models.
pub(super) struct VocabPart(pub(super) Option<HashMap<String, u32>>);

/// Two tokens: a list of both, or, of old, a line with a space between.
pub(super) struct MergePart(pub(super) String, pub(super) String);

impl<'de> Deserialize<'de> for VocabPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<VocabPart, D::Error> {
        struct Ids;
        impl<'de> Visitor<'de> for Ids {
            type Value = VocabPart;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a `vocab` with a number for each token")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VocabPart, A::Error> {
                let mut ids = HashMap::new();
                while let Some((text, id)) = map.next_entry()? {
                    ids.insert(text, id);
                }
                Ok(VocabPart(Some(ids)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<VocabPart, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(VocabPart(None))
            }
        }
        deserializer.deserialize_any(Ids)
    }
}

impl<'de> Deserialize<'de> for MergePart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MergePart, D::Error> {
        struct Two;
        impl<'de> Visitor<'de> for Two {
            type Value = MergePart;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`merges` of two tokens each")
            }

            fn visit_str<E: Error>(self, line: &str) -> Result<MergePart, E> {
                let two = line.split_once(' ').ok_or_else(|| {
                    E::custom(format_args!("the merge \"{line}\" is not of two tokens"))
                })?;
                Ok(MergePart(two.0.into(), two.1.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<MergePart, A::Error> {
                let two = (list.next_element()?, list.next_element()?, list.next_element()?);
                match two {
                    (Some(left), Some(right), None::<String>) => Ok(MergePart(left, right)),
                    _ => Err(A::Error::custom("a merge is not of two tokens")),
                }
            }
        }
        deserializer.deserialize_any(Two)
    }
}
