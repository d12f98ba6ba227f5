//! What an HTTP answer means for a download (RFC 9110, sections 8.8, 13.1.5, 14 and 15).
//! Servers, proxies and networks are not trusted: an answer is taken only where it is sure
//! to be of the file and the place that were asked for.

use serde::{Deserialize, Serialize};

/// A request for a file, or for a part of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    pub(super) url: String,
    /// The first byte that is wanted.
    pub(super) from: u64,
    /// The last byte that is wanted, if not all are.
    pub(super) to: Option<u64>,
    /// For the header If-Range, with which a server sends no part of another file.
    pub(super) if_range: Option<String>,
    /// Asks for the file from its start: this server is known to fail with ranges.
    pub(super) whole: bool,
}

impl Ask {
    /// The header Range, if a part is wanted.
    pub(super) fn range(&self) -> Option<String> {
        match (self.whole, self.from, self.to) {
            (true, ..) | (_, 0, None) => None,
            (_, from, None) => Some(format!("bytes={from}-")),
            (_, from, Some(to)) => Some(format!("bytes={from}-{to}")),
        }
    }
}

/// The head of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) version: Version,
    pub(super) content_range: Option<String>,
    /// Length of the body, unless it was compressed for the way.
    pub(super) content_length: Option<u64>,
    /// The header Retry-After, in milliseconds.
    pub(super) retry_after: Option<u32>,
}

/// What tells one version of a file from another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

impl Version {
    /// The validator for If-Range: a weak one may not stand there.
    pub(super) fn if_range(&self) -> Option<String> {
        let strong = self.etag.as_ref().filter(|etag| !etag.starts_with("W/"));
        strong.or(self.last_modified.as_ref()).cloned()
    }

    /// Whether anything tells it from another.
    pub(super) fn is_known(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// Whether both are sure to be the same: a validator that both have is equal, and none
    /// differs.
    fn is(&self, other: &Version) -> bool {
        let mut known = false;
        for (a, b) in [(&self.etag, &other.etag), (&self.last_modified, &other.last_modified)] {
            if let (Some(a), Some(b)) = (a, b) {
                if a.trim_start_matches("W/") != b.trim_start_matches("W/") {
                    return false;
                }
                known = true;
            }
        }
        known
    }
}

/// What is known of a file when a part of it is asked for.
pub(super) struct Known<'a> {
    pub(super) version: &'a Version,
    pub(super) bytes: Option<u64>,
    /// Whether digests will tell if the bytes are right, whatever their version.
    pub(super) checked: bool,
}

/// What to do with an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Read the body; `skip` bytes come before those that were asked for. `bytes` is the
    /// file's length, where it is told. The body ends before byte `end` of the file, if it is a
    /// part of it: servers may send less than was asked for (RFC 9110, section 15.3.7).
    Read { skip: u64, bytes: Option<u64>, end: Option<u64> },
    /// Nothing lies beyond what is there already.
    End,
    /// It is not the file of which a part is there.
    Changed,
    /// Another part came than was asked for.
    WrongRange,
    /// The server may answer better in a moment; not before so many milliseconds.
    Later { after: Option<u32> },
    /// It will not.
    Refused,
}

/// Judges an answer by its head.
pub(super) fn judge(ask: &Ask, known: &Known, head: &Head) -> Verdict {
    match head.status {
        200 => whole(ask, known, head),
        206 => part(ask, known, head),
        416 => match head.content_range.as_deref().and_then(unsatisfied) {
            Some(bytes) if bytes == ask.from && known.bytes.is_none_or(|known| known == bytes) => {
                Verdict::End
            }
            _ => Verdict::Changed,
        },
        408 | 425 | 429 | 500 | 502 | 503 | 504 => Verdict::Later { after: head.retry_after },
        _ => Verdict::Refused,
    }
}

fn whole(ask: &Ask, known: &Known, head: &Head) -> Verdict {
    let bytes = head.content_length;
    if differs(known.bytes, bytes) {
        return Verdict::Changed;
    }
    // From the start on, any version is as good.
    if ask.from == 0 || known.checked || known.version.is(&head.version) {
        Verdict::Read { skip: ask.from, bytes, end: None }
    } else {
        Verdict::Changed
    }
}

fn part(ask: &Ask, known: &Known, head: &Head) -> Verdict {
    if ask.range().is_none() && ask.from > 0 {
        return Verdict::WrongRange;
    }
    let (end, bytes) = match head.content_range.as_deref().map(satisfied) {
        Some(Some((first, last, bytes))) if first == ask.from => (last.checked_add(1), bytes),
        Some(_) => return Verdict::WrongRange,
        // Other origins may hide the header; then the length must fit.
        None => match (known.bytes, ask.to, head.content_length) {
            (Some(bytes), None, Some(length)) if length == bytes - ask.from => {
                (Some(bytes), Some(bytes))
            }
            (_, Some(to), Some(length)) if length == to + 1 - ask.from => (Some(to + 1), None),
            _ => return Verdict::WrongRange,
        },
    };
    if differs(known.bytes, bytes) {
        return Verdict::Changed;
    }
    if ask.from == 0 || known.checked || known.version.is(&head.version) {
        Verdict::Read { skip: 0, bytes, end }
    } else {
        Verdict::Changed
    }
}

fn differs(known: Option<u64>, told: Option<u64>) -> bool {
    matches!((known, told), (Some(known), Some(told)) if known != told)
}

/// First byte, last byte and the file's length, of `bytes 0-9/100`.
fn satisfied(content_range: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, bytes) = content_range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let bytes = match bytes.trim() {
        "*" => None,
        bytes => Some(bytes.parse::<u64>().ok()?),
    };
    let sound = first <= last && bytes.is_none_or(|bytes| last < bytes);
    sound.then_some((first, last, bytes))
}

/// The file's length, of `bytes */100`.
fn unsatisfied(content_range: &str) -> Option<u64> {
    content_range.strip_prefix("bytes */")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(etag: &str) -> Version {
        Version { etag: (!etag.is_empty()).then(|| etag.into()), last_modified: None }
    }

    fn verdict(from: u64, known: (&str, Option<u64>, bool), head: Head) -> Verdict {
        let ask = Ask { url: "u".into(), from, to: None, if_range: None, whole: false };
        let known = Known { version: &version(known.0), bytes: known.1, checked: known.2 };
        judge(&ask, &known, &head)
    }

    fn ok(etag: &str, content_length: Option<u64>) -> Head {
        Head { status: 200, version: version(etag), content_length, ..Head::default() }
    }

    fn partial(etag: &str, range: Option<&str>, content_length: Option<u64>) -> Head {
        let content_range = range.map(String::from);
        Head {
            status: 206,
            version: version(etag),
            content_range,
            content_length,
            ..Head::default()
        }
    }

    #[test]
    fn parts_are_taken_only_from_the_file_and_the_place() {
        let known = ("\"a\"", Some(100), false);
        let bytes = Some(100);
        let read = |skip| Verdict::Read { skip, bytes, end: None };
        let part = |end| Verdict::Read { skip: 0, bytes, end: Some(end) };
        let of_unknown = Verdict::Read { skip: 0, bytes: None, end: Some(60) };
        for (head, expected) in [
            (partial("\"a\"", Some("bytes 40-99/100"), Some(60)), part(100)),
            (partial("W/\"a\"", Some("bytes 40-99/100"), None), part(100)),
            (partial("\"a\"", Some("bytes 40-59/100"), Some(20)), part(60)),
            (partial("\"a\"", Some("bytes 40-59/*"), None), of_unknown),
            (partial("\"b\"", Some("bytes 40-99/100"), Some(60)), Verdict::Changed),
            (partial("", Some("bytes 40-99/100"), Some(60)), Verdict::Changed),
            (partial("\"a\"", Some("bytes 40-99/101"), Some(60)), Verdict::Changed),
            (partial("\"a\"", Some("bytes 30-99/100"), Some(70)), Verdict::WrongRange),
            (partial("\"a\"", Some("bytes 40-20/100"), None), Verdict::WrongRange),
            (partial("\"a\"", Some("lines 40-99/100"), None), Verdict::WrongRange),
            (partial("\"a\"", None, Some(60)), part(100)),
            (partial("\"a\"", None, Some(61)), Verdict::WrongRange),
            (ok("\"a\"", Some(100)), read(40)),
            (ok("\"b\"", Some(100)), Verdict::Changed),
            (ok("", Some(100)), Verdict::Changed),
            (ok("\"a\"", Some(99)), Verdict::Changed),
        ] {
            assert_eq!(verdict(40, known, head.clone()), expected, "{head:?}");
        }
    }

    #[test]
    fn where_digests_tell_the_version_need_not() {
        let known = ("\"a\"", Some(100), true);
        let head = partial("\"b\"", Some("bytes 40-99/100"), Some(60));
        let read = |skip, bytes, end| Verdict::Read { skip, bytes, end };
        assert_eq!(verdict(40, known, head), read(0, Some(100), Some(100)));
        assert_eq!(verdict(40, known, ok("", None)), read(40, None, None));
    }

    #[test]
    fn a_start_takes_any_version() {
        let known = ("\"a\"", None, false);
        let read = Verdict::Read { skip: 0, bytes: None, end: None };
        assert_eq!(verdict(0, known, ok("\"b\"", None)), read);
    }

    #[test]
    fn a_server_that_fails_is_asked_again_and_one_that_refuses_is_not() {
        let status = |status| Head { status, retry_after: Some(7), ..Head::default() };
        let known = ("\"a\"", None, false);
        for code in [408, 429, 500, 502, 503, 504] {
            assert_eq!(verdict(0, known, status(code)), Verdict::Later { after: Some(7) });
        }
        for code in [204, 304, 401, 404, 410, 501] {
            assert_eq!(verdict(0, known, status(code)), Verdict::Refused);
        }
    }

    #[test]
    fn beyond_the_end_is_the_end_or_another_file() {
        let head = |range: &str| Head {
            status: 416,
            content_range: Some(range.into()),
            ..Head::default()
        };
        let known = ("\"a\"", None, false);
        assert_eq!(verdict(40, known, head("bytes */40")), Verdict::End);
        assert_eq!(verdict(40, known, head("bytes */30")), Verdict::Changed);
        assert_eq!(verdict(40, ("", Some(50), false), head("bytes */40")), Verdict::Changed);
    }

    #[test]
    fn weak_validators_are_not_for_if_range() {
        let both = |etag: &str| Version {
            etag: Some(etag.into()),
            last_modified: Some("yesterday".into()),
        };
        assert_eq!(both("\"a\"").if_range().as_deref(), Some("\"a\""));
        assert_eq!(both("W/\"a\"").if_range().as_deref(), Some("yesterday"));
        assert_eq!(version("W/\"a\"").if_range(), None);
    }

    #[test]
    fn a_server_without_ranges_is_asked_for_the_whole() {
        let ask = |from, to, whole| Ask { url: "u".into(), from, to, if_range: None, whole };
        assert_eq!(ask(0, None, false).range(), None);
        assert_eq!(ask(5, None, false).range().as_deref(), Some("bytes=5-"));
        assert_eq!(ask(0, Some(9), false).range().as_deref(), Some("bytes=0-9"));
        assert_eq!(ask(5, Some(9), true).range(), None);
    }
}
