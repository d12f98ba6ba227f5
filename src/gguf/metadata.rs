//! The key-value pairs, and typed access to them.

use std::borrow::Cow;

use super::index::NameIndex;
use super::reader::{self, Reader, Step, bad, quote};
use super::value::{Array, Value};
use crate::error::{Error, Result};

/// Metadata in file order, with access by key.
///
/// For every type there is a pair of accessors: `x(key)` where the key is
/// needed, and `opt_x(key)` where it may be absent. Both fail with
/// [`Error::BadMetadata`] on a value of another type or out of range; only the
/// first also fails on an absent key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    pairs: Vec<(String, Value)>,
    index: NameIndex,
}

impl Metadata {
    /// Makes metadata from pairs, keeping their order.
    ///
    /// # Errors
    /// [`Error::BadHeader`] if a key occurs twice.
    pub fn new(pairs: Vec<(String, Value)>) -> Result<Metadata> {
        match NameIndex::new(&pairs, |pair| &pair.0) {
            Ok(index) => Ok(Metadata { pairs, index }),
            Err(at) => Err(bad(format!("the key {} occurs twice", quote(&pairs[at].0)))),
        }
    }

    pub(super) fn read(r: &mut Reader<'_>, n_keys: u64) -> Step<Metadata> {
        let mut pairs = Vec::new();
        for _ in 0..n_keys {
            let key = r.string(reader::MAX_KEY_BYTES, "a key")?;
            if key.is_empty() {
                return Err(bad("a key is empty".to_owned()).into());
            }
            pairs.push((key.to_owned(), Value::read(r)?));
        }
        Ok(Metadata::new(pairs)?)
    }

    /// The value of `key`, of whatever type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.index.find(&self.pairs, |pair| &pair.0, key).map(|at| &self.pairs[at].1)
    }

    /// All pairs in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// `None` if absent; an error if `convert` does not take the value.
    fn opt<'a, T>(
        &'a self,
        key: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => convert(value).map(Some).ok_or_else(|| unusable(key)),
        }
    }

    /// An integer of any type, if it fits.
    pub fn opt_u32(&self, key: &str) -> Result<Option<u32>> {
        self.opt(key, |value| u32::try_from(value.as_integer()?).ok())
    }

    /// An integer of any type, if it fits.
    pub fn u32(&self, key: &str) -> Result<u32> {
        self.opt_u32(key)?.ok_or_else(|| unusable(key))
    }

    /// A floating-point number; a 64-bit one is rounded.
    pub fn opt_f32(&self, key: &str) -> Result<Option<f32>> {
        self.opt(key, |value| match *value {
            Value::F32(v) => Some(v),
            Value::F64(v) => Some(v as f32),
            _ => None,
        })
    }

    /// A floating-point number; a 64-bit one is rounded.
    pub fn f32(&self, key: &str) -> Result<f32> {
        self.opt_f32(key)?.ok_or_else(|| unusable(key))
    }

    /// A boolean.
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>> {
        self.opt(key, |value| match *value {
            Value::Bool(v) => Some(v),
            _ => None,
        })
    }

    /// A boolean.
    pub fn bool(&self, key: &str) -> Result<bool> {
        self.opt_bool(key)?.ok_or_else(|| unusable(key))
    }

    /// A string.
    pub fn opt_str(&self, key: &str) -> Result<Option<&str>> {
        self.opt(key, |value| match value {
            Value::String(v) => Some(v.as_str()),
            _ => None,
        })
    }

    /// A string.
    pub fn str(&self, key: &str) -> Result<&str> {
        self.opt_str(key)?.ok_or_else(|| unusable(key))
    }

    /// An array of strings.
    pub fn opt_strings(&self, key: &str) -> Result<Option<&[String]>> {
        self.opt(key, |value| match value {
            Value::Array(Array::String(v)) => Some(v.as_slice()),
            _ => None,
        })
    }

    /// An array of strings.
    pub fn strings(&self, key: &str) -> Result<&[String]> {
        self.opt_strings(key)?.ok_or_else(|| unusable(key))
    }

    /// An array of 32-bit floating-point numbers.
    pub fn opt_f32s(&self, key: &str) -> Result<Option<&[f32]>> {
        self.opt(key, |value| match value {
            Value::Array(Array::F32(v)) => Some(v.as_slice()),
            _ => None,
        })
    }

    /// An array of 32-bit floating-point numbers.
    pub fn f32s(&self, key: &str) -> Result<&[f32]> {
        self.opt_f32s(key)?.ok_or_else(|| unusable(key))
    }

    /// An array of integers of any one type, if all fit.
    pub fn opt_i32s(&self, key: &str) -> Result<Option<Cow<'_, [i32]>>> {
        self.opt(key, |value| match value {
            Value::Array(Array::I32(v)) => Some(Cow::Borrowed(v.as_slice())),
            Value::Array(array) => integers(array).map(Cow::Owned),
            _ => None,
        })
    }

    /// An array of integers of any one type, if all fit.
    pub fn i32s(&self, key: &str) -> Result<Cow<'_, [i32]>> {
        self.opt_i32s(key)?.ok_or_else(|| unusable(key))
    }

    /// An array of integers of any one type, if all fit.
    pub fn opt_u32s(&self, key: &str) -> Result<Option<Cow<'_, [u32]>>> {
        self.opt(key, |value| match value {
            Value::Array(Array::U32(v)) => Some(Cow::Borrowed(v.as_slice())),
            Value::Array(array) => integers(array).map(Cow::Owned),
            _ => None,
        })
    }

    /// An array of integers of any one type, if all fit.
    pub fn u32s(&self, key: &str) -> Result<Cow<'_, [u32]>> {
        self.opt_u32s(key)?.ok_or_else(|| unusable(key))
    }
}

fn unusable(key: &str) -> Error {
    Error::BadMetadata { key: key.to_owned() }
}

/// The elements as `T`, if they are integers and all fit.
fn integers<T: TryFrom<i128>>(array: &Array) -> Option<Vec<T>> {
    fn convert<S: Copy + Into<i128>, T: TryFrom<i128>>(from: &[S]) -> Option<Vec<T>> {
        from.iter().map(|&v| T::try_from(v.into()).ok()).collect()
    }
    match array {
        Array::U8(v) => convert(v),
        Array::I8(v) => convert(v),
        Array::U16(v) => convert(v),
        Array::I16(v) => convert(v),
        Array::U32(v) => convert(v),
        Array::I32(v) => convert(v),
        Array::U64(v) => convert(v),
        Array::I64(v) => convert(v),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        let pairs = [
            ("small", Value::U8(7)),
            ("negative", Value::I64(-1)),
            ("large", Value::U64(1 << 40)),
            ("float", Value::F32(0.5)),
            ("double", Value::F64(0.25)),
            ("flag", Value::Bool(true)),
            ("text", Value::String("abc".into())),
            ("words", Value::Array(Array::String(vec!["a".into(), "b".into()]))),
            ("floats", Value::Array(Array::F32(vec![1.0, -2.0]))),
            ("types", Value::Array(Array::I32(vec![1, 3]))),
            ("heads", Value::Array(Array::U16(vec![4, 0]))),
            ("signed", Value::Array(Array::I8(vec![4, -4]))),
        ];
        Metadata::new(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()).unwrap()
    }

    #[test]
    fn typed_access() {
        let md = sample();
        assert_eq!(md.u32("small"), Ok(7));
        assert_eq!(md.f32("float"), Ok(0.5));
        assert_eq!(md.f32("double"), Ok(0.25));
        assert_eq!(md.bool("flag"), Ok(true));
        assert_eq!(md.str("text"), Ok("abc"));
        assert_eq!(md.strings("words").unwrap(), ["a", "b"]);
        assert_eq!(md.f32s("floats").unwrap(), [1.0, -2.0]);
        assert_eq!(&*md.i32s("types").unwrap(), [1, 3]);
        assert_eq!(&*md.u32s("types").unwrap(), [1, 3]);
        assert_eq!(&*md.u32s("heads").unwrap(), [4, 0]);
        assert_eq!(&*md.i32s("signed").unwrap(), [4, -4]);
        assert_eq!(md.iter().map(|(key, _)| key).last(), Some("signed"));
        assert_eq!(md.iter().next().map(|(key, _)| key), Some("small"));
    }

    #[test]
    fn absent_and_unusable_keys_differ() {
        let md = sample();
        assert_eq!(md.opt_u32("none"), Ok(None));
        assert_eq!(md.opt_strings("none"), Ok(None));
        let error = |key: &str| Error::BadMetadata { key: key.to_owned() };
        assert_eq!(md.u32("none"), Err(error("none")));
        assert_eq!(md.opt_u32("negative"), Err(error("negative")));
        assert_eq!(md.opt_u32("large"), Err(error("large")));
        assert_eq!(md.opt_u32("float"), Err(error("float")));
        assert_eq!(md.opt_str("small"), Err(error("small")));
        assert_eq!(md.opt_u32s("signed"), Err(error("signed")));
        assert_eq!(md.opt_f32s("types"), Err(error("types")));
        assert_eq!(md.opt_strings("text"), Err(error("text")));
    }

    #[test]
    fn a_key_may_occur_once() {
        let twice = vec![("k".to_owned(), Value::U8(1)), ("k".to_owned(), Value::U8(2))];
        assert!(matches!(Metadata::new(twice), Err(Error::BadHeader { .. })));
    }
}
