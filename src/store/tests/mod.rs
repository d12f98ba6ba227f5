//! The store's decisions against a simulated world: every fault that a network, a server, a
//! disk or a user can bring, drawn from a seed. Whatever happens, no model is marked complete
//! whose bytes differ from the server's, and as soon as the world is good again a load
//! succeeds, and nothing is left on the disk but the model.

mod disk;
mod faults;
mod plain;
mod world;

use super::in_files::InFiles;
use super::record::Record;
use super::source::{Options, Piece, Source};
use super::storage::Storage;
use crate::{Error, Result};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use world::World;

const RECORD: u32 = 64;

/// How a load ended.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// With these bytes, handed over part by part.
    Loaded(Vec<Vec<u8>>),
    Failed(Error),
    /// The tab was closed.
    Killed,
}

/// Runs a future of the simulation, in which nothing has to be waited for; after `steps`
/// polls the tab is closed. Every answer of the world takes one poll.
fn run<T>(future: impl Future<Output = T>, steps: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..steps {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
    }
    None
}

fn options() -> Options {
    Options { retries: 4, record_bytes: RECORD, sha256: Vec::new(), file: None }
}

/// One load, as the worker makes it.
fn load(world: &Rc<World>, url: &str, options: Options, steps: usize) -> Outcome {
    world.ended.set(false);
    let mut load = pin!(load_async(world.clone(), url, options));
    let while_open = poll_fn(|context| match load.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending if world.ended.get() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    match run(while_open, steps).flatten() {
        None => Outcome::Killed,
        Some(Ok(parts)) => Outcome::Loaded(parts),
        Some(Err(error)) => Outcome::Failed(error),
    }
}

/// The store, as the browser has it.
fn storage(world: &Rc<World>) -> Rc<dyn Storage> {
    Rc::new(InFiles::new(world.clone(), Rc::new(world.clone()), world.backend.get()))
}

async fn load_async(world: Rc<World>, url: &str, options: Options) -> Result<Vec<Vec<u8>>> {
    let storage = world.stores.get().then(|| storage(&world));
    let reports = world.clone();
    let report = Box::new(move |report| reports.reports.borrow_mut().push(report));
    let host = Rc::new(world.clone());
    let mut source = Source::open(host, storage, url, options, report).await?;
    let mut parts = Vec::new();
    loop {
        match source.next().await {
            Ok(None) => break,
            Ok(Some(Piece::Restart)) => parts.clear(),
            Ok(Some(Piece::Record { part })) => {
                let bytes = source.record().map(Record::bytes).unwrap_or_default().to_vec();
                source.taken(&bytes);
                parts.resize(parts.len().max(part as usize + 1), Vec::new());
                parts[part as usize].extend_from_slice(&bytes);
            }
            Err(error) => {
                source.discard(&error).await;
                return Err(error);
            }
        }
    }
    source.keep().await?;
    Ok(parts)
}
