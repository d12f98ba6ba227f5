//! `pack`: a model as static files with a `pagelm.json`, for site owners.

use super::args::Pack;
use super::{header, open, print, read_text, tokenizer_file, unreadable};
use pagelm::gguf::Header;
use pagelm::session::{self, LoadOptions};
use pagelm::store::recipe::{self, PACK_VERSION, PackFile, PackPart, Settings};
use pagelm::store::sha256::{self, Hasher};
use pagelm::{Error, Result};
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that strict hosts take (Cloudflare Pages: 25 MiB, others 25 MB).
const LARGEST_FILE: u64 = 25_000_000;

pub(super) fn run(args: &Pack) -> Result<()> {
    let record_bytes = record_bytes(args)?;
    let paths = parts(&args.model)?;
    let header = header(&paths[0])?;
    let settings = settings(args)?;
    // A site owner had better know now what cannot run.
    let options = LoadOptions {
        chat_template: settings.chat_template.clone(),
        tokenizer: tokenizer_file(&args.given)?,
        ..LoadOptions::default()
    };
    session::preflight(&header, &options)?;
    fs::create_dir_all(&args.out).map_err(|e| unwritable(&args.out, &e))?;
    let parts =
        paths.iter().map(|path| part(path, args, record_bytes)).collect::<Result<Vec<_>>>()?;
    let files = || parts.iter().flat_map(|part| &part.files);
    let (count, bytes) = (files().count(), files().map(|file| file.bytes).sum());
    let text = |key| text_of(&header, key);
    let pack = recipe::Pack {
        pagelm: PACK_VERSION,
        name: args.name.clone().or(text("general.name")),
        license: args.license.clone().or(text("general.license")),
        bytes,
        record_bytes,
        parts,
        settings,
    };
    let failed = |e: serde_json::Error| Error::Internal { what: e.to_string() };
    let text = serde_json::to_string_pretty(&pack).map_err(failed)?;
    // Last: a folder with it is complete.
    let out = args.out.join("pagelm.json");
    fs::write(&out, text + "\n").map_err(|e| unwritable(&out, &e))?;
    let report = json!({ "manifest": out, "files": count, "bytes": bytes });
    print(args.json, report, || format!("{}: {count} files, {bytes} bytes", out.display()));
    Ok(())
}

fn record_bytes(args: &Pack) -> Result<u32> {
    let bytes = args.record_mb * f64::from(1 << 20);
    if !(4096.0..=f64::from(recipe::MAX_RECORD_BYTES)).contains(&bytes) {
        let what =
            format!("`--record-mb` must be from 0.004 to {}", recipe::MAX_RECORD_BYTES >> 20);
        return Err(Error::BadRequest { what });
    }
    if !args.whole && bytes > LARGEST_FILE as f64 {
        let what = format!(
            "`--record-mb` makes files above {LARGEST_FILE} bytes, which hosts with limits refuse; take less, or `--whole`"
        );
        return Err(Error::BadRequest { what });
    }
    Ok(bytes as u32)
}

/// The model's files: one, or all parts of a split model.
fn parts(model: &Path) -> Result<Vec<PathBuf>> {
    let text = model.to_str().ok_or_else(|| Error::BadRequest {
        what: format!("{} is not a name that every system can write", model.display()),
    })?;
    Ok(recipe::parts_of(text)?.into_iter().map(PathBuf::from).collect())
}

fn settings(args: &Pack) -> Result<Settings> {
    let sampling = match &args.sampling {
        None => Value::Object(Default::default()),
        Some(text) => serde_json::from_str(text).unwrap_or(Value::Null),
    };
    let Value::Object(sampling) = sampling else {
        return Err(Error::BadRequest { what: "`--sampling` must be a JSON object".into() });
    };
    let chat_template = args.chat_template.as_deref().map(read_text).transpose()?;
    Ok(Settings { context: args.context, sampling, chat_template })
}

/// Writes one GGUF file, whole or as a file for each record.
fn part(path: &Path, args: &Pack, record_bytes: u32) -> Result<PackPart> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("model.gguf");
    let mut input = open(path)?;
    let (mut hasher, mut files) = (Hasher::default(), Vec::new());
    let mut whole = PackFile { path: name.into(), bytes: 0, records: Vec::new() };
    loop {
        let mut record = Vec::with_capacity(record_bytes as usize);
        let piece = (&mut input).take(record_bytes.into());
        { piece }.read_to_end(&mut record).map_err(|e| unreadable(path, &e))?;
        if record.is_empty() {
            break;
        }
        hasher.update(&record);
        let digest = sha256::of(&record);
        if args.whole {
            whole.records.push(digest);
            whole.bytes += record.len() as u64;
            continue;
        }
        let path = format!("{name}.{:04}.bin", files.len());
        let out = args.out.join(&path);
        fs::write(&out, &record).map_err(|e| unwritable(&out, &e))?;
        files.push(PackFile { path, bytes: record.len() as u64, records: vec![digest] });
    }
    if args.whole {
        let out = args.out.join(name);
        let same = fs::canonicalize(path)
            .ok()
            .is_some_and(|path| fs::canonicalize(&out).ok() == Some(path));
        if !same {
            fs::copy(path, &out).map_err(|e| unwritable(&out, &e))?;
        }
        files.push(whole);
    }
    Ok(PackPart { sha256: hasher.finish(), files })
}

fn text_of(header: &Header, key: &str) -> Option<String> {
    header.metadata.opt_str(key).ok().flatten().map(String::from)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::BadRequest { what: format!("{} cannot be written ({error})", path.display()) }
}
