//! The template engine, set up as Hugging Face sets up jinja2, and its errors.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

use super::limits::{MAX_FUEL, MAX_OUTPUT_BYTES, MAX_RECURSION};
use super::{filters, json, methods};
use crate::Error;

/// The engine with Hugging Face's settings and our limits.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(false)
        .build()
        // The delimiters are the default ones, which do not collide.
        .expect("the default delimiters are valid");
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(MAX_FUEL));
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_unknown_method_callback(methods::call);
    environment.remove_global("debug");
    environment.add_filter("tojson", json::tojson);
    filters::add_to(&mut environment);
    environment.add_function("raise_exception", raise_exception);
    // In Python, strings and mappings have a length and can be subscripted.
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String)
    });
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment
}

/// Templates' way to refuse messages (for instance roles that do not alternate).
fn raise_exception(message: &Value) -> std::result::Result<String, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message.to_string()))
}

/// The innermost line, and the words of the whole chain.
pub(super) fn template_error(error: &minijinja::Error) -> Error {
    let mut line = error.line().unwrap_or(0);
    let mut what = words(error);
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        match cause.downcast_ref::<minijinja::Error>() {
            Some(inner) => {
                line = inner.line().unwrap_or(line);
                what = format!("{what}: {}", words(inner));
            }
            None => what = format!("{what}: {cause}"),
        }
        source = cause.source();
    }
    Error::Template { line, what }
}

fn words(error: &minijinja::Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too much work or memory".to_owned(),
        (ErrorKind::WriteFailure, _) => format!("it writes more than {MAX_OUTPUT_BYTES} bytes"),
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind} ({detail})"),
        (kind, None) => kind.to_string(),
    }
}
