//! The simulated disk: a database, and files beside it.

use super::super::in_files::{Files, OpenFile};
use super::super::record::Record;
use super::super::schema::{Backend, Manifest};
use super::super::sha256;
use super::super::storage::Reply;
use super::world::{World, reply};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

#[derive(Default)]
pub(super) struct Disk {
    pub(super) models: BTreeMap<String, Manifest>,
    pub(super) downloads: BTreeMap<String, Manifest>,
    /// By url, id and index.
    pub(super) records: BTreeMap<(String, u64, u32), Vec<u8>>,
    /// By id.
    pub(super) files: BTreeMap<u64, Vec<u8>>,
    /// How often each of them is open.
    pub(super) open: BTreeMap<u64, u32>,
}

impl Disk {
    pub(super) fn has(&self, manifest: &Manifest) -> bool {
        let same = |found: Option<&Manifest>| found.is_some_and(|found| found.id == manifest.id);
        same(self.models.get(&manifest.url)) || same(self.downloads.get(&manifest.url))
    }

    /// What a manifest names: bytes, file by file, with the files' addresses.
    pub(super) fn contents(&self, manifest: &Manifest) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> =
            manifest.files.iter().map(|file| (file.source.url.clone(), Vec::new())).collect();
        for (index, info) in manifest.records.iter().enumerate() {
            let id = manifest.id as u64;
            let bytes = match manifest.backend {
                Backend::IndexedDb => {
                    self.records.get(&(manifest.url.clone(), id, index as u32)).map(|r| &r[..])
                }
                Backend::Opfs => {
                    self.files.get(&id).and_then(|file| file.get(range(manifest, index)))
                }
            };
            files[info.file as usize].1.extend_from_slice(bytes.unwrap_or_default());
        }
        files
    }

    /// Records that lie in files: id, index, and where.
    pub(super) fn named_records(&self) -> Vec<(u64, u32, Range<usize>)> {
        let manifests = self.models.values().chain(self.downloads.values());
        let in_files = manifests.filter(|manifest| manifest.backend == Backend::Opfs);
        let records = in_files.flat_map(|manifest| {
            let indices = 0..manifest.records.len();
            indices.map(|i| (manifest.id as u64, i as u32, range(manifest, i)))
        });
        records.filter(|(id, _, range)| !range.is_empty() && self.files.contains_key(id)).collect()
    }

    /// Deletes the files that no manifest names, as the page does (`pkg/files.js`).
    pub(super) fn tidy(&mut self) {
        let manifests = self.models.values().chain(self.downloads.values());
        let in_files = manifests.filter(|manifest| manifest.backend == Backend::Opfs);
        let named: Vec<_> = in_files.map(|manifest| manifest.id as u64).collect();
        self.files.retain(|id, _| named.contains(id));
    }

    /// Bytes of all records.
    pub(super) fn bytes(&self) -> usize {
        self.records.values().chain(self.files.values()).map(Vec::len).sum()
    }
}

fn range(manifest: &Manifest, index: usize) -> Range<usize> {
    let from = manifest.bytes_before(index) as usize;
    from..from + manifest.records[index].bytes as usize
}

pub(super) fn with_digest(bytes: Vec<u8>) -> (Record, String) {
    let found = sha256::of(&bytes);
    (Record::of(bytes), found)
}

impl Files for Rc<World> {
    fn open(&self, id: f64, make: bool) -> Reply<Option<Rc<dyn OpenFile>>> {
        let (world, id) = (self.clone(), id as u64);
        Box::pin(async move {
            reply(Ok(())).await?;
            if world.chance(world.faults.get().locked) {
                let what = "another has it open".into();
                return Err(Error::StorageUnavailable { what });
            }
            let mut disk = world.disk.borrow_mut();
            if make {
                disk.files.entry(id).or_default();
            }
            let there = disk.files.contains_key(&id);
            if !there {
                return Ok(None);
            }
            *disk.open.entry(id).or_default() += 1;
            Ok(Some(Rc::new(Opened(world.clone(), id)) as Rc<dyn OpenFile>))
        })
    }

    /// As a browser does, it leaves one that is open.
    fn remove(&self, id: f64) -> Reply<()> {
        let mut disk = self.disk.borrow_mut();
        if disk.open.get(&(id as u64)).is_none_or(|times| *times == 0) {
            disk.files.remove(&(id as u64));
        }
        reply(Ok(()))
    }
}

struct Opened(Rc<World>, u64);

impl Drop for Opened {
    fn drop(&mut self) {
        let Opened(world, id) = self;
        if let Some(times) = world.disk.borrow_mut().open.get_mut(id) {
            *times = times.saturating_sub(1);
        }
    }
}

impl OpenFile for Opened {
    fn read(&self, at: u64, bytes: u32, _: Option<Record>) -> Reply<Option<(Record, String)>> {
        let Opened(world, id) = self;
        world.rot_by_chance();
        let disk = world.disk.borrow();
        let range = at as usize..at as usize + bytes as usize;
        let found = disk.files.get(id).and_then(|file| file.get(range));
        reply(Ok(found.map(|bytes| with_digest(bytes.to_vec()))))
    }

    fn write(&self, at: u64, record: &Record) -> Result<()> {
        let Opened(world, id) = self;
        let failure = world.unwritten();
        let torn = failure.is_none() && world.chance(world.faults.get().torn);
        let mut bytes = record.bytes();
        if failure.is_some() || torn {
            bytes = &bytes[..world.below(bytes.len())];
        }
        world.ended.set(torn);
        // One that was deleted while it is open takes bytes that nobody will find.
        if let Some(file) = world.disk.borrow_mut().files.get_mut(id) {
            let end = at as usize + bytes.len();
            file.resize(file.len().max(end), 0);
            file[at as usize..end].copy_from_slice(bytes);
        }
        failure.map_or(Ok(()), Err)
    }
}
