//! The first bytes: a model, a web page, or something else.

use super::reader::{Step, Stop};
use crate::error::Error;

const MAGIC: &[u8; 4] = b"GGUF";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How HTML pages begin, in lower case.
const HTML_MARKERS: [&[u8]; 8] =
    [b"<!doctype", b"<html", b"<head", b"<body", b"<title", b"<meta", b"<script", b"<!--"];
/// With so many bytes there, blanks alone are no longer taken for a page's start.
const DECIDE_AFTER: usize = 512;

/// Checks the file's first four bytes.
///
/// A wrong magic is an error at once, except where the bytes may yet turn out
/// to be a web page: then more of them decide between the two errors.
pub(super) fn magic(bytes: &[u8]) -> Step<()> {
    let Some(magic) = bytes.first_chunk::<4>() else {
        return Err(Stop::Need(4));
    };
    if magic == MAGIC {
        return Ok(());
    }
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii_start();
    let starts = |text: &[u8], start: &[u8]| {
        text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    if HTML_MARKERS.iter().any(|marker| starts(text, marker)) {
        return Err(Error::HtmlPage.into());
    }
    if bytes.len() < DECIDE_AFTER && HTML_MARKERS.iter().any(|marker| starts(marker, text)) {
        return Err(Stop::Need(bytes.len() as u64 + 1));
    }
    Err(Error::BadMagic { magic: *magic }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(bytes: &[u8]) -> std::result::Result<(), String> {
        magic(bytes).map_err(|stop| match stop {
            Stop::Need(n) => format!("need {n}"),
            Stop::Bad(error) => error.code().to_owned(),
        })
    }

    #[test]
    fn tells_models_pages_and_others_apart() {
        let spaces = [b' '; DECIDE_AFTER];
        let cases: [(&[u8], std::result::Result<(), &str>); 15] = [
            (b"", Err("need 4")),
            (b"GGU", Err("need 4")),
            (b"GGUF", Ok(())),
            (b"GGML", Err("gguf_bad_magic")),
            (b"\0\0\0\0", Err("gguf_bad_magic")),
            (b"ggjt....", Err("gguf_bad_magic")),
            (b"<!DOCTYPE html><html>", Err("html_instead_of_model")),
            (b"\xef\xbb\xbf\r\n\t <!doctype html>", Err("html_instead_of_model")),
            (b"<HTML lang=en>", Err("html_instead_of_model")),
            (b"  <Head>", Err("html_instead_of_model")),
            (b"<!do", Err("need 5")),
            (b"\n\n\n\n\n", Err("need 6")),
            (b"<?xml version", Err("gguf_bad_magic")),
            (b"{\"error\":1}", Err("gguf_bad_magic")),
            (&spaces, Err("gguf_bad_magic")),
        ];
        for (bytes, expected) in cases {
            assert_eq!(outcome(bytes), expected.map_err(str::to_owned), "{bytes:?}");
        }
    }
}
