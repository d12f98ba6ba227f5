//! A server, a network, a disk and a clock that fail by chance.

use super::super::host::{Answer, Attempt, Body, Fault, Host, Later};
use super::super::http::{Ask, Head, Version};
use super::super::record::Record;
use super::super::schema::{Backend, Manifest};
use super::super::source::Report;
use super::super::storage::{FULL, Reply, Storage, Stored, Write};
use super::disk::Disk;
use crate::Error;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// How often what goes wrong, in 0..1.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    /// A request cannot be made.
    pub(super) refused: f64,
    /// The server answers 429 or 503.
    pub(super) busy: f64,
    /// A body breaks at any place.
    pub(super) cut: f64,
    /// A body ends early without an error.
    pub(super) short: f64,
    /// Another range comes than was asked for.
    pub(super) wrong_range: f64,
    /// Less of a range comes than was asked for.
    pub(super) shorter: f64,
    /// 200 in place of 206.
    pub(super) whole: f64,
    /// A bit flips on the way: for files with digests only.
    pub(super) flipped: f64,
    /// The file changes.
    pub(super) changed: f64,
    /// A stored record loses a bit, or all of it.
    pub(super) rotten: f64,
    /// The user clears the store.
    pub(super) cleared: f64,
    /// A write fails.
    pub(super) unwritten: f64,
    /// The tab ends in the middle of a write to a file.
    pub(super) torn: f64,
    /// A file cannot be opened.
    pub(super) locked: f64,
    /// The store is full.
    pub(super) full: f64,
    /// The store cannot be opened.
    pub(super) closed: f64,
}

/// What the server has at an address.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: Option<String>,
    /// Whether the length is told.
    pub(super) told: bool,
    pub(super) ranges: bool,
}

pub(super) struct World {
    random: RefCell<StdRng>,
    pub(super) faults: Cell<Faults>,
    pub(super) files: RefCell<BTreeMap<String, Served>>,
    /// Whatever the server has ever had at an address.
    pub(super) versions: RefCell<Vec<(String, Vec<u8>)>>,
    pub(super) disk: RefCell<Disk>,
    pub(super) stores: Cell<bool>,
    /// Where new downloads are to go.
    pub(super) backend: Cell<Backend>,
    /// Whether a tab has ended, or the user has cleared the store, at some time.
    pub(super) interrupted: Cell<bool>,
    /// Whether the tab has ended.
    pub(super) ended: Cell<bool>,
    pub(super) asks: RefCell<Vec<Ask>>,
    /// Bytes that have left the server.
    pub(super) sent: Cell<u64>,
    pub(super) room: Cell<Option<u64>>,
    pub(super) reports: RefCell<Vec<Report>>,
}

impl World {
    pub(super) fn new(seed: u64) -> Rc<World> {
        Rc::new(World {
            random: RefCell::new(StdRng::seed_from_u64(seed)),
            faults: Cell::default(),
            files: RefCell::default(),
            versions: RefCell::default(),
            disk: RefCell::default(),
            stores: Cell::new(true),
            backend: Cell::default(),
            interrupted: Cell::new(false),
            ended: Cell::new(false),
            asks: RefCell::default(),
            sent: Cell::new(0),
            room: Cell::new(None),
            reports: RefCell::default(),
        })
    }

    pub(super) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.random.borrow_mut().random_bool(probability)
    }

    pub(super) fn below(&self, bound: usize) -> usize {
        self.random.borrow_mut().random_range(0..bound.max(1))
    }

    pub(super) fn bytes(&self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.random.borrow_mut().random()).collect()
    }

    /// Puts a file on the server, in place of what it had there.
    pub(super) fn serve(&self, url: &str, served: Served) {
        self.versions.borrow_mut().push((url.into(), served.bytes.clone()));
        self.files.borrow_mut().insert(url.into(), served);
    }

    /// Of a complete model: its bytes, file by file, with the files' addresses.
    pub(super) fn stored(&self, url: &str) -> Option<Vec<(String, Vec<u8>)>> {
        let disk = self.disk.borrow();
        Some(disk.contents(disk.models.get(url)?))
    }

    /// Damages a stored record, if there is one. Tells which.
    pub(super) fn rot(&self) -> Option<u32> {
        let mut disk = self.disk.borrow_mut();
        let in_files = disk.named_records();
        let at = self.below(disk.records.len() + in_files.len());
        let bit = 1 << self.below(8);
        if let Some(key) = disk.records.keys().nth(at).cloned() {
            if self.chance(0.3) || disk.records[&key].is_empty() {
                disk.records.remove(&key);
            } else {
                let bytes = disk.records.get_mut(&key)?;
                let at = self.below(bytes.len());
                if self.chance(0.3) { bytes.truncate(at) } else { bytes[at] ^= bit }
            }
            return Some(key.2);
        }
        let (id, index, range) = in_files.get(at - disk.records.len())?.clone();
        let bytes = disk.files.get_mut(&id)?.get_mut(range)?;
        let at = self.below(bytes.len());
        // What a disk has not written reads as zeros.
        if self.chance(0.3) {
            bytes[at..].fill(0)
        } else {
            bytes[at] ^= bit
        }
        Some(index)
    }

    pub(super) fn rot_by_chance(&self) {
        if self.chance(self.faults.get().rotten) {
            self.rot();
        }
        if self.chance(self.faults.get().cleared) {
            self.interrupted.set(true);
            let mut disk = self.disk.borrow_mut();
            match self.below(4) {
                // Browsers do it together; a person may do it apart.
                0 => disk.files.clear(),
                1 => *disk = Disk { files: std::mem::take(&mut disk.files), ..Disk::default() },
                _ => *disk = Disk::default(),
            }
        }
    }

    fn change_by_chance(&self, url: &str) {
        if !self.chance(self.faults.get().changed) {
            return;
        }
        let Some(mut served) = self.files.borrow().get(url).cloned() else { return };
        let len = if self.chance(0.5) { served.bytes.len() } else { 1 + self.below(500) };
        served.bytes = self.bytes(len);
        served.etag = served.etag.map(|_| format!("\"{}\"", self.below(1 << 30)));
        self.serve(url, served);
    }

    fn answer(&self, ask: &Ask) -> Attempt<(Head, Sending)> {
        let faults = self.faults.get();
        self.asks.borrow_mut().push(ask.clone());
        self.change_by_chance(&ask.url);
        if self.chance(faults.refused) {
            return Err(Fault::Broken("refused".into()));
        }
        let nothing = |status| {
            let head = Head { status, ..Head::default() };
            Ok((head, Sending { bytes: Vec::new(), at: 0, breaks: None }))
        };
        if self.chance(faults.busy) {
            return nothing(if self.chance(0.5) { 429 } else { 503 });
        }
        let files = self.files.borrow();
        let Some(served) = files.get(&ask.url) else { return nothing(404) };
        let all = served.bytes.len() as u64;
        let version = Version { etag: served.etag.clone(), last_modified: None };
        let still = ask.if_range.as_ref().is_none_or(|asked| Some(asked) == served.etag.as_ref());
        let ranged = ask.range().is_some() && served.ranges && still && !self.chance(faults.whole);
        let mut head = Head { version, ..Head::default() };
        let range = if !ranged {
            head.status = 200;
            head.content_length = served.told.then_some(all);
            0..all
        } else if ask.from >= all {
            head.status = 416;
            head.content_range = Some(format!("bytes */{all}"));
            0..0
        } else {
            let mut from = ask.from;
            if self.chance(faults.wrong_range) {
                from = self.below(all as usize) as u64;
            }
            let mut to = ask.to.map_or(all, |to| (to + 1).min(all)).max(from + 1);
            if self.chance(faults.shorter) {
                to = from + 1 + self.below((to - from) as usize) as u64;
            }
            head.status = 206;
            let bytes = if served.told { all.to_string() } else { "*".into() };
            head.content_range = Some(format!("bytes {from}-{}/{bytes}", to - 1));
            head.content_length = Some(to - from);
            from..to
        };
        let mut bytes = served.bytes[range.start as usize..range.end as usize].to_vec();
        if self.chance(faults.flipped) && !bytes.is_empty() {
            let at = self.below(bytes.len());
            bytes[at] ^= 1 << self.below(8);
        }
        let mut breaks = None;
        if self.chance(faults.cut) {
            breaks = Some(Fault::Broken("cut".into()));
            if self.chance(0.2) {
                breaks = Some(Fault::Stalled(1));
            }
        }
        // Without a length nobody could tell.
        let short = head.content_length.is_some() && self.chance(faults.short);
        if breaks.is_some() || short {
            bytes.truncate(self.below(bytes.len()));
        }
        Ok((head, Sending { bytes, at: 0, breaks }))
    }

    /// What becomes a complete model is, file by file, what the server has had. (A disk that
    /// rots at this moment is found out by the next load.)
    fn committing(&self, manifest: &Manifest) {
        let disk = self.disk.borrow();
        let in_file = manifest.backend == Backend::Opfs;
        let gone = in_file && !disk.files.contains_key(&(manifest.id as u64));
        if self.faults.get().rotten > 0.0 || !disk.has(manifest) || gone {
            return;
        }
        for file in disk.contents(manifest) {
            assert!(self.versions.borrow().contains(&file), "{} is a mixture", file.0);
        }
    }

    /// Why a write fails, if it does.
    pub(super) fn unwritten(&self) -> Option<Error> {
        let faults = self.faults.get();
        if self.chance(faults.full) {
            return Some(FULL);
        }
        let what = "the connection was lost".into();
        self.chance(faults.unwritten).then_some(Error::StorageUnavailable { what })
    }
}

/// The rest of a body.
struct Sending {
    bytes: Vec<u8>,
    at: usize,
    breaks: Option<Fault>,
}

struct Sender(Rc<World>, Sending);

impl Body for Sender {
    fn read<'a>(&'a mut self, record: &'a mut Record, most: u32) -> Later<'a, Attempt<u32>> {
        soon(move || {
            let Sender(world, sending) = self;
            let rest = sending.bytes.len() - sending.at;
            let n = (1 + world.below(50)).min(rest).min(most as usize);
            assert!(most > 0, "nothing is asked for");
            if n == 0 {
                return sending.breaks.take().map_or(Ok(0), Err);
            }
            record.append(&sending.bytes[sending.at..][..n]);
            sending.at += n;
            world.sent.set(world.sent.get() + n as u64);
            Ok(n as u32)
        })
    }
}

impl Host for Rc<World> {
    fn get<'a>(&'a self, ask: &'a Ask) -> Later<'a, Attempt<Answer>> {
        soon(move || {
            let (head, sending) = self.answer(ask)?;
            Ok((head, Box::new(Sender(self.clone(), sending)) as Box<dyn Body>))
        })
    }

    fn resolve(&self, relative: &str, base: &str) -> Option<String> {
        Some(format!("{}{relative}", &base[..=base.rfind('/')?]))
    }

    fn pause(&self, _ms: u32) -> Later<'_, Attempt<()>> {
        soon(|| Ok(()))
    }

    fn available(&self) -> Later<'_, Option<u64>> {
        soon(|| self.room.get())
    }

    fn random(&self) -> f64 {
        self.random.borrow_mut().random()
    }

    fn now(&self) -> f64 {
        0.0
    }

    fn aborted(&self) -> bool {
        false
    }

    fn warn(&self, _what: &str) {}
}

impl Storage for World {
    fn backend(&self) -> Option<Backend> {
        Some(Backend::IndexedDb)
    }

    fn find(&self, url: &str, but: Option<f64>) -> Reply<Option<Stored>> {
        self.rot_by_chance();
        if self.chance(self.faults.get().closed) {
            let what = "refused".into();
            return reply(Err(Error::StorageUnavailable { what }));
        }
        let disk = self.disk.borrow();
        let complete = disk.models.get(url).filter(|model| but != Some(model.id));
        let complete = complete.cloned().map(Stored::Complete);
        reply(Ok(complete.or_else(|| disk.downloads.get(url).cloned().map(Stored::Partial))))
    }

    fn read(
        &self,
        manifest: &Manifest,
        index: u32,
        _: Option<Record>,
    ) -> Reply<Option<(Record, String)>> {
        self.rot_by_chance();
        let key = (manifest.url.clone(), manifest.id as u64, index);
        let bytes = self.disk.borrow().records.get(&key).cloned();
        reply(Ok(bytes.map(super::disk::with_digest)))
    }

    fn write(
        &self,
        manifest: &Manifest,
        index: u32,
        record: Option<&Record>,
        how: Write,
    ) -> Reply<bool> {
        if self.ended.get() {
            return Box::pin(pending());
        }
        assert_eq!(record.is_none(), manifest.backend == Backend::Opfs, "two places");
        self.rot_by_chance();
        if let Some(error) = self.unwritten() {
            return reply(Err(error));
        }
        let mut disk = self.disk.borrow_mut();
        if how != Write::First && !disk.has(manifest) {
            return reply(Ok(false));
        }
        if how != Write::Repair {
            disk.downloads.insert(manifest.url.clone(), manifest.clone());
        }
        if how == Write::First {
            let model = disk.models.get(&manifest.url).map(|model| model.id as u64);
            let own = manifest.id as u64;
            let keeps = |id| id == own || Some(id) == model;
            disk.records.retain(|(url, id, _), _| *url != manifest.url || keeps(*id));
        }
        let key = (manifest.url.clone(), manifest.id as u64, index);
        if let Some(record) = record {
            disk.records.insert(key, record.bytes().to_vec());
        }
        reply(Ok(true))
    }

    fn commit(&self, manifest: &Manifest) -> Reply<bool> {
        self.committing(manifest);
        if let Some(error) = self.unwritten() {
            return reply(Err(error));
        }
        let mut disk = self.disk.borrow_mut();
        if !disk.has(manifest) {
            return reply(Ok(false));
        }
        disk.models.insert(manifest.url.clone(), manifest.clone());
        disk.downloads.remove(&manifest.url);
        let own = manifest.id as u64;
        disk.records.retain(|(url, id, _), _| *url != manifest.url || *id == own);
        reply(Ok(true))
    }

    fn forget(&self, manifest: &Manifest) -> Reply<()> {
        let mut disk = self.disk.borrow_mut();
        let id = manifest.id;
        disk.models.retain(|url, model| *url != manifest.url || model.id != id);
        disk.downloads.retain(|url, download| *url != manifest.url || download.id != id);
        let own = id as u64;
        disk.records.retain(|(url, id, _), _| *url != manifest.url || *id != own);
        reply(Ok(()))
    }
}

/// What the world does when it is next looked at: between, the tab may be closed.
fn soon<'a, T>(act: impl FnOnce() -> T + 'a) -> Later<'a, T> {
    Box::pin(async move {
        Turn(false).await;
        act()
    })
}

/// A reply to what has been done already.
pub(super) fn reply<T: 'static>(value: crate::Result<T>) -> Reply<T> {
    Box::pin(async move {
        Turn(false).await;
        value
    })
}

struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}
