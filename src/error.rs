//! The one error type. Every variant carries data, a stable `code` that
//! survives the way to JavaScript, and a sentence that says what to do.

use serde_json::{Value, json};

/// Result of everything fallible in pagelm.
pub type Result<T> = std::result::Result<T, Error>;

/// All that can go wrong, from the file's first bytes to the last token.
///
/// Match on the variant in Rust and on [`Error::code`] elsewhere; the sentence
/// (`Display`) is for people and may change.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    // --- the file -------------------------------------------------------
    /// The first four bytes are not `GGUF`.
    #[error(
        "This is not a GGUF model: the file begins with {magic:02x?} instead of \"GGUF\". Check the address, or pick a .gguf file."
    )]
    BadMagic {
        /// The four bytes found.
        magic: [u8; 4],
    },
    /// An HTML page came in place of a model.
    #[error(
        "The server sent a web page instead of a model. Check the address: it must lead to the .gguf file itself, not to a page about it."
    )]
    HtmlPage,
    /// A GGUF version other than 2 and 3.
    #[error(
        "GGUF version {version} is not supported. Convert the model again with a current tool (version 2 or 3)."
    )]
    BadVersion {
        /// The version found.
        version: u32,
    },
    /// The file ends before what its header promises.
    #[error(
        "The model file is cut short: {have} bytes are there, {need} are needed. Download it again."
    )]
    Truncated {
        /// Bytes needed, at least.
        need: u64,
        /// Bytes there.
        have: u64,
    },
    /// The header contradicts itself or the format.
    #[error(
        "The model's header is damaged or not valid GGUF: {what}. Download the file again, or take another conversion."
    )]
    BadHeader {
        /// What is wrong.
        what: String,
    },
    /// A metadata key that the model needs is absent or of the wrong type.
    #[error(
        "The model's metadata lacks a usable \"{key}\". Take another conversion of this model."
    )]
    BadMetadata {
        /// The key.
        key: String,
    },
    /// A part of a split model does not fit the others.
    #[error(
        "Part {part} of this split model does not fit: {what}. Put all parts of one model side by side under their own names, and load the first."
    )]
    SplitMismatch {
        /// The part, from 1.
        part: u32,
        /// What is wrong, as a clause.
        what: String,
    },
    /// A part of a split model is not there.
    #[error(
        "Part {part} of {count} of this split model is missing ({name}). Put all parts side by side under their own names."
    )]
    SplitPartMissing {
        /// The part, from 1.
        part: u32,
        /// How many there are.
        count: u32,
        /// Its path or address.
        name: String,
    },
    // --- the model --------------------------------------------------------
    /// A file without tensors.
    #[error(
        "This file holds a vocabulary and no weights, so it cannot run. Choose the file of the whole model."
    )]
    VocabularyOnly,
    /// A LoRA adapter or a control vector.
    #[error(
        "This file is an adapter ({kind}): it changes another model and cannot run alone. Choose a whole model, or one with the adapter merged into it."
    )]
    Adapter {
        /// `adapter.type`, or what it is.
        kind: String,
    },
    /// The part of a multimodal model that reads pictures or sound.
    #[error(
        "This file is the projector (mmproj) of a multimodal model: it reads pictures or sound and has no language model. Choose the model's main file."
    )]
    Projector,
    /// Another kind of file.
    #[error("This file holds no model but \"{kind}\". Choose the file of the model itself.")]
    NotAModel {
        /// `general.type`.
        kind: String,
    },
    /// An encoder that reads both directions (BERT and kin).
    #[error(
        "\"{architecture}\" is a masked (encoder) model: it reads text in both directions and cannot generate. Choose a causal model, such as SmolLM2, Llama or Qwen."
    )]
    MaskedModel {
        /// `general.architecture`.
        architecture: String,
    },
    /// An architecture without a forward pass here.
    #[error("The architecture \"{architecture}\" is not supported yet. Supported: {supported}.")]
    UnsupportedArchitecture {
        /// `general.architecture`.
        architecture: String,
        /// Names that are supported, comma-separated.
        supported: String,
    },
    /// A supported architecture in a form without a forward pass here.
    #[error(
        "This \"{architecture}\" model {what}, which is not supported yet. Choose another model."
    )]
    UnsupportedVariant {
        /// `general.architecture`.
        architecture: String,
        /// What it has, as a predicate.
        what: String,
    },
    /// A tensor's block format has no kernel and no conversion here.
    #[error(
        "The tensor \"{tensor}\" is stored as {dtype}, which is not supported yet. Choose another quantisation of this model: {supported}."
    )]
    UnsupportedType {
        /// The tensor's name.
        tensor: String,
        /// The GGML type's name, or its number where it is unknown.
        dtype: String,
        /// Names that are supported, comma-separated.
        supported: String,
    },
    /// A tensor that the architecture needs is absent.
    #[error(
        "The model has no tensor \"{tensor}\". The file is incomplete or of another architecture: take another conversion."
    )]
    MissingTensor {
        /// The tensor's name.
        tensor: String,
    },
    /// A tensor has another shape than the metadata says.
    #[error(
        "The tensor \"{tensor}\" has shape {found:?}, but the metadata asks for {expected:?}. The file is damaged: take another conversion."
    )]
    WrongShape {
        /// The tensor's name.
        tensor: String,
        /// Shape found, GGUF order (fastest dimension first).
        found: Vec<u64>,
        /// Shape expected.
        expected: Vec<u64>,
    },
    /// The tokenizer kind or its pre-tokenizer is unknown.
    #[error(
        "The model's tokenizer (\"{kind}\") is not supported. Load the model with its tokenizer.json, by the option `tokenizer`, or choose another model."
    )]
    UnsupportedTokenizer {
        /// `tokenizer.ggml.model` or `.pre`.
        kind: String,
    },
    /// A given `tokenizer.json` is none, contradicts itself, or is of another model.
    #[error(
        "The tokenizer.json is not usable: {what}. Give the tokenizer.json of this very model, or leave `tokenizer` away to take what the model has."
    )]
    BadTokenizer {
        /// What is wrong, as a clause.
        what: String,
    },
    /// The chat template does not parse or does not render.
    #[error(
        "The model's chat template failed at line {line}: {what}. Use a raw completion, or give another template."
    )]
    Template {
        /// Line within the template, 1-based; 0 where unknown.
        line: usize,
        /// The template engine's words.
        what: String,
    },
    // --- the request ------------------------------------------------------
    /// The request contradicts itself or the API.
    #[error("The request is not valid: {what}.")]
    BadRequest {
        /// What is wrong, as a clause.
        what: String,
    },
    /// The prompt leaves no room in the context.
    #[error(
        "The prompt has {tokens} tokens, but the context holds {context}. Shorten the prompt, or load the model with a larger `context`."
    )]
    ContextOverflow {
        /// Tokens in the prompt.
        tokens: usize,
        /// The context's length.
        context: usize,
    },
    /// The caller aborted.
    #[error("The request was aborted.")]
    Aborted,
    // --- the network ------------------------------------------------------
    /// The server answered with an error status.
    #[error("The server answered {status} for {url}. {}", status_advice(*status))]
    HttpStatus {
        /// HTTP status code.
        status: u16,
        /// The address asked for.
        url: String,
    },
    /// No connection, or it broke.
    #[error(
        "The connection to {url} failed after {received} bytes ({what}). Check the network and load again."
    )]
    Network {
        /// The address asked for.
        url: String,
        /// Bytes that had arrived.
        received: u64,
        /// The browser's words.
        what: String,
    },
    /// A file has another digest than it must have.
    #[error(
        "The file at {url} is not the one that was expected: its SHA-256 is {found}, not {expected}. Check the address and the digest, or load again if it was damaged on the way."
    )]
    DigestMismatch {
        /// The address asked for.
        url: String,
        /// The digest that was given.
        expected: String,
        /// The digest found.
        found: String,
    },
    /// A `pagelm.json` that contradicts itself or its format.
    #[error(
        "The model's pagelm.json is not valid: {what}. Make it again with `pagelm pack`, or load the .gguf file."
    )]
    BadManifest {
        /// What is wrong.
        what: String,
    },
    // --- the browser ------------------------------------------------------
    /// The store cannot be used (private mode, blocked by policy), or not the model's file in
    /// it (open elsewhere).
    #[error(
        "This browser refuses to store the model here ({what}). Leave private mode or allow site data, or load with `cache: false` to run from memory only."
    )]
    StorageUnavailable {
        /// The browser's words.
        what: String,
    },
    /// The disk or the site's quota is full.
    #[error(
        "There is no room to store the model: {needed} bytes are needed, {available} are available. Remove other models or free disk space, or load with `cache: false` to run from memory only."
    )]
    StorageFull {
        /// Bytes needed.
        needed: u64,
        /// Bytes available, as the browser estimates.
        available: u64,
    },
    /// A stored record is missing or does not match its digest, and cannot be fetched again.
    #[error(
        "The stored copy of the model is damaged (record {record}), and the server cannot be reached to mend it. Connect to the network and load again."
    )]
    StorageCorrupt {
        /// Index of the first bad record.
        record: u32,
    },
    /// A saved session belongs to another model.
    #[error(
        "This session was saved with another model. Load that model, or delete the session and begin anew."
    )]
    SessionMismatch,
    /// What the model needs is more than there is, known before its weights are read.
    #[error(
        "The model needs {needed} bytes of memory, and here {available} can be had. Choose a smaller model, a smaller quantisation of it, or a smaller `context`."
    )]
    TooLarge {
        /// Bytes of weights, KV cache and scratch.
        needed: u64,
        /// Bytes that can be had.
        available: u64,
    },
    /// Memory could not be had.
    #[error(
        "This device has not enough memory for the model: {needed} bytes are needed. Close other tabs, choose a smaller model or a smaller `context`."
    )]
    OutOfMemory {
        /// Bytes asked for.
        needed: u64,
    },
    /// A thread of the team stopped working.
    #[error(
        "A worker thread stopped unexpectedly. Load the model again; if it happens again, load with `threads: 1`."
    )]
    ThreadLost,
    /// A defect of pagelm's own.
    #[error("pagelm failed inside: {what}. Please report this with the model's name.")]
    Internal {
        /// What happened.
        what: String,
    },
}

impl Error {
    /// The stable name of this kind of error, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::BadMagic { .. } => "gguf_bad_magic",
            Error::HtmlPage => "html_instead_of_model",
            Error::BadVersion { .. } => "gguf_bad_version",
            Error::Truncated { .. } => "gguf_truncated",
            Error::BadHeader { .. } => "gguf_bad_header",
            Error::BadMetadata { .. } => "gguf_bad_metadata",
            Error::SplitMismatch { .. } => "split_mismatch",
            Error::SplitPartMissing { .. } => "split_part_missing",
            Error::VocabularyOnly => "vocabulary_only",
            Error::Adapter { .. } => "adapter",
            Error::Projector => "projector",
            Error::NotAModel { .. } => "not_a_model",
            Error::MaskedModel { .. } => "masked_model",
            Error::UnsupportedArchitecture { .. } | Error::UnsupportedVariant { .. } => {
                "unsupported_architecture"
            }
            Error::UnsupportedType { .. } => "unsupported_type",
            Error::MissingTensor { .. } => "missing_tensor",
            Error::WrongShape { .. } => "wrong_shape",
            Error::UnsupportedTokenizer { .. } => "unsupported_tokenizer",
            Error::BadTokenizer { .. } => "bad_tokenizer",
            Error::Template { .. } => "template_failed",
            Error::BadRequest { .. } => "bad_request",
            Error::ContextOverflow { .. } => "context_overflow",
            Error::Aborted => "aborted",
            Error::HttpStatus { .. } => "http_status",
            Error::Network { .. } => "network",
            Error::DigestMismatch { .. } => "digest_mismatch",
            Error::BadManifest { .. } => "bad_manifest",
            Error::StorageUnavailable { .. } => "storage_unavailable",
            Error::StorageFull { .. } => "storage_full",
            Error::StorageCorrupt { .. } => "storage_corrupt",
            Error::SessionMismatch => "session_mismatch",
            Error::TooLarge { .. } => "too_large",
            Error::OutOfMemory { .. } => "out_of_memory",
            Error::ThreadLost => "thread_lost",
            Error::Internal { .. } => "internal",
        }
    }

    /// Whether it is the model's file that is at fault, so that another load of the same
    /// bytes would fail as well.
    pub fn is_of_the_file(&self) -> bool {
        matches!(
            self,
            Error::BadMagic { .. }
                | Error::HtmlPage
                | Error::BadVersion { .. }
                | Error::Truncated { .. }
                | Error::BadHeader { .. }
                | Error::BadMetadata { .. }
                | Error::SplitMismatch { .. }
                | Error::VocabularyOnly
                | Error::Adapter { .. }
                | Error::Projector
                | Error::NotAModel { .. }
                | Error::MaskedModel { .. }
                | Error::UnsupportedArchitecture { .. }
                | Error::UnsupportedVariant { .. }
                | Error::UnsupportedType { .. }
                | Error::MissingTensor { .. }
                | Error::WrongShape { .. }
                | Error::UnsupportedTokenizer { .. }
                | Error::DigestMismatch { .. }
                | Error::BadManifest { .. }
        )
    }

    /// The variant's fields as JSON, for programs on the other side of the port.
    pub fn data(&self) -> Value {
        match self {
            Error::BadMagic { magic } => json!({ "magic": magic }),
            Error::BadVersion { version } => json!({ "version": version }),
            Error::Truncated { need, have } => json!({ "need": need, "have": have }),
            Error::BadHeader { what } | Error::BadRequest { what } | Error::Internal { what } => {
                json!({ "what": what })
            }
            Error::StorageUnavailable { what }
            | Error::BadManifest { what }
            | Error::BadTokenizer { what } => {
                json!({ "what": what })
            }
            Error::DigestMismatch { url, expected, found } => {
                json!({ "url": url, "expected": expected, "found": found })
            }
            Error::BadMetadata { key } => json!({ "key": key }),
            Error::SplitMismatch { part, what } => json!({ "part": part, "what": what }),
            Error::SplitPartMissing { part, count, name } => {
                json!({ "part": part, "count": count, "name": name })
            }
            Error::Adapter { kind } | Error::NotAModel { kind } => json!({ "kind": kind }),
            Error::MaskedModel { architecture } => json!({ "architecture": architecture }),
            Error::UnsupportedArchitecture { architecture, supported } => {
                json!({ "architecture": architecture, "supported": supported })
            }
            Error::UnsupportedVariant { architecture, what } => {
                json!({ "architecture": architecture, "what": what })
            }
            Error::UnsupportedType { tensor, dtype, supported } => {
                json!({ "tensor": tensor, "dtype": dtype, "supported": supported })
            }
            Error::MissingTensor { tensor } => json!({ "tensor": tensor }),
            Error::WrongShape { tensor, found, expected } => {
                json!({ "tensor": tensor, "found": found, "expected": expected })
            }
            Error::UnsupportedTokenizer { kind } => json!({ "kind": kind }),
            Error::Template { line, what } => json!({ "line": line, "what": what }),
            Error::ContextOverflow { tokens, context } => {
                json!({ "tokens": tokens, "context": context })
            }
            Error::HttpStatus { status, url } => json!({ "status": status, "url": url }),
            Error::Network { url, received, what } => {
                json!({ "url": url, "received": received, "what": what })
            }
            Error::StorageFull { needed, available } | Error::TooLarge { needed, available } => {
                json!({ "needed": needed, "available": available })
            }
            Error::StorageCorrupt { record } => json!({ "record": record }),
            Error::OutOfMemory { needed } => json!({ "needed": needed }),
            Error::HtmlPage
            | Error::SessionMismatch
            | Error::VocabularyOnly
            | Error::Projector
            | Error::Aborted
            | Error::ThreadLost => json!({}),
        }
    }
}

fn status_advice(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "The file is not public: choose a model that can be fetched without signing in."
        }
        404 | 410 => "The file is not there: check the address.",
        429 => "Too many requests: wait a little and load again.",
        500.. => "The server has a problem: try again later.",
        _ => "Check the address.",
    }
}
