//! A model's bytes in order, record by record: from the store as far as they are there, the
//! rest from the network, and into the store as it comes. Every record is checked before it
//! is handed out.

mod keep;
mod report;

pub use keep::Kept;
pub use report::{Phase, Report};

use super::backoff::Backoff;
use super::download::{Collected, Stream};
use super::host::Host;
use super::part_digest::PartDigest;
use super::recipe::{Recipe, Settings, is_pack};
use super::record::Record;
use super::schema::Manifest;
use super::storage::{Reply, Storage, Stored, Write};
use crate::{Error, Result};
use std::cell::Cell;
use std::rc::Rc;

/// How to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Attempts that may follow a failure.
    pub retries: u32,
    /// Bytes of a record, where no `pagelm.json` tells.
    pub record_bytes: u32,
    /// SHA-256 that each part must have, as far as the caller knows.
    pub sha256: Vec<String>,
    /// The address of the one file to fetch, where the name in the store is not the address.
    pub file: Option<String>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next record: see [`Source::record`].
    Record {
        /// Which GGUF file of the model it belongs to, from 0.
        part: u32,
    },
    /// The model has changed: what has been handed out is void, and all of it comes again.
    Restart,
}

/// A model's bytes. Read them to their end, make sure that the model is whole, then
/// [`Source::keep`] it; on any failure [`Source::discard`] it.
pub struct Source {
    pub(super) host: Rc<dyn Host>,
    /// `None` where nothing is stored, or no more.
    storage: Option<Rc<dyn Storage>>,
    pub(super) options: Options,
    pub(super) manifest: Manifest,
    /// Whether the store has all of the model.
    complete: bool,
    /// Whether the store has the manifest, and whether it tells all that is known.
    begun: bool,
    news: bool,
    /// Records handed out.
    cursor: usize,
    current: Option<Record>,
    ahead: Option<Ahead>,
    writing: Option<Reply<bool>>,
    /// Memory for the next record.
    pub(super) spare: Option<Record>,
    /// The first record while it comes, and whether it is found to be of another file.
    pub(super) partial: Option<Record>,
    pub(super) changed: bool,
    pub(super) stream: Option<Stream>,
    /// Whether a connection has broken while it brought bytes.
    pub(super) broke: bool,
    pub(super) backoff: Backoff,
    restarts: u32,
    digest: Option<PartDigest>,
    pub(super) room_checked: bool,
    report: Box<dyn Fn(Report)>,
    /// Bytes that were last reported as done.
    pub(super) reported: Cell<u64>,
}

type Ahead = Reply<Option<(Record, String)>>;

impl Source {
    /// Finds what is stored of `url`, and what is to be fetched. Without `storage` the model
    /// is fetched and not stored.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`] before anything is fetched, [`Error::BadManifest`],
    /// [`Error::HttpStatus`], [`Error::Network`], [`Error::Aborted`].
    pub(super) async fn open(
        host: Rc<dyn Host>,
        storage: Option<Rc<dyn Storage>>,
        url: &str,
        options: Options,
        report: Box<dyn Fn(Report)>,
    ) -> Result<Source> {
        let empty = Recipe { files: Vec::new(), record_bytes: 0, settings: String::new() };
        let mut source = Source {
            manifest: Manifest::new(url, empty, 0.0, 0.0),
            backoff: Backoff::new(options.retries),
            host,
            storage,
            options,
            complete: false,
            begun: false,
            news: false,
            cursor: 0,
            current: None,
            ahead: None,
            writing: None,
            spare: None,
            partial: None,
            changed: false,
            stream: None,
            broke: false,
            restarts: 0,
            digest: None,
            room_checked: false,
            report,
            reported: Cell::new(0),
        };
        match source.find(url, None).await? {
            Some(Stored::Complete(manifest)) if source.may_be(&manifest) => {
                (source.complete, source.begun) = (true, true);
                source.manifest = manifest;
            }
            Some(Stored::Complete(unwanted)) => {
                let stored = source.find(url, Some(unwanted.id)).await?;
                source.begin(url, stored).await?;
            }
            stored => source.begin(url, stored).await?,
        }
        if source.is_stored() {
            source.report(source.phase(), 0);
        }
        Ok(source)
    }

    async fn find(&self, url: &str, but: Option<f64>) -> Result<Option<Stored>> {
        match &self.storage {
            Some(storage) => storage.find(url, but).await,
            None => Ok(None),
        }
    }

    /// Goes on with an unfinished download, if this is one, or begins another.
    async fn begin(&mut self, url: &str, stored: Option<Stored>) -> Result<()> {
        let recipe = self.recipe(url).await?;
        (self.begun, self.manifest) = match stored {
            Some(Stored::Partial(manifest)) if manifest.follows(&recipe) => (true, manifest),
            _ => (false, self.fresh(url, recipe)),
        };
        Ok(())
    }

    /// Whether a stored model may have the digests that the caller gave.
    fn may_be(&self, manifest: &Manifest) -> bool {
        let agree = |(asked, found): (&String, &Option<String>)| {
            found.as_ref().is_none_or(|found| found.eq_ignore_ascii_case(asked))
        };
        self.options.sha256.iter().zip(&manifest.verified).all(agree)
    }

    async fn recipe(&mut self, url: &str) -> Result<Recipe> {
        if let Some(file) = &self.options.file {
            return Ok(Recipe::of_file(file, self.options.record_bytes));
        }
        if !is_pack(url) {
            return Recipe::of_url(url, self.options.record_bytes);
        }
        let json = self.small_file(url).await?;
        Recipe::of_pack(&json, |path| self.host.resolve(path, url))
    }

    fn fresh(&self, url: &str, recipe: Recipe) -> Manifest {
        const INTEGERS: f64 = (1u64 << 53) as f64;
        let id = (self.host.random() * INTEGERS).floor();
        Manifest::new(url, recipe, id, self.host.now())
    }

    /// What `pagelm.json` says beside; nothing without one.
    pub fn settings(&self) -> Settings {
        serde_json::from_str(&self.manifest.settings).unwrap_or_default()
    }

    /// GGUF files of the model.
    pub fn parts(&self) -> u32 {
        self.manifest.files.last().map_or(0, |file| file.source.part + 1)
    }

    /// Whether the next record comes from the store.
    pub fn is_stored(&self) -> bool {
        self.cursor < self.manifest.records.len()
    }

    /// What the source is doing.
    pub fn phase(&self) -> Phase {
        match (self.complete, self.is_stored()) {
            (true, _) => Phase::Cache,
            (false, true) => Phase::Resume,
            (false, false) => Phase::Download,
        }
    }

    /// Bytes of the whole model, where it is known.
    pub fn total(&self) -> Option<u64> {
        self.manifest.total
    }

    /// Tells how far the load is.
    pub fn report(&self, phase: Phase, loaded: u64) {
        self.reported.set(loaded);
        (self.report)(Report { phase, loaded, total: self.manifest.total });
    }

    /// The next record, or that all begins anew; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::HttpStatus`], [`Error::DigestMismatch`],
    /// [`Error::StorageFull`], [`Error::StorageCorrupt`], [`Error::Aborted`].
    pub async fn next(&mut self) -> Result<Option<Piece>> {
        if self.host.aborted() {
            return Err(Error::Aborted);
        }
        if self.changed {
            return self.restart().await;
        }
        if let Some(record) = self.current.take()
            && record.capacity() == self.manifest.record_bytes
        {
            self.spare = Some(record);
        }
        if self.is_stored() { self.read_on().await } else { self.download_on().await }
    }

    /// The record that came last, if any did.
    pub fn record(&self) -> Option<&Record> {
        self.current.as_ref()
    }

    /// Takes note of the current record's bytes, in order: a digest of the whole may
    /// be asked for.
    pub fn taken(&mut self, bytes: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    async fn read_on(&mut self) -> Result<Option<Piece>> {
        let index = self.cursor;
        let read = match self.ahead.take().or_else(|| self.read(index, None)) {
            Some(read) => read.await,
            None => Ok(None),
        };
        let info = &self.manifest.records[index];
        let record = match read {
            Ok(Some((record, sha256))) if record.len() == info.bytes && sha256 == info.sha256 => {
                record
            }
            _ => match self.repair(index).await? {
                Some(record) => {
                    self.write(index, &record, Write::Repair).await?;
                    record
                }
                None => return self.restart().await,
            },
        };
        let spare = self.spare.take();
        self.ahead = self.read(index + 1, spare);
        self.hand_out(record, true).await
    }

    fn read(&self, index: usize, spare: Option<Record>) -> Option<Ahead> {
        let storage = self.storage.as_ref().filter(|_| index < self.manifest.records.len())?;
        Some(storage.read(&self.manifest, index as u32, spare))
    }

    /// The first record of a file, if it is stored and sound.
    pub(super) async fn stored_beginning(&self, file: usize) -> Option<Record> {
        let index = self.manifest.records.iter().position(|info| info.file as usize == file)?;
        let (record, sha256) = self.read(index, None)?.await.ok()??;
        (sha256 == self.manifest.records[index].sha256).then_some(record)
    }

    async fn download_on(&mut self) -> Result<Option<Piece>> {
        while let Some((file, from)) = self.manifest.next_place() {
            match self.collect(file, from).await? {
                Collected::End => {}
                Collected::Changed => return self.restart().await,
                Collected::Record(record, info) => {
                    // Before it counts: what is lacking is told if the one before has no room.
                    self.settle().await?;
                    self.manifest.push(info);
                    let index = self.manifest.records.len() - 1;
                    let how = if self.begun { Write::Next } else { Write::First };
                    self.write(index, &record, how).await?;
                    self.begun = true;
                    return self.hand_out(record, false).await;
                }
            }
        }
        self.settle().await?;
        self.check_part().await
    }

    async fn hand_out(&mut self, record: Record, stored: bool) -> Result<Option<Piece>> {
        let part = self.manifest.part(self.cursor);
        if self.digest.as_ref().is_some_and(|digest| digest.part() != part)
            && let Some(restart) = self.check_part().await?
        {
            return Ok(Some(restart));
        }
        if self.digest.is_none() {
            self.digest = self.digest_of(part, stored);
        }
        self.cursor += 1;
        self.current = Some(record);
        Ok(Some(Piece::Record { part }))
    }

    /// What watches over the digest of a part, if there is one to be met.
    fn digest_of(&self, part: u32, stored: bool) -> Option<PartDigest> {
        let expected = self.options.sha256.get(part as usize)?;
        let found = self.manifest.verified.get(part as usize).cloned().flatten();
        let known = found.is_some_and(|found| found.eq_ignore_ascii_case(expected));
        (!known).then(|| PartDigest::new(part, expected, stored))
    }

    /// Ends the digest of the part before. Another one than expected begins anew if some of
    /// it was stored, and fails otherwise.
    async fn check_part(&mut self) -> Result<Option<Piece>> {
        let Some(digest) = self.digest.take() else { return Ok(None) };
        let (part, stored) = (digest.part() as usize, digest.began_stored());
        match digest.finish(&self.manifest.url) {
            Ok(found) => {
                let verified = &mut self.manifest.verified;
                verified.resize(verified.len().max(part + 1), None);
                verified[part] = Some(found);
                self.news = true;
                Ok(None)
            }
            Err(_) if stored => self.restart().await,
            Err(error) => Err(error),
        }
    }
}
