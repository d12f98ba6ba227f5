//! A model at work: prompts in, tokens and text out, step by step, so that whoever
//! drives it can stop between any two steps.

mod context;
mod draft;
mod engine;
mod fingerprint;
mod generation;
mod loader;
mod memory;
mod pace;
mod profile;
mod ranking;
mod scoring;
mod snapshot;
mod stop;
mod tempo;
mod tokenizer_file;

pub use crate::kv_cache::KvType;
pub use crate::model::OpTimes;
pub use context::{ChatPrompt, ContextPolicy};
pub use engine::{Engine, Info, KvShape, Memory};
pub use generation::{
    Finish, FinishReason, GenerateParams, Generation, Step, Timings, TokenEvent, Usage,
};
pub use loader::{DEFAULT_CONTEXT, LoadOptions, Loader, preflight};
pub use memory::{Outlook, Preflight};
pub use profile::{PhaseProfile, ProfileReport};
pub use ranking::Ranking;
pub use scoring::{Scores, Scoring};
pub use snapshot::Snapshot;
pub use tokenizer_file::{TokenizerFile, tokenizer};
