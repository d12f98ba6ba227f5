//! What is told of a load.

/// What the source is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Another tab stores the same model.
    Wait,
    /// Reads what an earlier load has stored of an unfinished download.
    Resume,
    /// Reads from the server.
    Download,
    /// Waits before it asks the server again.
    Retry {
        /// Which attempt comes next, from 1.
        attempt: u32,
        /// Milliseconds until then.
        wait_ms: u32,
        /// What went wrong, as a clause.
        reason: String,
    },
    /// Fetches a damaged record again.
    Repair,
    /// Reads a complete model from the store.
    Cache,
}

/// How far a load is.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// With what.
    pub phase: Phase,
    /// Bytes that are done.
    pub loaded: u64,
    /// Of how many, where it is known.
    pub total: Option<u64>,
}
