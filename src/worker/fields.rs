//! The fields of a JSON object that somebody else wrote, read with their types and ranges.
//! Every error names the field.

use crate::{Error, Result};
use serde_json::{Map, Value};

/// An object's fields. Each is taken once; what is left in the end is unknown.
#[derive(Clone, Debug)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of an object; `name` is what to call it in an error.
    ///
    /// # Errors
    /// [`Error::BadRequest`] if it is not an object.
    pub fn new(name: &str, value: Value) -> Result<Fields> {
        match value {
            Value::Object(map) => Ok(Fields(map)),
            other => Err(must_be(name, "an object", &other)),
        }
    }

    /// A field as it is; `None` if absent or null.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// [`Error::BadRequest`], as for all below.
    pub fn required(&mut self, name: &str) -> Result<Value> {
        self.take(name).ok_or_else(|| bad(format!("`{name}` is missing")))
    }

    /// A text.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        self.typed(name, "a string", |value| match value {
            Value::String(text) => Some(std::mem::take(text)),
            _ => None,
        })
    }

    /// True or false.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "true or false", |value| value.as_bool())
    }

    /// A number, as far as `f32` can hold it.
    pub fn number(&mut self, name: &str) -> Result<Option<f32>> {
        self.typed(name, "a number", |value| value.as_f64().map(|number| number as f32))
    }

    /// A whole number from 0 up.
    pub fn count(&mut self, name: &str) -> Result<Option<usize>> {
        self.typed(name, "a whole number from 0 up", |value| whole(value)?.try_into().ok())
    }

    /// A whole number of either sign, of 53 bits.
    pub fn integer(&mut self, name: &str) -> Result<Option<i64>> {
        self.typed(name, "a whole number", |value| whole(value))
    }

    /// Token ids.
    pub fn tokens(&mut self, name: &str) -> Result<Option<Vec<u32>>> {
        self.typed(name, "an array of token ids", |value| token_ids(value))
    }

    /// One text or several.
    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        self.typed(name, "a string or an array of strings", |value| match value {
            Value::String(text) => Some(vec![std::mem::take(text)]),
            Value::Array(texts) => texts.iter().map(|t| t.as_str().map(String::from)).collect(),
            _ => None,
        })
    }

    /// An object's own fields.
    pub fn object(&mut self, name: &str) -> Result<Map<String, Value>> {
        let object = self.typed(name, "an object", |value| match value {
            Value::Object(map) => Some(std::mem::take(map)),
            _ => None,
        })?;
        Ok(object.unwrap_or_default())
    }

    /// Ends the reading: whatever is left is not known here.
    pub fn finish(self) -> Result<()> {
        match self.0.into_iter().find(|(_, value)| !value.is_null()) {
            None => Ok(()),
            Some((name, _)) => Err(bad(format!("`{name}` is not supported"))),
        }
    }

    fn typed<T>(
        &mut self,
        name: &str,
        expected: &str,
        convert: impl FnOnce(&mut Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(mut value) = self.take(name) else { return Ok(None) };
        match convert(&mut value) {
            Some(converted) => Ok(Some(converted)),
            None => Err(must_be(name, expected, &value)),
        }
    }
}

/// A whole number that JavaScript may also have written as `2.0`.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        let exact = number.fract() == 0.0 && number.abs() <= (1u64 << 53) as f64;
        exact.then_some(number as i64)
    })
}

/// An array of numbers from 0 to 2^32 - 1.
pub(super) fn token_ids(value: &Value) -> Option<Vec<u32>> {
    value.as_array()?.iter().map(|id| whole(id)?.try_into().ok()).collect()
}

pub(super) fn must_be(name: &str, expected: &str, found: &Value) -> Error {
    let mut found = found.to_string();
    if let Some((cut, _)) = found.char_indices().nth(40) {
        found.truncate(cut);
        found.push('…');
    }
    bad(format!("`{name}` must be {expected}, but is {found}"))
}

pub(super) fn bad(what: String) -> Error {
    Error::BadRequest { what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        Fields::new("request", value).unwrap()
    }

    #[test]
    fn reads_each_type() {
        let mut fields = fields(json!({
            "text": "a", "flag": true, "number": 1, "count": 2.0, "integer": -3,
            "tokens": [1, 2], "one": "x", "several": ["x", "y"], "object": {"a": 1}, "null": null,
        }));
        assert_eq!(fields.text("text"), Ok(Some("a".into())));
        assert_eq!(fields.flag("flag"), Ok(Some(true)));
        assert_eq!(fields.number("number"), Ok(Some(1.0)));
        assert_eq!(fields.count("count"), Ok(Some(2)));
        assert_eq!(fields.integer("integer"), Ok(Some(-3)));
        assert_eq!(fields.tokens("tokens"), Ok(Some(vec![1, 2])));
        assert_eq!(fields.texts("one"), Ok(Some(vec!["x".into()])));
        assert_eq!(fields.texts("several"), Ok(Some(vec!["x".into(), "y".into()])));
        assert_eq!(fields.object("object").map(|o| o.len()), Ok(1));
        assert_eq!(fields.number("null"), Ok(None));
        assert_eq!(fields.number("absent"), Ok(None));
        assert_eq!(fields.finish(), Ok(()));
    }

    #[test]
    fn an_error_names_the_field_and_what_was_there() {
        let mut fields = fields(
            json!({ "count": -1, "tokens": [1, "2"], "texts": [1], "long": "x".repeat(99) }),
        );
        let what = |result: Result<()>| match result {
            Err(Error::BadRequest { what }) => what,
            other => panic!("{other:?}"),
        };
        let count = what(fields.count("count").map(|_| ()));
        assert_eq!(count, "`count` must be a whole number from 0 up, but is -1");
        let tokens = what(fields.tokens("tokens").map(|_| ()));
        assert_eq!(tokens, "`tokens` must be an array of token ids, but is [1,\"2\"]");
        assert!(what(fields.texts("texts").map(|_| ())).starts_with("`texts` must be a string or"));
        assert!(what(fields.flag("long").map(|_| ())).ends_with("xxx…"));
        assert_eq!(what(fields.required("gone").map(|_| ())), "`gone` is missing");
    }

    #[test]
    fn what_nobody_took_is_not_supported() {
        let unknown = fields(json!({ "temprature": 1 })).finish();
        assert_eq!(unknown, Err(bad("`temprature` is not supported".into())));
        assert_eq!(fields(json!({ "unset": null })).finish(), Ok(()));
    }
}
