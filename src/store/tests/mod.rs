//! The store's decisions against a simulated world: every fault that a network, a server, a
//! disk or a user can bring, drawn from a seed. Whatever happens, no model is marked complete
//! whose bytes differ from the server's, and as soon as the world is good again a load
//! succeeds.

mod faults;
mod plain;
mod world;

use super::record::Record;
use super::source::{Options, Piece, Source};
use crate::{Error, Result};
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
    Options { retries: 4, record_bytes: RECORD, sha256: Vec::new() }
}

/// One load, as the worker makes it.
fn load(world: &Rc<World>, url: &str, options: Options, steps: usize) -> Outcome {
    match run(load_async(world.clone(), url, options), steps) {
        None => Outcome::Killed,
        Some(Ok(parts)) => Outcome::Loaded(parts),
        Some(Err(error)) => Outcome::Failed(error),
    }
}

async fn load_async(world: Rc<World>, url: &str, options: Options) -> Result<Vec<Vec<u8>>> {
    let storage = world.stores.get().then(|| world.clone() as Rc<dyn super::storage::Storage>);
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
