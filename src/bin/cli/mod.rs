//! The tool's commands.

mod args;
mod generate;
mod inspect;
mod pack;
mod render;
mod score;
mod tokens;

pub(crate) use args::Args;
use args::Command;
use pagelm::gguf::{Header, Parsed, Split};
use pagelm::session::{self, Engine, LoadOptions, Loader, TokenizerFile};
use pagelm::tokenizer::{Tokenizer, normalise_by_tables};
use pagelm::{Error, Result};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Runs one command.
pub(crate) fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Inspect(args) => inspect::run(&args),
        Command::Tokenize(args) => tokens::tokenize(&args),
        Command::Detokenize(args) => tokens::detokenize(&args),
        Command::Render(args) => render::run(&args),
        Command::Logits(args) => score::logits(&args),
        Command::Score(args) => score::score(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Pack(args) => pack::run(&args),
    }
}

/// Bytes read from a file at a time.
const PIECE: usize = 1 << 20;

/// The engine of a model file, or of a split one whose first part it is, read piece by piece
/// as the browser does.
fn load(path: &Path, run: &args::Run) -> Result<Engine> {
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
    let threads = run.threads.unwrap_or_else(cores);
    let mut loader = Loader::new(LoadOptions {
        context: run.context,
        threads,
        tokenizer: tokenizer_file(&run.given)?,
        ..LoadOptions::default()
    });
    let mut part = path.to_path_buf();
    let mut piece = vec![0; PIECE];
    loop {
        let mut file = open(&part)?;
        loop {
            match file.read(&mut piece).map_err(|e| unreadable(&part, &e))? {
                0 => break,
                n => loader.push(&piece[..n])?,
            }
            while let Some(split) = loader.missing_part() {
                part = part_path(path, split)?;
                loader.add_part(header_of(&part)?)?;
            }
        }
        match loader.next_part()? {
            None => return loader.finish(),
            Some(split) => part = part_path(path, split)?,
        }
    }
}

/// The header of a model file; of a split model, that of all parts together.
fn header(path: &Path) -> Result<Header> {
    let first = header_of(path)?;
    let Some(split) = first.split()?.filter(|split| split.no == 0) else { return Ok(first) };
    let mut parts = vec![first];
    for no in 1..split.count {
        parts.push(header_of(&part_path(path, Split { no, ..split })?)?);
    }
    Header::join(&parts)
}

/// Where a part of the model lies whose first part is at `first`.
fn part_path(first: &Path, part: Split) -> Result<PathBuf> {
    let path = part.path(&first.to_string_lossy()).map(PathBuf::from)?;
    if path.exists() {
        return Ok(path);
    }
    let name = path.display().to_string();
    Err(Error::SplitPartMissing { part: part.no + 1, count: part.count, name })
}

fn header_of(path: &Path) -> Result<Header> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    loop {
        let wanted = match Header::parse(&bytes)? {
            Parsed::Complete(header) => return Ok(header),
            Parsed::NeedMore { at_least } => (at_least as usize).max(bytes.len() + PIECE),
        };
        let before = bytes.len() as u64;
        let piece = (&mut file).take(wanted as u64 - before);
        let read = { piece }.read_to_end(&mut bytes).map_err(|e| unreadable(path, &e))?;
        if read == 0 {
            return Err(Error::Truncated { need: wanted as u64, have: before });
        }
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| unreadable(path, &e))
}

/// The given tokenizer.json, if one is.
fn tokenizer_file(given: &args::Tokens) -> Result<Option<TokenizerFile>> {
    let Some(path) = &given.tokenizer else { return Ok(None) };
    let bytes = std::fs::read(path).map_err(|e| unreadable(path, &e))?;
    TokenizerFile::parse(&bytes, normalise_by_tables).map(Some)
}

/// The tokenizer of a model with this header.
fn tokenizer(header: &Header, given: &args::Tokens) -> Result<Tokenizer> {
    session::tokenizer(&header.metadata, tokenizer_file(given)?.as_ref())
}

/// A text file as it is.
fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| unreadable(path, &e))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::BadRequest { what: format!("{} cannot be read ({error})", path.display()) }
}

/// Prints one JSON object, or else what a person wants to see.
fn print(json: bool, value: Value, text: impl FnOnce() -> String) {
    if json { println!("{value}") } else { println!("{}", text()) }
}
