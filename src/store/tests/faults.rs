//! Schedules of faults, each drawn from a seed.

use super::world::{Faults, Served, World};
use super::{Outcome, RECORD, load, options};
use crate::store::schema::Backend;
use crate::store::sha256;
use serde_json::json;
use std::rc::Rc;

const SCHEDULES: u64 = 1000;
/// More polls than any load takes.
const ENOUGH: usize = 1_000_000;

/// The forms in which a model is served.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Single,
    Split,
    /// With digests: records of one file, or a file each.
    Packed,
}

fn url(form: Form) -> &'static str {
    match form {
        Form::Single => "https://a/m.gguf",
        Form::Split => "https://a/m-00001-of-00003.gguf",
        Form::Packed => "https://a/pagelm.json",
    }
}

/// Puts a model on the server; its bytes, part by part.
fn publish(world: &World, form: Form) -> Vec<Vec<u8>> {
    let served = |bytes: Vec<u8>| Served {
        bytes,
        etag: (!world.chance(0.2)).then(|| format!("\"{}\"", world.below(1 << 30))),
        told: !world.chance(0.2),
        ranges: !world.chance(0.2),
    };
    let length = |world: &World| match world.below(4) {
        0 => RECORD as usize * (1 + world.below(4)),
        _ => 1 + world.below(600),
    };
    match form {
        Form::Single => {
            let bytes = world.bytes(length(world));
            world.serve(url(form), served(bytes.clone()));
            vec![bytes]
        }
        Form::Split => (1..=3)
            .map(|part| {
                let bytes = world.bytes(length(world));
                world.serve(&format!("https://a/m-{part:05}-of-00003.gguf"), served(bytes.clone()));
                bytes
            })
            .collect(),
        Form::Packed => {
            let bytes = world.bytes(length(world));
            let own_files = world.chance(0.5);
            let piece = if own_files { RECORD as usize } else { bytes.len() };
            let files: Vec<_> = (0..)
                .zip(bytes.chunks(piece))
                .map(|(i, file)| {
                    world.serve(&format!("https://a/m.{i}"), served(file.to_vec()));
                    let records: Vec<_> = file.chunks(RECORD as usize).map(sha256::of).collect();
                    json!({ "path": format!("m.{i}"), "bytes": file.len(), "records": records })
                })
                .collect();
            let parts = json!([{ "sha256": sha256::of(&bytes), "files": files }]);
            let pack = json!({
                "pagelm": 1, "bytes": bytes.len(), "record_bytes": RECORD, "parts": parts,
            });
            let bytes_of_pack = serde_json::to_vec(&pack).unwrap();
            world.serve(url(form), Served { ranges: true, told: true, ..served(bytes_of_pack) });
            vec![bytes]
        }
    }
}

/// Every complete model on the disk is, file by file, what the server has had.
fn check_stored(world: &World, form: Form, seed: u64) {
    let Some(files) = world.stored(url(form)) else { return };
    let versions = world.versions.borrow();
    for file in files {
        assert!(versions.contains(&file), "seed {seed}: {} is a mixture", file.0);
    }
}

/// All that lies on the disk is the complete model's.
fn check_nothing_left(world: &World, form: Form, seed: u64) {
    let disk = world.disk.borrow();
    assert!(disk.downloads.is_empty(), "seed {seed}: a download is left");
    let model = &disk.models[url(form)];
    let (id, in_file) = (model.id as u64, model.backend == Backend::Opfs);
    for (url, record_id, index) in disk.records.keys() {
        let named = !in_file && *url == model.url && *record_id == id;
        assert!(
            named && (*index as usize) < model.records.len(),
            "seed {seed}: record {record_id}/{index} is left"
        );
    }
    let left: Vec<_> = disk.files.keys().filter(|file| !(in_file && **file == id)).collect();
    assert!(left.is_empty(), "seed {seed}: files {left:?} are left");
    if in_file {
        assert_eq!(disk.files[&id].len() as u64, model.bytes, "seed {seed}: bytes are left behind");
    }
}

#[test]
fn whatever_happens_no_model_is_wrong_and_none_is_lost_for_good() {
    let (mut loaded, mut killed, mut failed, mut repaired, mut in_files) = (0, 0, 0, 0, 0);
    let (mut interrupted, mut whole) = (0, 0);
    for seed in 0..SCHEDULES {
        let world = World::new(seed);
        let form = [Form::Single, Form::Split, Form::Packed][world.below(3)];
        let first = publish(&world, form);
        let digests = world.chance(0.2).then(|| first.iter().map(|part| sha256::of(part)));
        let mut options = options();
        options.sha256 = digests.into_iter().flatten().collect();
        let may = |often: f64| if world.chance(0.5) { 0.0 } else { often };
        // A file's digest of other than packed models does not tell one bit from the next.
        let packed = form == Form::Packed;
        let faults = Faults {
            refused: may(0.1),
            busy: may(0.1),
            cut: may(0.5),
            short: may(0.2),
            wrong_range: may(0.1),
            shorter: may(0.2),
            whole: may(0.2),
            flipped: if packed { may(0.2) } else { 0.0 },
            changed: if packed || !options.sha256.is_empty() { 0.0 } else { may(0.05) },
            ..Faults::default()
        };
        for _ in 0..1 + world.below(6) {
            // What is written whole is checked before the disk may rot.
            world.faults.set(Faults {
                full: may(0.03),
                unwritten: may(0.03),
                closed: may(0.05),
                torn: may(0.05),
                locked: may(0.1),
                ..faults
            });
            world.backend.set(if world.chance(0.5) { Backend::Opfs } else { Backend::IndexedDb });
            let steps = if world.chance(0.5) { ENOUGH } else { world.below(150) };
            match load(&world, url(form), options.clone(), steps) {
                Outcome::Loaded(parts) => {
                    loaded += 1;
                    check_handed(&world, form, &parts, seed);
                }
                Outcome::Failed(_) => failed += 1,
                Outcome::Killed => {
                    killed += 1;
                    world.interrupted.set(true);
                }
            }
            if world.chance(0.3) && world.rot().is_some() {
                repaired += 1;
            }
            // And once with a disk that rots while it is read.
            world.faults.set(Faults { rotten: may(0.05), cleared: may(0.01), ..faults });
            if let Outcome::Loaded(parts) = load(&world, url(form), options.clone(), ENOUGH) {
                check_handed(&world, form, &parts, seed);
            }
            world.faults.set(Faults::default());
        }
        // The world is good again: what the server has now is loaded, or what it had when the
        // model was stored whole; and it stays.
        let outcome = load(&world, url(form), options.clone(), ENOUGH);
        let Outcome::Loaded(parts) = outcome else { panic!("seed {seed}: {outcome:?}") };
        check_handed(&world, form, &parts, seed);
        check_stored(&world, form, seed);
        assert!(world.stored(url(form)).is_some(), "seed {seed}: not stored");
        // Only what was interrupted may leave a file to be tidied up.
        if world.interrupted.get() {
            world.disk.borrow_mut().tidy();
            interrupted += 1;
        } else {
            whole += 1;
        }
        check_nothing_left(&world, form, seed);
        in_files += usize::from(world.disk.borrow().models[url(form)].backend == Backend::Opfs);
        let sent = world.sent.get();
        assert_eq!(load(&world, url(form), options, ENOUGH), Outcome::Loaded(parts), "seed {seed}");
        assert_eq!(world.sent.get(), sent, "seed {seed}: fetched again");
    }
    // The schedules must reach what they are for.
    for (what, count) in [
        ("loaded", loaded),
        ("killed", killed),
        ("failed", failed),
        ("rotten", repaired),
        ("in a file", in_files),
        ("interrupted", interrupted),
        ("never interrupted", whole),
    ] {
        assert!(count > 200, "{what} only {count} times");
    }
}

/// What a load hands out is, file by file, what the server has had.
fn check_handed(world: &Rc<World>, form: Form, parts: &[Vec<u8>], seed: u64) {
    let versions = world.versions.borrow();
    for (i, part) in (1..).zip(parts) {
        let known = match form {
            Form::Single => versions.contains(&(url(form).into(), part.clone())),
            Form::Split => {
                versions.contains(&(format!("https://a/m-{i:05}-of-00003.gguf"), part.clone()))
            }
            Form::Packed => {
                let files = |at: &str| versions.iter().any(|(url, _)| url == at);
                let whole: Vec<u8> = (0..)
                    .map(|i| format!("https://a/m.{i}"))
                    .take_while(|url| files(url))
                    .flat_map(|at| versions.iter().find(|(url, _)| *url == at).unwrap().1.clone())
                    .collect();
                whole == *part
            }
        };
        assert!(known, "seed {seed}: part {i} handed out is a mixture");
    }
}
