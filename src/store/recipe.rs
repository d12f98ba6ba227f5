//! Which files a model is made of, and what they must be: told by its address, or by a
//! `pagelm.json`, which `pagelm pack` writes.

use super::sha256::is_digest;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of the format of `pagelm.json`.
pub const PACK_VERSION: u32 = 1;
/// Bytes of a record that a `pagelm.json` may ask for.
pub const MAX_RECORD_BYTES: u32 = 64 << 20;
/// Most parts of a split model, as its header may have them.
const MAX_PARTS: u32 = 1000;

/// What to fetch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recipe {
    /// In order.
    pub(super) files: Vec<RecipeFile>,
    /// Bytes of a record.
    pub(super) record_bytes: u32,
    /// What `pagelm.json` says beside, as JSON; `null` without one.
    pub(super) settings: String,
}

/// One file to fetch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RecipeFile {
    pub(super) url: String,
    /// Which GGUF file of the model it belongs to, from 0.
    pub(super) part: u32,
    /// Its length, where it is told.
    pub(super) bytes: Option<u64>,
    /// SHA-256 of each record, where they are told.
    pub(super) records: Vec<String>,
}

/// A `pagelm.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pack {
    /// [`PACK_VERSION`].
    pub pagelm: u32,
    /// The model's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of a record; the last one of a file may be shorter.
    pub record_bytes: u32,
    /// The GGUF files that the model is made of.
    pub parts: Vec<PackPart>,
    /// How to run it.
    #[serde(flatten)]
    pub settings: Settings,
}

/// One GGUF file of a packed model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackPart {
    /// SHA-256 of the whole of it, for people; what is loaded is checked by the records' digests.
    pub sha256: String,
    /// The files that it is served as, in order.
    pub files: Vec<PackFile>,
}

/// One file of a packed model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackFile {
    /// Its address, relative to `pagelm.json`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of each of its records.
    pub records: Vec<String>,
}

/// How a packed model wants to be run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Positions of the KV cache, where the caller does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// Fields of a request, where it does not have them: `temperature` …
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub sampling: Map<String, Value>,
    /// The chat template in place of the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<String>,
}

/// Whether an address is that of a `pagelm.json`.
pub(super) fn is_pack(url: &str) -> bool {
    path(url).ends_with(".json")
}

impl Recipe {
    /// The recipe of a .gguf at `url`, or of all parts of a split one whose first it is.
    ///
    /// # Errors
    /// [`Error::BadRequest`] if it is another part than the first.
    pub(super) fn of_url(url: &str, record_bytes: u32) -> Result<Recipe> {
        let file = |(part, url)| RecipeFile { url, part, bytes: None, records: Vec::new() };
        let files = (0..).zip(parts_of(url)?).map(file).collect();
        Ok(Recipe { files, record_bytes, settings: "null".into() })
    }

    /// The recipe of a file as it is.
    pub(super) fn of_file(url: &str, record_bytes: u32) -> Recipe {
        let file = RecipeFile { url: url.into(), part: 0, bytes: None, records: Vec::new() };
        Recipe { files: vec![file], record_bytes, settings: "null".into() }
    }

    /// The recipe of a `pagelm.json`; `resolve` makes its addresses absolute.
    ///
    /// # Errors
    /// [`Error::BadManifest`].
    pub(super) fn of_pack(json: &[u8], resolve: impl Fn(&str) -> Option<String>) -> Result<Recipe> {
        let bad = |what: String| Error::BadManifest { what };
        let pack: Pack = serde_json::from_slice(json).map_err(|error| bad(error.to_string()))?;
        if pack.pagelm != PACK_VERSION {
            return Err(bad(format!("it is of version {}, not {PACK_VERSION}", pack.pagelm)));
        }
        if pack.record_bytes == 0 || pack.record_bytes > MAX_RECORD_BYTES {
            return Err(bad(format!("`record_bytes` is {}", pack.record_bytes)));
        }
        let mut files = Vec::new();
        let mut rest = pack.bytes;
        for (part, PackPart { files: served, .. }) in (0..).zip(pack.parts) {
            if served.is_empty() {
                return Err(bad(format!("part {} has no file", part + 1)));
            }
            for PackFile { path, bytes, records } in served {
                let url = resolve(&path).ok_or_else(|| bad(format!("\"{path}\" is no address")))?;
                let count = bytes.div_ceil(pack.record_bytes.into());
                if records.len() as u64 != count || !records.iter().all(|r| is_digest(r)) {
                    return Err(bad(format!("{path} must have {count} digests")));
                }
                rest = rest
                    .checked_sub(bytes)
                    .ok_or_else(|| bad("its files have more than `bytes`".into()))?;
                files.push(RecipeFile { url, part, bytes: Some(bytes), records });
            }
        }
        if files.is_empty() {
            return Err(bad("it names no file".into()));
        }
        if rest > 0 {
            return Err(bad(format!("its files have {rest} bytes less than `bytes`")));
        }
        let settings =
            serde_json::to_string(&pack.settings).map_err(|error| bad(error.to_string()))?;
        Ok(Recipe { files, record_bytes: pack.record_bytes, settings })
    }
}

/// The files of a model, by the address or path of the first.
///
/// # Errors
/// [`Error::BadRequest`] if it is another part than the first.
pub fn parts_of(first: &str) -> Result<Vec<String>> {
    match split(first) {
        None => Ok(vec![first.to_string()]),
        Some((1, all)) => Ok(all),
        Some((n, all)) => {
            let what = format!("this is part {n} of a split model; take {}", all[0]);
            Err(Error::BadRequest { what })
        }
    }
}

/// The number of a part and the addresses of all, of `…-00001-of-00005.gguf`.
fn split(url: &str) -> Option<(u32, Vec<String>)> {
    let path = path(url);
    let (rest, query) = url.split_at(path.len());
    let stem = rest.strip_suffix(".gguf")?;
    let (stem, count) = digits(stem)?;
    let (stem, number) = digits(stem.strip_suffix("-of-")?)?;
    let stem = stem.strip_suffix('-')?;
    let sound = (1..=MAX_PARTS).contains(&count) && (1..=count).contains(&number);
    let url = |n: u32| format!("{stem}-{n:05}-of-{count:05}.gguf{query}");
    sound.then(|| (number, (1..=count).map(url).collect()))
}

/// The five digits at the end, and what is before them.
fn digits(text: &str) -> Option<(&str, u32)> {
    let at = text.len().checked_sub(5)?;
    let (stem, digits) = (text.get(..at)?, text.get(at..)?);
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((stem, digits.parse().ok().filter(|_| all)?))
}

/// An address without its query and fragment.
fn path(url: &str) -> &str {
    &url[..url.find(['?', '#']).unwrap_or(url.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn urls(url: &str) -> Vec<String> {
        let recipe = Recipe::of_url(url, 8).unwrap();
        recipe.files.into_iter().map(|file| file.url).collect()
    }

    #[test]
    fn a_split_model_is_known_by_its_name() {
        assert_eq!(urls("https://a/m.gguf?b=1"), ["https://a/m.gguf?b=1"]);
        assert_eq!(
            urls("https://a/m-00001-of-00003.gguf?b"),
            [1, 2, 3].map(|n| format!("https://a/m-0000{n}-of-00003.gguf?b"))
        );
        for single in ["m-00000-of-00003.gguf", "m-00004-of-00003.gguf", "m-1-of-3.gguf"] {
            assert_eq!(urls(single), [single]);
        }
        let second = Recipe::of_url("m-00002-of-00003.gguf", 8);
        let Err(Error::BadRequest { what }) = second else { panic!("{second:?}") };
        assert!(what.ends_with("m-00001-of-00003.gguf"), "{what}");
    }

    fn pack() -> Value {
        json!({
            "pagelm": 1, "bytes": 20, "record_bytes": 16, "context": 512, "sampling": { "top_k": 1 },
            "parts": [{ "sha256": "0".repeat(64), "files": [
                { "path": "a.0.bin", "bytes": 16, "records": ["1".repeat(64)] },
                { "path": "a.1.bin", "bytes": 4, "records": ["2".repeat(64)] },
            ] }],
        })
    }

    #[test]
    fn a_pack_tells_files_digests_and_settings() {
        let text = serde_json::to_vec(&pack()).unwrap();
        let recipe = Recipe::of_pack(&text, |path| Some(format!("base/{path}"))).unwrap();
        assert_eq!(recipe.record_bytes, 16);
        assert_eq!(recipe.files.len(), 2);
        assert_eq!(recipe.files[1].url, "base/a.1.bin");
        assert_eq!((recipe.files[1].bytes, recipe.files[1].part), (Some(4), 0));
        assert_eq!(recipe.files[1].records, ["2".repeat(64)]);
        let settings: Settings = serde_json::from_str(&recipe.settings).unwrap();
        assert_eq!(settings.context, Some(512));
        assert_eq!(settings.sampling["top_k"], 1);
    }

    #[test]
    fn a_pack_that_contradicts_itself_is_refused() {
        let mut cases = vec![json!({}), json!([]), json!({ "pagelm": 1 })];
        for (pointer, value) in [
            ("/pagelm", json!(2)),
            ("/record_bytes", json!(0)),
            ("/record_bytes", json!(u32::MAX)),
            ("/parts", json!([])),
            ("/parts/0/files", json!([])),
            ("/bytes", json!(19)),
            ("/bytes", json!(21)),
            ("/parts/0/files/0/bytes", json!(17)),
            ("/parts/0/files/0/bytes", json!(-1)),
            ("/parts/0/files/1/records/0", json!("zz")),
            ("/parts/0/files/1/path", json!("http://[")),
            ("/context", json!("long")),
        ] {
            let mut pack = pack();
            *pack.pointer_mut(pointer).unwrap() = value;
            cases.push(pack);
        }
        let resolve = |path: &str| (path != "http://[").then(|| path.to_string());
        for case in cases {
            let found = Recipe::of_pack(&serde_json::to_vec(&case).unwrap(), resolve);
            assert!(matches!(found, Err(Error::BadManifest { .. })), "{case}: {found:?}");
        }
        assert!(Recipe::of_pack(b"<html>", resolve).is_err());
        assert!(is_pack("https://a/pagelm.json?x") && !is_pack("https://a/m.gguf?x=.json"));
    }
}
