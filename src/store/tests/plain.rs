//! One fault at a time, and what it costs.

use super::super::source::Phase;
use super::world::{Faults, Served, World};
use super::{Outcome, RECORD, load, options, run, storage};
use crate::Error;
use crate::store::read_only::ReadOnly;
use crate::store::schema::Backend;
use crate::store::sha256;
use crate::store::source::{Kept, Options, Source};
use crate::store::storage::Storage;
use std::rc::Rc;

const URL: &str = "https://a/m.gguf";
const ENOUGH: usize = 1_000_000;

fn served(bytes: &[u8]) -> Served {
    Served { bytes: bytes.to_vec(), etag: Some("\"1\"".into()), told: true, ranges: true }
}

/// A world for each place where records can be kept.
fn both(seed: u64) -> impl Iterator<Item = Rc<World>> {
    [Backend::IndexedDb, Backend::Opfs].into_iter().map(move |backend| {
        let world = World::new(seed);
        world.backend.set(backend);
        world
    })
}

#[test]
fn a_closed_tab_costs_the_record_at_hand_at_most() {
    for world in (0..100).flat_map(both) {
        let bytes = world.bytes(1000);
        world.serve(URL, served(&bytes));
        let mut kills = 0;
        while load(&world, URL, options(), 10 + world.below(20)) == Outcome::Killed {
            kills += 1;
            assert!(kills < 1000, "no progress");
        }
        // The record at hand, and the one that was being written.
        let limit = 1000 + kills * 2 * u64::from(RECORD);
        assert!(world.sent.get() <= limit, "{} bytes for {kills} kills", world.sent.get());
        assert_eq!(world.stored(URL), Some(vec![(URL.into(), bytes)]));
        assert_eq!(world.disk.borrow().bytes(), 1000);
    }
}

#[test]
fn a_cut_connection_costs_nothing() {
    let world = World::new(1);
    let bytes = world.bytes(5000);
    world.serve(URL, served(&bytes));
    world.faults.set(Faults { cut: 0.9, ..Faults::default() });
    // What is left of a record may be a byte, of which nothing comes.
    let options = Options { retries: 100, ..options() };
    assert_eq!(load(&world, URL, options, ENOUGH), Outcome::Loaded(vec![bytes]));
    let asks = world.asks.borrow();
    assert!(asks.len() > 2, "never cut");
    // One stream, until it breaks; then no more than a record is on its way.
    let record = |byte| byte / u64::from(RECORD);
    assert_eq!(asks[0].to, None);
    assert!(asks[1..].iter().all(|ask| ask.to.map(record) == Some(record(ask.from))));
    assert_eq!(world.sent.get(), 5000);
    let reports = world.reports.borrow();
    assert!(reports.iter().any(|report| matches!(report.phase, Phase::Retry { attempt: 1, .. })));
    assert!(reports.iter().all(|report| report.total.is_none_or(|total| total == 5000)));
}

#[test]
fn less_than_was_asked_for_is_not_the_end() {
    let mut asks = 0;
    for (seed, told) in (0..20).flat_map(|seed| [(seed, true), (seed, false)]) {
        let world = World::new(seed);
        let bytes = world.bytes(1000);
        world.serve(URL, Served { told, ..served(&bytes) });
        // The tab is closed early: what follows comes in ranges.
        assert_eq!(load(&world, URL, options(), 60), Outcome::Killed);
        world.faults.set(Faults { shorter: 0.9, short: 0.1, ..Faults::default() });
        let options = Options { retries: 100, ..options() };
        assert_eq!(load(&world, URL, options, ENOUGH), Outcome::Loaded(vec![bytes.clone()]));
        assert_eq!(world.stored(URL), Some(vec![(URL.into(), bytes)]), "seed {seed}");
        asks += world.asks.borrow().len();
    }
    assert!(asks > 3 * 40, "only {asks} requests: hardly ever less");
}

#[test]
fn without_ranges_the_start_is_skipped() {
    let mut sent = 0;
    for seed in 0..10 {
        let world = World::new(seed);
        let bytes = world.bytes(600);
        world.serve(URL, Served { ranges: false, ..served(&bytes) });
        world.faults.set(Faults { cut: 0.5, ..Faults::default() });
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes]));
        sent += world.sent.get();
    }
    assert!(sent > 6000, "never cut");
}

#[test]
fn a_server_that_never_answers_well_ends_the_load() {
    let world = World::new(4);
    world.serve(URL, served(&[0; 100]));
    world.faults.set(Faults { busy: 1.0, ..Faults::default() });
    let outcome = load(&world, URL, options(), ENOUGH);
    assert!(matches!(outcome, Outcome::Failed(Error::HttpStatus { status: 429 | 503, .. })));
    assert_eq!(world.asks.borrow().len(), 1 + options().retries as usize);
    world.faults.set(Faults { refused: 1.0, ..Faults::default() });
    let outcome = load(&world, URL, options(), ENOUGH);
    assert!(matches!(outcome, Outcome::Failed(Error::Network { .. })), "{outcome:?}");
    let outcome = load(&world, "https://a/none.gguf", options(), ENOUGH);
    assert!(matches!(outcome, Outcome::Failed(_)));
}

#[test]
fn only_the_bad_record_is_fetched_again() {
    for world in (0..50).flat_map(both) {
        let bytes = world.bytes(1000);
        world.serve(URL, served(&bytes));
        load(&world, URL, options(), ENOUGH);
        let sent = world.sent.get();
        let bad = world.rot().unwrap();
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes.clone()]));
        let len = u64::from(RECORD).min(1000 - u64::from(bad * RECORD));
        assert_eq!(world.sent.get() - sent, len);
        // It is mended for good.
        load(&world, URL, options(), ENOUGH);
        assert_eq!(world.sent.get() - sent, len);
    }
}

#[test]
fn what_cannot_be_mended_is_told() {
    for world in both(5) {
        let bytes = world.bytes(1000);
        world.serve(URL, served(&bytes));
        load(&world, URL, options(), ENOUGH);
        let bad = world.rot().unwrap();
        world.faults.set(Faults { refused: 1.0, ..Faults::default() });
        let outcome = load(&world, URL, options(), ENOUGH);
        assert_eq!(outcome, Outcome::Failed(Error::StorageCorrupt { record: bad }));
        world.faults.set(Faults::default());
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes]));
    }
}

#[test]
fn a_damaged_model_that_the_server_has_no_more_is_fetched_anew() {
    for world in both(6) {
        world.serve(URL, served(&[1; 300]));
        load(&world, URL, options(), ENOUGH);
        world.rot();
        let other = world.bytes(500);
        world.serve(URL, Served { etag: Some("\"2\"".into()), ..served(&other) });
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![other]));
    }
}

#[test]
fn what_is_to_replace_a_model_goes_on_where_it_ended() {
    let mut all_kills = 0;
    for (world, known) in (0..50).flat_map(both).zip([true, false].into_iter().cycle()) {
        let asking = |bytes: &[u8]| {
            let mut options = options();
            options.sha256 = vec![sha256::of(bytes)];
            options
        };
        let (bytes, other) = (world.bytes(1000), world.bytes(1000));
        world.serve(URL, served(&bytes));
        // One whose digest is not known is read to its end before it is found to be another.
        let first = if known { asking(&bytes) } else { options() };
        assert_eq!(load(&world, URL, first, ENOUGH), Outcome::Loaded(vec![bytes.clone()]));
        world.serve(URL, Served { etag: Some("\"2\"".into()), ..served(&other) });
        // Also where the one lies in a file and the other does not.
        let backend = if world.chance(0.5) { Backend::Opfs } else { Backend::IndexedDb };
        world.backend.set(backend);
        let steps = if known { 15 } else { 60 };
        let (sent, mut kills) = (world.sent.get(), 0);
        while load(&world, URL, asking(&other), steps + world.below(20)) == Outcome::Killed {
            // The other one, if the tab was closed when all was done.
            let stored = world.stored(URL).expect("a model").remove(0).1;
            assert!(stored == bytes || stored == other, "a mixture");
            kills += 1;
            assert!(kills < 1000, "no progress");
        }
        all_kills += kills;
        let (sent, limit) = (world.sent.get() - sent, 1000 + kills * 2 * u64::from(RECORD));
        assert!(sent <= limit, "{sent} bytes for {kills} kills");
        assert_eq!(world.stored(URL), Some(vec![(URL.into(), other)]));
        assert_eq!(world.disk.borrow().models[URL].backend, backend);
        // A file that a tab was closed before it could delete.
        world.disk.borrow_mut().tidy();
        assert_eq!(world.disk.borrow().bytes(), 1000, "the old one's bytes are left");
    }
    assert!(all_kills > 200, "only {all_kills} kills");
}

#[test]
fn a_digest_of_the_whole_is_checked_once() {
    for world in both(7) {
        let bytes = world.bytes(400);
        world.serve(URL, served(&bytes));
        let asking = |bytes: &[u8]| {
            let mut options = options();
            options.sha256 = vec![sha256::of(bytes).to_uppercase()];
            options
        };
        let outcome = load(&world, URL, asking(b"another"), ENOUGH);
        let Outcome::Failed(Error::DigestMismatch { found, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(found, sha256::of(&bytes));
        assert_eq!(world.disk.borrow().bytes(), 0);
        assert_eq!(load(&world, URL, asking(&bytes), ENOUGH), Outcome::Loaded(vec![bytes.clone()]));

        // Stored without one, then asked for with one: the copy serves, if it is the right one.
        let other = world.bytes(500);
        world.serve(URL, Served { etag: Some("\"2\"".into()), ..served(&other) });
        let sent = world.sent.get();
        assert_eq!(load(&world, URL, asking(&bytes), ENOUGH), Outcome::Loaded(vec![bytes.clone()]));
        assert_eq!(world.sent.get(), sent);
        // A wrong one does not cost the copy.
        assert!(matches!(load(&world, URL, asking(b"another"), ENOUGH), Outcome::Failed(_)));
        assert_eq!(world.stored(URL), Some(vec![(URL.into(), bytes)]));
        assert_eq!(load(&world, URL, asking(&other), ENOUGH), Outcome::Loaded(vec![other.clone()]));
        assert_eq!(world.stored(URL), Some(vec![(URL.into(), other)]));
    }
}

#[test]
fn a_page_in_place_of_a_damaged_model_does_not_delete_it() {
    for world in both(11) {
        let bytes = world.bytes(7 * RECORD as usize);
        world.serve(URL, served(&bytes));
        load(&world, URL, options(), ENOUGH);
        world.rot();
        world.serve(URL, Served { etag: Some("\"2\"".into()), ..served(b"<html>") });
        world.faults.set(Faults { cut: 1.0, ..Faults::default() });
        assert!(matches!(load(&world, URL, options(), ENOUGH), Outcome::Failed(_)));
        world.faults.set(Faults::default());
        world.serve(URL, served(&bytes));
        let sent = world.sent.get();
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes]));
        assert_eq!(world.sent.get() - sent, u64::from(RECORD), "more than the damaged record");
    }
}

#[test]
fn there_must_be_room() {
    for world in both(8) {
        world.serve(URL, served(&[1; 300]));
        world.room.set(Some(299));
        let outcome = load(&world, URL, options(), ENOUGH);
        assert_eq!(outcome, Outcome::Failed(Error::StorageFull { needed: 300, available: 299 }));
        assert!(world.sent.get() <= u64::from(RECORD));
        world.stores.set(false);
        assert!(matches!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(_)));
        world.stores.set(true);
        world.room.set(Some(300));
        assert!(matches!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(_)));
    }
}

#[test]
fn a_store_that_fails_does_not_keep_the_model_away() {
    for world in both(9) {
        let bytes = world.bytes(1000);
        world.serve(URL, served(&bytes));
        world.faults.set(Faults { unwritten: 0.2, ..Faults::default() });
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes.clone()]));
        world.faults.set(Faults { full: 0.2, ..Faults::default() });
        let outcome = load(&world, URL, options(), ENOUGH);
        let Outcome::Failed(Error::StorageFull { needed, available }) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(needed > available && needed <= 1000);
        world.faults.set(Faults::default());
        let sent = world.sent.get();
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes]));
        assert!(world.sent.get() - sent <= needed, "what was stored is not used");
    }
}

#[test]
fn to_look_changes_nothing() {
    for world in both(12) {
        world.serve(URL, served(&[1; 300]));
        world.room.set(Some(0));
        let look = async {
            let storage = Rc::new(ReadOnly(storage(&world))) as Rc<dyn Storage>;
            let host = Rc::new(world.clone());
            let mut source =
                Source::open(host, Some(storage), URL, options(), Box::new(|_| {})).await.unwrap();
            while source.next().await.unwrap().is_some() {}
            assert_eq!(source.keep().await.unwrap(), Kept::default());
        };
        assert!(run(look, ENOUGH).is_some());
        assert_eq!(world.disk.borrow().bytes(), 0);
    }
}

#[test]
fn the_beginning_of_a_part_can_be_had_ahead() {
    for (stored, world) in
        [false, true].into_iter().flat_map(|stored| both(10).map(move |world| (stored, world)))
    {
        let parts: Vec<_> = (1..=3).map(|_| world.bytes(150)).collect();
        for (n, part) in (1..).zip(&parts) {
            world.serve(&format!("https://a/m-0000{n}-of-00003.gguf"), served(part));
        }
        let first = "https://a/m-00001-of-00003.gguf";
        if stored {
            load(&world, first, options(), ENOUGH);
        }
        world.faults.set(Faults { cut: 0.3, ..Faults::default() });
        let sent = world.sent.get();
        let beginnings = async {
            let storage = Some(storage(&world));
            let host = Rc::new(world.clone());
            let mut source =
                Source::open(host, storage, first, options(), Box::new(|_| {})).await.unwrap();
            assert!(source.next().await.unwrap().is_some());
            let second = source.beginning(1, 40).await.unwrap();
            let third = source.beginning(2, 1000).await.unwrap();
            // And the first goes on where it was.
            assert!(source.next().await.unwrap().is_some());
            (second, third)
        };
        let (second, third) = run(beginnings, ENOUGH).unwrap();
        assert_eq!(second, parts[1][..40]);
        // Of a stored one, its first record.
        assert_eq!(third, if stored { &parts[2][..RECORD as usize] } else { &parts[2][..] });
        assert_eq!(world.sent.get() == sent, stored);
    }
}

#[test]
fn what_is_stored_is_found_wherever_it_is() {
    for world in both(13) {
        let bytes = world.bytes(1000);
        world.serve(URL, served(&bytes));
        let asked = world.backend.get();
        load(&world, URL, options(), 30);
        world.backend.set(Backend::IndexedDb);
        load(&world, URL, options(), 40);
        world.backend.set(Backend::Opfs);
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes.clone()]));
        // The download goes on where it has begun, and the model stays there.
        assert_eq!(world.disk.borrow().models[URL].backend, asked);
        let sent = world.sent.get();
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes]));
        assert_eq!(world.sent.get(), sent);
        assert_eq!(world.disk.borrow().bytes(), 1000);
    }
}

#[test]
fn where_no_file_can_be_had_the_database_serves() {
    let world = World::new(14);
    let bytes = world.bytes(1000);
    world.serve(URL, served(&bytes));
    world.backend.set(Backend::Opfs);
    world.faults.set(Faults { locked: 1.0, ..Faults::default() });
    assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes.clone()]));
    assert_eq!(world.stored(URL), Some(vec![(URL.into(), bytes)]));
    assert_eq!(world.disk.borrow().models[URL].backend, Backend::IndexedDb);
    assert!(world.disk.borrow().files.is_empty());
}

#[test]
fn a_file_that_cannot_be_had_now_is_not_gone() {
    for seed in 0..20 {
        let world = World::new(seed);
        let bytes = world.bytes(1000);
        world.serve(URL, served(&bytes));
        world.backend.set(Backend::Opfs);
        // In vain while another has the file: nothing is fetched, and all of it stays.
        let in_vain = || {
            let (sent, asked) = (world.sent.get(), world.asks.borrow().len());
            let stored = || {
                let disk = world.disk.borrow();
                (disk.models.clone(), disk.downloads.clone(), disk.files.clone())
            };
            let before = stored();
            world.faults.set(Faults { locked: 1.0, ..Faults::default() });
            let outcome = load(&world, URL, options(), ENOUGH);
            assert!(matches!(outcome, Outcome::Failed(Error::StorageUnavailable { .. })));
            world.faults.set(Faults::default());
            assert_eq!((world.sent.get(), world.asks.borrow().len()), (sent, asked));
            assert!(stored() == before, "seed {seed}: what is stored has changed");
        };
        assert_eq!(load(&world, URL, options(), 60), Outcome::Killed);
        let begun = world.disk.borrow().downloads[URL].bytes;
        assert!(begun > 0, "seed {seed}: nothing is stored yet");
        let sent = world.sent.get();
        in_vain();
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes.clone()]));
        assert_eq!(world.sent.get() - sent, 1000 - begun);
        let sent = world.sent.get();
        in_vain();
        assert_eq!(load(&world, URL, options(), ENOUGH), Outcome::Loaded(vec![bytes]));
        assert_eq!(world.sent.get(), sent, "fetched again");
    }
}

#[test]
fn a_write_that_the_tab_does_not_survive_is_as_if_it_had_not_been() {
    for seed in 0..100 {
        let world = World::new(seed);
        let bytes = world.bytes(1000);
        world.serve(URL, served(&bytes));
        world.backend.set(Backend::Opfs);
        world.faults.set(Faults { torn: 0.3, ..Faults::default() });
        let mut ends = 0;
        while load(&world, URL, options(), ENOUGH) == Outcome::Killed {
            ends += 1;
            assert!(ends < 100, "no progress");
        }
        assert_eq!(world.stored(URL), Some(vec![(URL.into(), bytes)]));
        assert!(world.sent.get() <= 1000 + ends * 2 * u64::from(RECORD));
    }
}
