//! What a download needs of the world around it: the network, a clock, chance. The browser
//! is one, the tests' simulation another.

use super::http::{Ask, Head};
use super::record::Record;
use crate::Error;
use std::future::Future;
use std::pin::Pin;

/// Something that comes later.
pub(super) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What an attempt at the network came to.
pub(super) type Attempt<T> = std::result::Result<T, Fault>;

/// Why a request, or the body of its answer, failed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// The connection could not be made, or it broke: the browser's words.
    Broken(String),
    /// Nothing came for this many milliseconds.
    Stalled(u32),
    /// The server said that it cannot answer now.
    Status { status: u16, after: Option<u32> },
    /// Another part came than was asked for.
    WrongRange,
    /// What came has not the digest that it must have.
    Damaged,
    /// The caller wants no more.
    Aborted,
}

impl Fault {
    /// A clause for people.
    pub(super) fn reason(&self) -> String {
        match self {
            Fault::Broken(what) => what.clone(),
            Fault::Stalled(ms) => format!("nothing came for {} seconds", f64::from(*ms) / 1e3),
            Fault::Status { status, .. } => format!("the server answered {status}"),
            Fault::WrongRange => "the server sent another part than was asked for".into(),
            Fault::Damaged => "what came was damaged on the way".into(),
            Fault::Aborted => "aborted".into(),
        }
    }

    /// How long the server wants to be left alone, in milliseconds.
    pub(super) fn after(&self) -> Option<u32> {
        match self {
            Fault::Status { after, .. } => *after,
            _ => None,
        }
    }

    /// The error of a load that gives up.
    pub(super) fn into_error(self, url: &str, received: u64) -> Error {
        let url = url.into();
        match self {
            Fault::Status { status, .. } => Error::HttpStatus { status, url },
            Fault::Aborted => Error::Aborted,
            other => Error::Network { url, received, what: other.reason() },
        }
    }
}

/// The body of an answer. Dropping it ends the transfer.
pub(super) trait Body {
    /// Adds the next bytes to `record`, `most` at most, and returns how many came; 0 at the
    /// end.
    fn read<'a>(&'a mut self, record: &'a mut Record, most: u32) -> Later<'a, Attempt<u32>>;
}

/// A head and its body.
pub(super) type Answer = (Head, Box<dyn Body>);

/// The world around a download.
pub(super) trait Host {
    /// Asks a server, and waits for the answer's head.
    fn get<'a>(&'a self, ask: &'a Ask) -> Later<'a, Attempt<Answer>>;
    /// An address relative to another, made absolute.
    fn resolve(&self, relative: &str, base: &str) -> Option<String>;
    /// Waits; fails only if the caller wants no more.
    fn pause(&self, ms: u32) -> Later<'_, Attempt<()>>;
    /// Bytes that may still be stored, where the browser tells.
    fn available(&self) -> Later<'_, Option<u64>>;
    /// Chance, in 0..1.
    fn random(&self) -> f64;
    /// Milliseconds since 1970.
    fn now(&self) -> f64;
    /// Whether the caller wants no more.
    fn aborted(&self) -> bool;
    /// Tells whoever looks for the reason that something is not as it should be.
    fn warn(&self, what: &str);
}
