//! Fetching a record, whatever the network does: what has come stays, and what is missing
//! is asked for again.

use super::host::{Attempt, Body, Fault};
use super::http::{Ask, Known, Verdict, judge};
use super::record::Record;
use super::schema::RecordInfo;
use super::source::{Phase, Source};
use crate::{Error, Result};

/// Records of one place that may come with a wrong digest.
const MAX_DAMAGED: u32 = 3;
/// Bytes that are thrown away at a time, where a server sends a file from its start.
const SKIP_BYTES: u32 = 256 << 10;
/// A `pagelm.json` is not longer than this.
const MAX_SMALL_BYTES: u32 = 4 << 20;

/// The body of an answer, the place in its file that comes next, and where it ends if it is a
/// part of the file.
pub(super) struct Stream {
    file: usize,
    position: u64,
    end: Option<u64>,
    body: Box<dyn Body>,
}

impl Stream {
    /// Whether what comes next is this place.
    fn goes_on(&self, file: usize, position: u64) -> bool {
        (self.file, self.position) == (file, position) && self.end != Some(position)
    }
}

/// What a record's place brought.
pub(super) enum Collected {
    Record(Record, RecordInfo),
    /// The file has ended there.
    End,
    /// The file is another now.
    Changed,
}

/// What asking a server brought.
enum Connected {
    Stream(Stream),
    End,
    Changed,
}

/// What is wanted of a file.
#[derive(Clone, Copy)]
struct Stretch {
    file: usize,
    from: u64,
    /// The last byte, if not all to the end.
    to: Option<u64>,
    /// Whether a digest will tell if it is right.
    checked: bool,
    /// Whether the file's length and version are those of the answer, if they are not known.
    learns: bool,
}

impl Source {
    /// The record of `file` that begins at `from`.
    pub(super) async fn collect(&mut self, file: usize, from: u64) -> Result<Collected> {
        let mut record = self.partial.take().unwrap_or_else(|| self.room());
        let mut damaged = 0;
        loop {
            if !self.fill(&mut record, file, from, 1).await? {
                return Ok(Collected::Changed);
            }
            // Not while its header is looked at: that there is no memory is told first.
            self.check_room().await?;
            if !self.fill(&mut record, file, from, u32::MAX).await? {
                return Ok(Collected::Changed);
            }
            if record.is_empty() {
                self.spare = Some(record);
                return Ok(Collected::End);
            }
            let sha256 = record.sha256().await?;
            let info = |sha256| RecordInfo { file: file as u32, from, bytes: record.len(), sha256 };
            let expected = self.manifest.expected(file, from).map(str::to_ascii_lowercase);
            let Some(expected) = expected.filter(|expected| *expected != sha256) else {
                let info = info(sha256);
                return Ok(Collected::Record(record, info));
            };
            damaged += 1;
            let url = url_of(self, file);
            if damaged == MAX_DAMAGED {
                return Err(Error::DigestMismatch { url, expected, found: sha256 });
            }
            self.failed(Fault::Damaged, &url).await?;
            // By itself: the stream stands behind it already.
            let info = info(expected);
            drop(record);
            record = match self.stretch(&info).await? {
                Some(record) => record,
                None => return Ok(Collected::Changed),
            };
        }
    }

    /// Reads until the record that begins at `from` is whole, or has `until` bytes. `false` if
    /// the file is another now.
    async fn fill(
        &mut self,
        record: &mut Record,
        file: usize,
        from: u64,
        until: u32,
    ) -> Result<bool> {
        let checked = self.manifest.expected(file, from).is_some();
        while record.len() < self.manifest.record_len(file, from).min(until) {
            let position = from + u64::from(record.len());
            let mut stream = match self.stream.take() {
                Some(stream) if stream.goes_on(file, position) => stream,
                _ => {
                    // What a broken connection has brought and the browser not handed on is
                    // lost. Where that happens, no more than a record is on its way at a time,
                    // if the next part is sure to be of the same file.
                    let sure = checked || self.manifest.files[file].version.is_known();
                    let record_end = from + u64::from(self.manifest.record_len(file, from));
                    let to = (self.broke && sure).then_some(record_end - 1);
                    let at = Stretch { file, from: position, to, checked, learns: true };
                    match self.connect(at).await? {
                        Connected::Stream(stream) => {
                            self.stream = Some(stream);
                            self.report_arrived(record);
                        }
                        Connected::End => self.manifest.set_bytes(file, position),
                        Connected::Changed => return Ok(false),
                    }
                    // How long the record is may be known only now.
                    continue;
                }
            };
            let most = self.manifest.record_len(file, from) - record.len();
            match stream.body.read(record, most).await {
                // Only a body that is the whole file ends with it.
                Ok(0) if stream.end.is_none() && self.manifest.files[file].bytes.is_none() => {
                    self.manifest.set_bytes(file, position);
                }
                Ok(0) => self.broken(ended_early(), file).await?,
                Ok(n) => {
                    stream.position += u64::from(n);
                    self.stream = Some(stream);
                    self.backoff.progress();
                    self.report_arrived(record);
                }
                Err(fault) => self.broken(fault, file).await?,
            }
        }
        Ok(true)
    }

    /// As `failed`, of an answer that had begun.
    async fn broken(&mut self, fault: Fault, file: usize) -> Result<()> {
        self.broke = true;
        self.failed(fault, &url_of(self, file)).await
    }

    /// What has come of the first record beyond its first `from` bytes, before it is whole;
    /// `None` if nothing more comes, or must be checked first. A restart makes it void.
    ///
    /// # Errors
    /// As [`Source::next`].
    pub async fn peek(&mut self, from: u32) -> Result<Option<Vec<u8>>> {
        if !self.manifest.records.is_empty() || self.manifest.expected(0, 0).is_some() {
            return Ok(None);
        }
        let mut record = self.partial.take().unwrap_or_else(|| self.room());
        self.changed = !self.fill(&mut record, 0, 0, from + 1).await?;
        let mut bytes = vec![0; record.len().saturating_sub(from) as usize];
        record.copy_to(from.min(record.len()), &mut bytes);
        self.partial = Some(record);
        Ok((!self.changed && !bytes.is_empty()).then_some(bytes))
    }

    /// Memory for a record.
    fn room(&mut self) -> Record {
        let mut record =
            self.spare.take().unwrap_or_else(|| Record::new(self.manifest.record_bytes));
        record.clear();
        record
    }

    fn report_arrived(&self, record: &Record) {
        self.report(Phase::Download, self.manifest.bytes + u64::from(record.len()));
    }

    /// A damaged record of the store, fetched again; `None` if the server has it no more.
    ///
    /// # Errors
    /// [`Error::StorageCorrupt`] if the server cannot be asked.
    pub(super) async fn repair(&mut self, index: usize) -> Result<Option<Record>> {
        let info = self.manifest.records[index].clone();
        let (file, done) = (info.file as usize, self.manifest.bytes_before(index));
        self.stream = None;
        self.report(Phase::Repair, done);
        for _ in 0..MAX_DAMAGED {
            let record = match self.stretch(&info).await {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(None),
                Err(Error::Aborted) => return Err(Error::Aborted),
                Err(Error::HttpStatus { status: 404 | 410, .. }) | Err(Error::Network { .. }) => {
                    return Err(Error::StorageCorrupt { record: index as u32 });
                }
                Err(error) => return Err(error),
            };
            if record.sha256().await? == info.sha256 {
                self.backoff.progress();
                self.report(self.phase(), done);
                return Ok(Some(record));
            }
            if self.failed(Fault::Damaged, &url_of(self, file)).await.is_err() {
                break;
            }
        }
        // Always the same other bytes: the server has another file now.
        Ok(None)
    }

    /// The first bytes of a part, `most` at most, ahead of their turn: its header tells whether
    /// the model can run.
    ///
    /// # Errors
    /// As [`Source::next`].
    pub async fn beginning(&mut self, part: u32, most: u32) -> Result<Vec<u8>> {
        let files = &self.manifest.files;
        let Some(file) = files.iter().position(|file| file.source.part == part) else {
            return Err(Error::Internal { what: format!("there is no part {part}") });
        };
        let bytes = most.clamp(1, MAX_SMALL_BYTES);
        if let Some(stored) = self.stored_beginning(file).await {
            return Ok(contents(&stored, bytes));
        }
        let to = Some(u64::from(bytes) - 1);
        let at = Stretch { file, from: 0, to, checked: true, learns: true };
        loop {
            let mut record = Record::new(bytes);
            let Connected::Stream(mut stream) = self.connect(at).await? else {
                return Ok(Vec::new());
            };
            let fault = loop {
                let room = bytes - record.len();
                match stream.body.read(&mut record, room).await {
                    Ok(n) if n == 0 || record.len() == bytes => {
                        return Ok(contents(&record, bytes));
                    }
                    Ok(_) => {}
                    Err(fault) => break fault,
                }
            };
            self.failed(fault, &url_of(self, file)).await?;
        }
    }

    /// The bytes of a record, right or not; `None` if the file is shorter now.
    async fn stretch(&mut self, info: &RecordInfo) -> Result<Option<Record>> {
        let file = info.file as usize;
        let mut record = Record::new(info.bytes);
        let to = Some(info.from + u64::from(info.bytes) - 1);
        let mut stream: Option<Stream> = None;
        while record.len() < info.bytes {
            let from = info.from + u64::from(record.len());
            let mut open = match stream.take() {
                Some(open) => open,
                None => match self
                    .connect(Stretch { file, from, to, checked: true, learns: false })
                    .await?
                {
                    Connected::Stream(open) => open,
                    Connected::End | Connected::Changed => return Ok(None),
                },
            };
            match open.body.read(&mut record, info.bytes - (from - info.from) as u32).await {
                Ok(0) => self.failed(ended_early(), &url_of(self, file)).await?,
                Ok(_) => {
                    self.backoff.progress();
                    stream = Some(open);
                }
                Err(fault) => self.failed(fault, &url_of(self, file)).await?,
            }
        }
        Ok(Some(record))
    }

    /// A small file, whole.
    pub(super) async fn small_file(&mut self, url: &str) -> Result<Vec<u8>> {
        loop {
            let fault = match self.small_file_once(url).await? {
                Ok(bytes) => return Ok(bytes),
                Err(fault) => fault,
            };
            self.failed(fault, url).await?;
        }
    }

    async fn small_file_once(&mut self, url: &str) -> Result<Attempt<Vec<u8>>> {
        let ask = Ask { url: url.into(), from: 0, to: None, if_range: None, whole: true };
        let (head, mut body) = match self.host.get(&ask).await {
            Ok(answer) => answer,
            Err(fault) => return Ok(Err(fault)),
        };
        let known = Known { version: &head.version, bytes: None, checked: true };
        match judge(&ask, &known, &head) {
            Verdict::Read { skip: 0, .. } => {}
            Verdict::Later { after } => {
                return Ok(Err(Fault::Status { status: head.status, after }));
            }
            _ => return Err(Error::HttpStatus { status: head.status, url: url.into() }),
        }
        let mut record = Record::new(MAX_SMALL_BYTES);
        loop {
            let room = record.capacity() - record.len();
            if room == 0 {
                return Err(Error::BadManifest { what: "it is too long".into() });
            }
            match body.read(&mut record, room).await {
                Ok(0) if head.content_length.is_some_and(|n| n > record.len().into()) => {
                    return Ok(Err(ended_early()));
                }
                Ok(0) => break,
                Ok(_) => {}
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(contents(&record, MAX_SMALL_BYTES)))
    }

    /// Asks for a stretch until a server answers with it.
    async fn connect(&mut self, at: Stretch) -> Result<Connected> {
        let mut whole = false;
        loop {
            let file = &self.manifest.files[at.file];
            let ask = Ask {
                url: file.source.url.clone(),
                from: at.from,
                to: at.to,
                if_range: file.version.if_range().filter(|_| !at.checked),
                whole,
            };
            let fault = match self.host.get(&ask).await {
                Err(fault) => fault,
                Ok((head, body)) => {
                    let known =
                        Known { version: &file.version, bytes: file.bytes, checked: at.checked };
                    match judge(&ask, &known, &head) {
                        Verdict::Read { skip, bytes, end } => {
                            if at.from == 0 && at.learns {
                                self.manifest.files[at.file].version = head.version;
                            }
                            if let Some(bytes) = bytes.filter(|_| at.learns) {
                                self.manifest.set_bytes(at.file, bytes);
                            }
                            let stream = Stream { file: at.file, position: at.from, end, body };
                            match skipped(stream, skip).await {
                                Ok(stream) => return Ok(Connected::Stream(stream)),
                                Err(fault) => fault,
                            }
                        }
                        Verdict::End => return Ok(Connected::End),
                        Verdict::Changed => return Ok(Connected::Changed),
                        Verdict::WrongRange => {
                            whole = true;
                            Fault::WrongRange
                        }
                        Verdict::Later { after } => Fault::Status { status: head.status, after },
                        Verdict::Refused => {
                            return Err(Error::HttpStatus { status: head.status, url: ask.url });
                        }
                    }
                }
            };
            self.failed(fault, &ask.url).await?;
        }
    }

    /// Waits until it is time to ask again, or gives up.
    async fn failed(&mut self, fault: Fault, url: &str) -> Result<()> {
        let received = self.reported.get();
        if fault == Fault::Aborted {
            return Err(Error::Aborted);
        }
        let Some(wait_ms) = self.backoff.failed(fault.after(), self.host.random()) else {
            return Err(fault.into_error(url, received));
        };
        let (attempt, reason) = (self.backoff.attempt(), fault.reason());
        self.report(Phase::Retry { attempt, wait_ms, reason }, received);
        self.host.pause(wait_ms).await.map_err(|fault| fault.into_error(url, received))
    }

    /// Fails, when the first bytes are there and tell the length, if there is no room for all.
    async fn check_room(&mut self) -> Result<()> {
        let Some(total) = self.manifest.total.filter(|_| self.stores() && !self.room_checked)
        else {
            return Ok(());
        };
        self.room_checked = true;
        match self.host.available().await {
            Some(available) if available < total - self.manifest.bytes.min(total) => {
                Err(self.full(available, 0))
            }
            _ => Ok(()),
        }
    }
}

fn ended_early() -> Fault {
    Fault::Broken("the connection ended early".into())
}

fn url_of(source: &Source, file: usize) -> String {
    source.manifest.files[file].source.url.clone()
}

/// The first bytes of a record, `most` at most.
fn contents(record: &Record, most: u32) -> Vec<u8> {
    let mut bytes = vec![0; record.len().min(most) as usize];
    record.copy_to(0, &mut bytes);
    bytes
}

/// Throws the first bytes of a body away.
async fn skipped(mut stream: Stream, mut skip: u64) -> Attempt<Stream> {
    let mut waste = Record::new(if skip == 0 { 0 } else { SKIP_BYTES });
    while skip > 0 {
        waste.clear();
        match stream.body.read(&mut waste, SKIP_BYTES.min(skip.min(u32::MAX.into()) as u32)).await?
        {
            0 => return Err(ended_early()),
            n => skip -= u64::from(n),
        }
    }
    Ok(stream)
}
