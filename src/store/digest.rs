//! SHA-256 of a record, in hexadecimal.
//!
//! The browser computes it in a thread of its own, at more than 1 GB/s, but only in secure
//! contexts (HTTPS, localhost). Elsewhere it is computed here.

use crate::{Error, Result};
use js_sys::{ArrayBuffer, Reflect, Uint8Array};
use sha2::{Digest, Sha256};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Crypto, SubtleCrypto};

/// Bytes that are copied into wasm memory at a time.
const PIECE: usize = 64 << 10;

/// The digest of `record`, whose bytes may change only when the future is ready.
pub(super) async fn sha256(record: &ArrayBuffer) -> Result<String> {
    match subtle_crypto() {
        Some(subtle) => {
            let digest = subtle.digest_with_str_and_buffer_source("SHA-256", record);
            let digest = async { JsFuture::from(digest?).await }.await;
            let failed = |e: JsValue| Error::Internal { what: super::js::words(&e) };
            Ok(hexadecimal(&Uint8Array::new(&digest.map_err(failed)?).to_vec()))
        }
        None => Ok(hexadecimal(&sha256_here(record))),
    }
}

fn subtle_crypto() -> Option<SubtleCrypto> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into()).ok()?;
    let crypto = crypto.dyn_into::<Crypto>().ok()?;
    // Absent outside secure contexts, whatever the binding says.
    Reflect::get(&crypto, &"subtle".into()).ok()?.dyn_into().ok()
}

fn sha256_here(record: &ArrayBuffer) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let len = record.byte_length();
    for start in (0..len).step_by(PIECE) {
        let n = (len - start).min(PIECE as u32);
        let bytes = &mut piece[..n as usize];
        Uint8Array::new_with_byte_offset_and_length(record, start, n).copy_to(bytes);
        hash.update(&*bytes);
    }
    hash.finalize().to_vec()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    async fn both_ways_give_the_same_digest() {
        let bytes: Vec<u8> = (0..PIECE * 2 + 7).map(|i| ((i * 31) >> 3) as u8).collect();
        let record = Uint8Array::from(&bytes[..]).buffer();
        assert_eq!(sha256(&record).await, Ok(hexadecimal(&sha256_here(&record))));
    }

    #[wasm_bindgen_test]
    fn it_is_sha256() {
        // FIPS 180-2, appendix B.1.
        let record = Uint8Array::from(&b"abc"[..]).buffer();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hexadecimal(&sha256_here(&record)), expected);
    }
}
