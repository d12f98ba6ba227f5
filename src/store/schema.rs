//! What the store keeps. The page reads it as well, without wasm: `pkg/models.js` has the
//! same names. Who changes one changes the other.
//!
//! | store | key | value |
//! |---|---|---|
//! | `models` | url | [`Manifest`] of a complete model |
//! | `downloads` | `[url, id]` | [`Manifest`] of what has been stored so far |
//! | `records` | `[url, id, index]` | `Blob` (or `ArrayBuffer`), the record's bytes |
//!
//! A `tokenizer.json` is stored like a model, under the model's url with `#tokenizer=` and its
//! own address behind: one of another address is another entry.
//!
//! Or the records lie one behind the other in the file `pagelm/ID` of the origin private file
//! system (OPFS): the manifest's `backend` tells.
//!
//! Keys begin with the url, so that everything of one model is a key range, and a
//! transaction can take it away without reading first.

use super::http::Version;
use super::recipe::{Recipe, RecipeFile};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

pub(super) const DATABASE: &str = "pagelm";
pub(super) const DATABASE_VERSION: u32 = 1;
pub(super) const MODELS: &str = "models";
pub(super) const DOWNLOADS: &str = "downloads";
pub(super) const RECORDS: &str = "records";

/// Version of these values. A stored model of another layout is fetched anew.
pub(super) const LAYOUT: u32 = 2;

/// The folder of the files, in OPFS.
pub(super) const FOLDER: &str = "pagelm";
/// The Web Lock that is shared by all who may have a file that no manifest names yet. Who has
/// it alone may delete such files.
pub(super) const FILES_LOCK: &str = "pagelm:files";

/// The name in the store of a model's `tokenizer.json` at `address`.
pub fn tokenizer_name(model: &str, address: &str) -> String {
    format!("{model}#tokenizer={address}")
}

/// Where records are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// In the database.
    #[default]
    IndexedDb,
    /// In a file of the origin private file system.
    Opfs,
}

impl Backend {
    /// By its name in messages.
    ///
    /// # Errors
    /// [`Error::BadRequest`] for any other.
    pub fn from_name(name: &str) -> Result<Backend> {
        match name {
            "indexeddb" => Ok(Backend::IndexedDb),
            "opfs" => Ok(Backend::Opfs),
            other => {
                let what = format!("`storage` is \"{other}\", but must be indexeddb or opfs");
                Err(Error::BadRequest { what })
            }
        }
    }
}

/// A stored model, or what has been stored of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// [`LAYOUT`] of the time of writing.
    pub(super) layout: u32,
    /// The address that was asked for, and its name in the store.
    pub(super) url: String,
    /// Tells the records of one download from those of another: random, an integer.
    pub(super) id: f64,
    /// Where its records are.
    #[serde(default)]
    pub(super) backend: Backend,
    /// Bytes stored: of a complete model, the length of all files.
    pub(super) bytes: u64,
    /// Length of all files, where it is known.
    pub(super) total: Option<u64>,
    /// Bytes of a record, unless it is its file's last.
    pub(super) record_bytes: u32,
    /// The files, in order.
    pub(super) files: Vec<File>,
    /// The records, in order. None is of two files.
    pub(super) records: Vec<RecordInfo>,
    /// By part: the SHA-256 that the whole part was found to have.
    pub(super) verified: Vec<Option<String>>,
    /// What `pagelm.json` says beside: as JSON, `null` without one.
    pub(super) settings: String,
    /// When it was last loaded or written to, in milliseconds since 1970.
    pub(super) last_used: f64,
}

/// A file to be fetched, and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct File {
    /// What to fetch.
    pub(super) source: RecipeFile,
    /// Its length, once it is known.
    pub(super) bytes: Option<u64>,
    /// Which version of it the records are of.
    pub(super) version: Version,
}

/// A record's place and digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RecordInfo {
    /// Index of its file.
    pub(super) file: u32,
    /// Its first byte there.
    pub(super) from: u64,
    pub(super) bytes: u32,
    /// SHA-256, in hexadecimal.
    pub(super) sha256: String,
}

impl Manifest {
    /// A download of which nothing is stored yet.
    pub(super) fn new(url: &str, recipe: Recipe, id: f64, now: f64) -> Manifest {
        let Recipe { files, record_bytes, settings } = recipe;
        let file =
            |source: RecipeFile| File { bytes: source.bytes, version: Version::default(), source };
        let mut manifest = Manifest {
            layout: LAYOUT,
            url: url.into(),
            id,
            backend: Backend::default(),
            bytes: 0,
            total: None,
            record_bytes,
            files: files.into_iter().map(file).collect(),
            records: Vec::new(),
            verified: Vec::new(),
            settings,
            last_used: now,
        };
        manifest.sum_up();
        manifest
    }

    /// Whether a stored download is of what `recipe` asks for.
    pub(super) fn follows(&self, recipe: &Recipe) -> bool {
        let same = |(file, asked): (&File, &RecipeFile)| file.source == *asked;
        self.settings == recipe.settings
            && self.files.len() == recipe.files.len()
            && self.files.iter().zip(&recipe.files).all(same)
    }

    /// Where the next record begins: its file and its first byte there. `None` if all is there.
    pub(super) fn next_place(&self) -> Option<(usize, u64)> {
        let (mut file, mut from) = match self.records.last() {
            None => (0, 0),
            Some(last) => (last.file as usize, last.from + u64::from(last.bytes)),
        };
        while self.files.get(file)?.bytes == Some(from) {
            (file, from) = (file + 1, 0);
        }
        Some((file, from))
    }

    /// Bytes of the record that begins there, as far as is known.
    pub(super) fn record_len(&self, file: usize, from: u64) -> u32 {
        let rest = self.files[file].bytes.map_or(u64::MAX, |bytes| bytes.saturating_sub(from));
        rest.min(self.record_bytes.into()) as u32
    }

    /// The digest that the record there must have, where the recipe tells.
    pub(super) fn expected(&self, file: usize, from: u64) -> Option<&str> {
        let index = (from / u64::from(self.record_bytes)) as usize;
        self.files[file].source.records.get(index).map(String::as_str)
    }

    /// Bytes of the records before this one.
    pub(super) fn bytes_before(&self, index: usize) -> u64 {
        self.records[..index].iter().map(|record| u64::from(record.bytes)).sum()
    }

    /// Takes note of a further record.
    pub(super) fn push(&mut self, record: RecordInfo) {
        self.bytes += u64::from(record.bytes);
        self.records.push(record);
        self.sum_up();
    }

    /// Takes note of a file's length.
    pub(super) fn set_bytes(&mut self, file: usize, bytes: u64) {
        self.files[file].bytes = Some(bytes);
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.total = self.files.iter().map(|file| file.bytes).sum();
    }

    /// Which part, a GGUF file each, a record belongs to.
    pub(super) fn part(&self, index: usize) -> u32 {
        self.files[self.records[index].file as usize].source.part
    }
}
