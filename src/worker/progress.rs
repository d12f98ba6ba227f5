//! How far a request is, as the page is told.

use crate::store;
use serde::Serialize;

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// With what.
    pub phase: Phase,
    /// Bytes, in prefill tokens, that are done.
    pub loaded: u64,
    /// Of how many; unknown where the server does not tell.
    pub total: Option<u64>,
    /// In the phase `retry`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// When and why a server is asked again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retry {
    /// Which attempt comes next, from 1.
    pub attempt: u32,
    /// Milliseconds until then.
    pub wait_ms: u32,
    /// What went wrong, as a clause.
    pub reason: String,
}

impl Progress {
    /// Progress in a phase.
    pub fn new(phase: Phase, loaded: u64, total: Option<u64>) -> Progress {
        Progress { phase, loaded, total, retry: None }
    }
}

impl From<store::Report> for Progress {
    fn from(store::Report { phase, loaded, total }: store::Report) -> Progress {
        let mut retry = None;
        let phase = match phase {
            store::Phase::Wait => Phase::Wait,
            store::Phase::Resume => Phase::Resume,
            store::Phase::Download => Phase::Download,
            store::Phase::Repair => Phase::Repair,
            store::Phase::Cache => Phase::Cache,
            store::Phase::Retry { attempt, wait_ms, reason } => {
                retry = Some(Retry { attempt, wait_ms, reason });
                Phase::Retry
            }
        };
        Progress { phase, loaded, total, retry }
    }
}

/// What a request is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It is well-formed and waits for its turn.
    Queued,
    /// Another tab stores the same model.
    Wait,
    /// What an earlier load has stored is read and packed.
    Resume,
    /// The server did not answer well, and is asked again in a moment.
    Retry,
    /// A damaged record of the store is fetched again.
    Repair,
    /// The file comes from the server, and is stored and packed.
    Download,
    /// The file comes from the store, and is packed.
    Cache,
    /// All is packed and is being made ready.
    Pack,
    /// The prompt is processed.
    Prefill,
}
