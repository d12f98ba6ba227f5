//! Loading a `tokenizer.json`, before its model.

use super::load_request::LoadRequest;
use crate::session::TokenizerFile;
use crate::store::{self, Piece, Report, Source};
use crate::tokenizer::{Form, MAX_TOKENIZER_BYTES};
use crate::{Error, Result};
use js_sys::JsString;
use web_sys::AbortSignal;

/// A `tokenizer.json` that has been read, and where from: it is kept when its model is.
pub(super) struct GivenTokenizer {
    pub(super) file: TokenizerFile,
    source: Source,
}

impl GivenTokenizer {
    /// The one that a request names, if it does; stored like its model, and beside it.
    /// `report` hears when the load waits, not how far it is: the bytes are few.
    pub(super) async fn open(
        request: &LoadRequest,
        signal: &AbortSignal,
        report: Box<dyn Fn(Report)>,
    ) -> Result<Option<GivenTokenizer>> {
        let Some((name, options)) = named(request) else { return Ok(None) };
        let waits = |phase: &_| matches!(phase, store::Phase::Wait | store::Phase::Retry { .. });
        let report = Box::new(move |told: Report| {
            if waits(&told.phase) {
                report(told);
            }
        });
        let backend = request.cache.then_some(request.backend);
        let stall_ms = request.stall_ms;
        let source = store::web::open(&name, backend, stall_ms, options, signal, report).await?;
        read(source).await.map(Some)
    }

    /// The same, and nothing is stored.
    pub(super) async fn look(
        request: &LoadRequest,
        signal: &AbortSignal,
    ) -> Result<Option<TokenizerFile>> {
        let Some((name, options)) = named(request) else { return Ok(None) };
        let (cache, stall_ms) = (request.cache, request.stall_ms);
        let source = store::web::look(&name, cache, stall_ms, options, signal).await?;
        Ok(Some(read(source).await?.file))
    }

    /// Makes it a stored one. If that fails, its bytes are stored nevertheless, and the next load
    /// finds them as those of an unfinished download: no reason to end this one, whose model is there.
    pub(super) async fn keep(self) {
        let _ = self.source.keep().await;
    }

    /// Ends it because of an error.
    pub(super) async fn discard(self, error: &Error) {
        self.source.discard(error).await;
    }
}

/// Its name in the store, and how to fetch it.
fn named(request: &LoadRequest) -> Option<(String, store::Options)> {
    let address = request.tokenizer.as_ref()?;
    let (sha256, file) = (Vec::new(), Some(address.clone()));
    let options = store::Options { sha256, file, ..request.source.clone() };
    Some((store::tokenizer_name(&request.url, address), options))
}

async fn read(mut source: Source) -> Result<GivenTokenizer> {
    match contents(&mut source).await.and_then(|bytes| TokenizerFile::parse(&bytes, normalise)) {
        Ok(file) => Ok(GivenTokenizer { file, source }),
        Err(error) => {
            source.discard(&error).await;
            Err(error)
        }
    }
}

/// All bytes, as long as they are no more than a `tokenizer.json` may have.
async fn contents(source: &mut Source) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(next) = source.next().await? {
        if next == Piece::Restart {
            bytes.clear();
            continue;
        }
        let Some(record) = source.record() else { continue };
        let start = bytes.len();
        let len = start + record.len() as usize;
        if len.max(source.total().unwrap_or(0) as usize) > MAX_TOKENIZER_BYTES {
            let what = format!("it has more than {MAX_TOKENIZER_BYTES} bytes");
            return Err(Error::BadTokenizer { what });
        }
        bytes.resize(len, 0);
        record.copy_to(0, &mut bytes[start..]);
    }
    Ok(bytes)
}

/// By the browser's tables, as the crate's would be 46 kB of the binary (in Brotli).
fn normalise(text: &str, form: Form) -> String {
    let form = match form {
        Form::Nfc => "NFC",
        Form::Nfd => "NFD",
        Form::Nfkc => "NFKC",
        Form::Nfkd => "NFKD",
    };
    JsString::from(text).normalize(form).into()
}
