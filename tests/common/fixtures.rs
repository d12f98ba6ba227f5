//! Where the tests find their reference data.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

/// The model that `tests/fixtures/real` has values for.
pub const MODEL_FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// Folders with reference data, the fullest first.
pub struct Fixtures {
    folders: Vec<PathBuf>,
}

/// The full reference data where it is (`PAGELM_FIXTURES`, else
/// `../shared/fixtures/given`), and the subset of the repository.
pub fn fixtures() -> Fixtures {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let full = match std::env::var_os("PAGELM_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => root.join("../shared/fixtures/given"),
    };
    Fixtures { folders: vec![full, root.join("tests/fixtures")] }
}

impl Fixtures {
    /// A file or folder of the reference data; `None`, and a line saying so, where
    /// neither folder has it.
    pub fn path(&self, relative: &str) -> Option<PathBuf> {
        let found = self.folders.iter().map(|folder| folder.join(relative)).find(|p| p.exists());
        if found.is_none() {
            report_skipped(relative, "not among the reference data; set PAGELM_FIXTURES");
        }
        found
    }

    /// Files of `folder` that end in `suffix`, from both places, each name once, sorted.
    pub fn files(&self, folder: &str, suffix: &str) -> Vec<PathBuf> {
        let mut names = HashSet::new();
        let mut files = Vec::new();
        for base in &self.folders {
            let Ok(entries) = base.join(folder).read_dir() else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                let name = path.file_name().unwrap_or_default().to_owned();
                if name.to_string_lossy().ends_with(suffix) && names.insert(name) {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    /// A JSON file that the subset has, too, or that [`Fixtures::path`] has found.
    pub fn json(&self, relative: &str) -> serde_json::Value {
        let path = self.path(relative).expect("the fixture is there");
        let bytes = std::fs::read(path).expect("the fixture is readable");
        serde_json::from_slice(&bytes).expect("the fixture is JSON")
    }
}

/// The real model: `PAGELM_MODEL`, else where `build.sh` puts it; `None`, and a line
/// saying so, where it has not been fetched.
pub fn real_model() -> Option<PathBuf> {
    let path = match std::env::var_os("PAGELM_MODEL") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("www/models").join(MODEL_FILE),
    };
    if path.exists() {
        return Some(path);
    }
    report_skipped(MODEL_FILE, "the model is not there; set PAGELM_MODEL, or run build.sh");
    None
}

/// Says once per run and thing that a check was skipped. Written past the test
/// harness, which would swallow it in tests that pass.
pub fn report_skipped(what: &str, why: &str) {
    static SAID: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    // A poisoned lock means that another test failed; the line still matters.
    let mut said = SAID.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if said.insert(what.to_owned()) {
        let _ = writeln!(std::io::stderr(), "skipped {what}: {why}");
    }
}
