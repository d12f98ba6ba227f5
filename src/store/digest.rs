//! SHA-256 of a record.
//!
//! The browser computes it in a thread of its own, at more than 1 GB/s, but only in secure
//! contexts (HTTPS, localhost). Elsewhere it is computed here.

use super::sha256::{Hasher, hexadecimal};
use crate::{Error, Result};
use js_sys::{ArrayBuffer, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Crypto, SubtleCrypto};

/// Bytes that are copied into wasm memory at a time.
const PIECE: usize = 64 << 10;

/// The digest of the first `len` bytes of `memory`, which may change only when the future is
/// ready. The browser begins to compute it now, whoever waits for it and when; where it is
/// computed here, that is done when it is waited for.
pub(super) fn sha256(
    memory: &ArrayBuffer,
    len: u32,
) -> impl Future<Output = Result<String>> + use<> {
    let bytes = Uint8Array::new_with_byte_offset_and_length(memory, 0, len);
    let begun = subtle_crypto().map(|subtle| {
        let digest = subtle.digest_with_str_and_buffer_source("SHA-256", &bytes);
        digest.map(JsFuture::from)
    });
    async move {
        let Some(begun) = begun else { return Ok(sha256_here(&bytes)) };
        let digest = async { begun?.await }.await;
        let failed = |e: JsValue| Error::Internal { what: super::js::words(&e) };
        Ok(hexadecimal(&Uint8Array::new(&digest.map_err(failed)?).to_vec()))
    }
}

fn subtle_crypto() -> Option<SubtleCrypto> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into()).ok()?;
    let crypto = crypto.dyn_into::<Crypto>().ok()?;
    // Absent outside secure contexts, whatever the binding says.
    Reflect::get(&crypto, &"subtle".into()).ok()?.dyn_into().ok()
}

fn sha256_here(bytes: &Uint8Array) -> String {
    let mut hasher = Hasher::default();
    let mut piece = vec![0; PIECE];
    for start in (0..bytes.length()).step_by(PIECE) {
        let bytes = bytes.subarray(start, bytes.length().min(start + PIECE as u32));
        let piece = &mut piece[..bytes.length() as usize];
        bytes.copy_to(piece);
        hasher.update(piece);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    async fn both_ways_give_the_same_digest() {
        let bytes: Vec<u8> = (0..PIECE * 2 + 7).map(|i| ((i * 31) >> 3) as u8).collect();
        let record = Uint8Array::from(&bytes[..]);
        let here = sha256_here(&record);
        assert_eq!(
            sha256(&record.buffer().unchecked_into(), bytes.len() as u32).await,
            Ok(here.clone())
        );
        assert_eq!(here, super::super::sha256::of(&bytes));
    }
}
