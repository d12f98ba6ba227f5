//! Methods of Python strings that templates call and the engine's own Python
//! compatibility (`minijinja_contrib::pycompat`) lacks.

use minijinja::value::{Kwargs, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// Called for every method that a value does not have by itself.
pub(super) fn call(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        match method {
            "removeprefix" => {
                let (prefix,): (&str,) = from_args(args)?;
                return Ok(Value::from(text.strip_prefix(prefix).unwrap_or(text)));
            }
            "removesuffix" => {
                let (suffix,): (&str,) = from_args(args)?;
                return Ok(Value::from(text.strip_suffix(suffix).unwrap_or(text)));
            }
            "partition" => {
                let (separator,): (&str,) = from_args(args)?;
                let [head, middle, tail] = match text.split_once(non_empty(separator)?) {
                    Some((head, tail)) => [head, separator, tail],
                    None => [text, "", ""],
                };
                return Ok(Tuple::from([head.into(), middle.into(), tail.into()]).into());
            }
            "rpartition" => {
                let (separator,): (&str,) = from_args(args)?;
                let [head, middle, tail] = match text.rsplit_once(non_empty(separator)?) {
                    Some((head, tail)) => [head, separator, tail],
                    None => ["", "", text],
                };
                return Ok(Tuple::from([head.into(), middle.into(), tail.into()]).into());
            }
            "index" => {
                let (part,): (&str,) = from_args(args)?;
                let Some(at) = text.find(part) else {
                    let what = "the text does not have that part";
                    return Err(Error::new(ErrorKind::InvalidOperation, what));
                };
                return Ok(Value::from(text[..at].chars().count()));
            }
            "ljust" | "rjust" | "center" | "zfill" => return pad(text, method, args),
            "split" | "rsplit" => return split(text, method == "rsplit", args),
            _ => {}
        }
    }
    if value.kind() == ValueKind::Seq && method == "index" {
        let (wanted,): (&Value,) = from_args(args)?;
        return match value.try_iter()?.position(|item| item == *wanted) {
            Some(index) => Ok(Value::from(index)),
            None => Err(Error::new(ErrorKind::InvalidOperation, "the value is not in the list")),
        };
    }
    pycompat::unknown_method_callback(state, value, method, args)
}

fn non_empty(separator: &str) -> Result<&str, Error> {
    if separator.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
    }
    Ok(separator)
}

/// The widest text that padding makes.
const MAX_WIDTH: usize = 1 << 16;

/// `str.ljust`, `rjust`, `center` (with a fill character) and `zfill`.
pub(super) fn pad(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (width, given): (usize, Option<&str>) = from_args(args)?;
    if width > MAX_WIDTH {
        return Err(Error::new(ErrorKind::InvalidOperation, "too wide"));
    }
    if given.is_some_and(|fill| fill.chars().count() != 1) {
        return Err(Error::new(ErrorKind::InvalidOperation, "the fill is not one character"));
    }
    let missing = width.saturating_sub(text.chars().count());
    let fill = |n: usize| given.unwrap_or(" ").repeat(n);
    Ok(Value::from(match method {
        "ljust" => format!("{text}{}", fill(missing)),
        "rjust" => format!("{}{text}", fill(missing)),
        "center" => {
            // Python puts the odd one on the left where the width is odd.
            let left = missing / 2 + (missing & width & 1);
            format!("{}{text}{}", fill(left), fill(missing - left))
        }
        _ => {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            format!("{sign}{}{digits}", "0".repeat(missing))
        }
    }))
}

/// `str.split(sep=None, maxsplit=-1)` and `str.rsplit`, by position or keyword.
fn split(text: &str, from_right: bool, args: &[Value]) -> Result<Value, Error> {
    let (separator, limit, options): (Option<&str>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = match separator {
        Some(separator) => Some(separator),
        None => options.get::<Option<&str>>("sep")?,
    };
    let limit = match limit {
        Some(limit) => Some(limit),
        None => options.get::<Option<i64>>("maxsplit")?,
    };
    options.assert_all_used()?;
    // A negative limit is none.
    let pieces = limit.and_then(|n| usize::try_from(n).ok()).map_or(usize::MAX, |n| n + 1);
    let mut parts: Vec<&str> = match (separator, from_right) {
        (Some(separator), false) => text.splitn(pieces, non_empty(separator)?).collect(),
        (Some(separator), true) => text.rsplitn(pieces, non_empty(separator)?).collect(),
        (None, false) => words(text, pieces),
        (None, true) => words_from_right(text, pieces),
    };
    if from_right {
        parts.reverse();
    }
    Ok(parts.into_iter().map(Value::from).collect())
}

/// Splits at runs of whitespace into at most `pieces`; the last keeps its inner runs.
fn words(text: &str, pieces: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if parts.len() + 1 == pieces {
            parts.push(rest);
            break;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    parts
}

/// As [`words`], from the right; the last of the result is the text's beginning.
fn words_from_right(text: &str, pieces: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        if parts.len() + 1 == pieces {
            parts.push(rest);
            break;
        }
        let word = rest.trim_end_matches(|c: char| !c.is_whitespace());
        parts.push(&rest[word.len()..]);
        rest = word.trim_end();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(expression: &str) -> String {
        let mut env = minijinja::Environment::new();
        env.set_unknown_method_callback(call);
        match env.render_str(&format!("{{{{ {expression} }}}}"), ()) {
            Ok(text) => text,
            Err(_) => "error".to_owned(),
        }
    }

    #[test]
    fn answers_as_python_does() {
        // Right sides: str(eval(left)) in Python 3.11.
        for (expression, expected) in [
            ("'</think>x'.removeprefix('</think>')", "x"),
            ("'x'.removesuffix('y')", "x"),
            ("'a=b=c'.partition('=')", "('a', '=', 'b=c')"),
            ("'a=b=c'.rpartition('=')", "('a=b', '=', 'c')"),
            ("'abc'.rpartition('=')", "('', '', 'abc')"),
            ("'abc'.partition('')", "error"),
            ("'a,b,c'.split(',')", "['a', 'b', 'c']"),
            ("'a,b,c'.split(',', 1)", "['a', 'b,c']"),
            ("'a,b,c'.split(',', maxsplit=1)", "['a', 'b,c']"),
            ("'a,b,c'.split(sep=',', maxsplit=-1)", "['a', 'b', 'c']"),
            ("'a,b,c'.rsplit(',', 1)", "['a,b', 'c']"),
            ("'a,b,c'.split(',', 0)", "['a,b,c']"),
            ("''.split(',')", "['']"),
            ("''.split()", "[]"),
            ("'  a  b  c  '.split()", "['a', 'b', 'c']"),
            ("'  a  b  c  '.split(maxsplit=1)", "['a', 'b  c  ']"),
            ("'  a  b  c  '.rsplit(none, 1)", "['  a  b', 'c']"),
            ("'abc'.split('')", "error"),
            ("'aéb'.index('b')", "2"),
            ("'a'.index('b')", "error"),
            ("'a'.ljust(3) ~ 'a'.rjust(3, '.') ~ '|'", "a  ..a|"),
            ("'a'.center(4) ~ 'ab'.center(5, '*') ~ '|'", " a  **ab*|"),
            ("'-5'.zfill(4) ~ 'abc'.zfill(2)", "-005abc"),
            ("'a'.ljust(99999999999)", "error"),
            ("[3, 4].index(4)", "1"),
            ("[3, 4].index(5)", "error"),
            ("'  x '.strip().upper()", "X"),
            ("'xax'.lstrip('x')", "ax"),
            ("{'a': 1}.get('b', 2)", "2"),
            ("'x'.nothing()", "error"),
        ] {
            assert_eq!(eval(expression), expected, "{expression}");
        }
    }
}
