//! The host tool: the engine of the browser, from a terminal, for site owners and tests.
//!
//! A bad call exits with 2, a bad model with 1 and the error's code and sentence on
//! standard error. With `--json`, standard output is exactly one JSON object.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(cli::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", error.code());
            ExitCode::from(match error {
                pagelm::Error::BadRequest { .. } => 2,
                _ => 1,
            })
        }
    }
}
