//! The `tojson` filter as Hugging Face defines it for chat templates: Python's
//! `json.dumps(x, ensure_ascii=False, indent=None, separators=None,
//! sort_keys=False)`, without HTML escaping.

use std::fmt::Write;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::limits::{MAX_OUTPUT_BYTES, MAX_RECURSION};

/// Bytes of JSON that one unit of fuel pays for. The engine charges for the result
/// as for any string; this pays for walking the value.
const BYTES_PER_FUEL: usize = 16;

/// `value | tojson(indent, ensure_ascii=…, separators=…, sort_keys=…)`.
pub(super) fn tojson(
    state: &State,
    value: &Value,
    indent: Option<Value>,
    options: Kwargs,
) -> Result<Value, Error> {
    // HF's own signature has `ensure_ascii` first; nobody passes it by position,
    // while `tojson(4)` follows jinja2's built-in filter.
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get("indent")?,
    };
    let indent = indent.map(|v| indent_text(&v)).transpose()?.flatten();
    let (item, key) = match options.get::<Option<Vec<String>>>("separators")? {
        Some(pair) => <[String; 2]>::try_from(pair)
            .map(|[item, key]| (item, key))
            .map_err(|_| invalid("separators must be a pair of strings"))?,
        None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        None => (", ".to_owned(), ": ".to_owned()),
    };
    let mut writer = Writer {
        out: String::new(),
        indent,
        item,
        key,
        ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        sort: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        depth: 0,
    };
    options.assert_all_used()?;
    writer.value(value)?;
    state.consume_fuel((writer.out.len() / BYTES_PER_FUEL) as u64)?;
    Ok(Value::from(writer.out))
}

/// The text of one indentation step: a string, or a number of spaces (`True` is 1).
fn indent_text(indent: &Value) -> Result<Option<String>, Error> {
    if indent.is_none() || indent.is_undefined() {
        return Ok(None);
    }
    if let Some(text) = indent.as_str() {
        return Ok(Some(text.to_owned()));
    }
    let spaces = i64::try_from(indent.clone())?.max(0) as usize;
    if spaces > 64 {
        return Err(invalid("an indentation of more than 64 spaces"));
    }
    Ok(Some(" ".repeat(spaces)))
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

struct Writer {
    out: String,
    /// One step of indentation; `None` for everything on one line.
    indent: Option<String>,
    /// Between items.
    item: String,
    /// Between key and value.
    key: String,
    ascii: bool,
    sort: bool,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        if self.out.len() > MAX_OUTPUT_BYTES || self.depth > MAX_RECURSION {
            return Err(invalid("a value too large to be written as JSON"));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&number(value)?),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                self.container(value.try_iter()?, ['[', ']'], Self::value)?;
            }
            ValueKind::Map => self.map(value)?,
            other => {
                return Err(Error::new(
                    ErrorKind::BadSerialization,
                    format!("{other} cannot be written as JSON"),
                ));
            }
        }
        Ok(())
    }

    fn map(&mut self, value: &Value) -> Result<(), Error> {
        let mut entries = Vec::new();
        for key in value.try_iter()? {
            entries.push((key_text(&key)?, value.get_item(&key)?));
        }
        if self.sort {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
        self.container(entries.into_iter(), ['{', '}'], |writer, (key, value)| {
            writer.string(key);
            let separator = std::mem::take(&mut writer.key);
            writer.out.push_str(&separator);
            writer.key = separator;
            writer.value(value)
        })
    }

    fn container<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        brackets: [char; 2],
        mut write: impl FnMut(&mut Self, &T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(brackets[0]);
        self.depth += 1;
        let mut empty = true;
        for item in items {
            if !empty {
                let Self { out, item, .. } = self;
                out.push_str(item);
            }
            empty = false;
            self.line_break();
            write(self, &item)?;
        }
        self.depth -= 1;
        if !empty {
            self.line_break();
        }
        self.out.push(brackets[1]);
        Ok(())
    }

    fn line_break(&mut self) {
        if let Some(step) = &self.indent {
            self.out.push('\n');
            for _ in 0..self.depth {
                self.out.push_str(step);
            }
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a String cannot fail.
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// A key as `json.dumps` turns it into a string.
fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
        ValueKind::Number => number(key),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::None => Ok("null".to_owned()),
        _ => Err(invalid("keys must be strings, numbers, booleans or none")),
    }
}

fn number(value: &Value) -> Result<String, Error> {
    if value.is_integer() {
        return Ok(value.to_string());
    }
    Ok(float(f64::try_from(value.clone())?))
}

/// Python's `repr` of a float: the shortest digits that read back, in scientific
/// notation from 1e16 and below 1e-4.
fn float(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = format!("{x:e}");
    // `{:e}` always writes an exponent.
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = x.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, value: serde_json::Value) -> Result<String, Error> {
        let mut env = minijinja::Environment::new();
        env.add_filter("tojson", tojson);
        env.render_str(
            template,
            minijinja::context! { x => Value::from(minijinja::value::Serde(value)) },
        )
    }

    fn dumps(options: &str, json: &str) -> String {
        let value = serde_json::from_str(json).expect("test JSON");
        render(&format!("{{{{ x | tojson({options}) }}}}"), value).expect("renders")
    }

    #[test]
    fn writes_as_python_does() {
        // Right sides: json.dumps(json.loads(left), ensure_ascii=False) in Python 3.11.
        for (json, expected) in [
            (r#"{"b":1,"a":[true,false,null]}"#, r#"{"b": 1, "a": [true, false, null]}"#),
            ("[]", "[]"),
            ("{}", "{}"),
            (r#""<a href='x'>&é \u0001\u007f/""#, "\"<a href='x'>&é \\u0001\u{7f}/\""),
            (r#""\"\\\b\f\n\r\t""#, r#""\"\\\b\f\n\r\t""#),
            (
                "[1.0,0.1,1e16,1e15,1.5e22,0.0001,0.00001,-0.0,123456.789,5e-324]",
                "[1.0, 0.1, 1e+16, 1000000000000000.0, 1.5e+22, 0.0001, 1e-05, -0.0, 123456.789, 5e-324]",
            ),
            (
                "[18446744073709551615,-9223372036854775808]",
                "[18446744073709551615, -9223372036854775808]",
            ),
        ] {
            assert_eq!(dumps("", json), expected);
        }
    }

    #[test]
    fn knows_the_options() {
        let json = r#"{"b":[1,{"é":"😀"}],"a":{}}"#;
        assert_eq!(
            dumps("indent=2", json),
            "{\n  \"b\": [\n    1,\n    {\n      \"é\": \"😀\"\n    }\n  ],\n  \"a\": {}\n}"
        );
        assert_eq!(dumps("2", "[1]"), "[\n  1\n]");
        assert_eq!(dumps("indent='\t'", "[1]"), "[\n\t1\n]");
        assert_eq!(dumps("indent=none", "[1, 2]"), "[1, 2]");
        assert_eq!(
            dumps("ensure_ascii=true", json),
            r#"{"b": [1, {"\u00e9": "\ud83d\ude00"}], "a": {}}"#
        );
        assert_eq!(dumps("separators=(',', ':')", json), r#"{"b":[1,{"é":"😀"}],"a":{}}"#);
        assert_eq!(dumps("sort_keys=true", r#"{"b":1,"a":2}"#), r#"{"a": 2, "b": 1}"#);
    }

    #[test]
    fn refuses_what_has_no_json() {
        assert!(render("{{ missing | tojson }}", serde_json::Value::Null).is_err());
        assert!(render("{{ x | tojson(indnt=2) }}", serde_json::Value::Null).is_err());
        assert!(render("{{ x | tojson(indent=100000000) }}", serde_json::Value::Null).is_err());
        assert!(render("{{ x | tojson(separators=[',']) }}", serde_json::Value::Null).is_err());
    }

    #[test]
    fn ends_on_lists_that_share_their_parts() {
        let doubled = "{% set ns = namespace(a=[1]) %}{% for _ in range(60) %}\
                       {% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}";
        assert!(render(doubled, serde_json::Value::Null).is_err());
    }
}
