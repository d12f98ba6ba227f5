//! Metadata values: the format's thirteen types.

use super::reader::{self, Reader, Step, bad};

/// The type numbers of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl ValueType {
    /// Reads a type number.
    pub(super) fn read(r: &mut Reader<'_>) -> Step<ValueType> {
        Ok(match r.u32()? {
            0 => ValueType::U8,
            1 => ValueType::I8,
            2 => ValueType::U16,
            3 => ValueType::I16,
            4 => ValueType::U32,
            5 => ValueType::I32,
            6 => ValueType::F32,
            7 => ValueType::Bool,
            8 => ValueType::String,
            9 => ValueType::Array,
            10 => ValueType::U64,
            11 => ValueType::I64,
            12 => ValueType::F64,
            other => return Err(bad(format!("there is no metadata type {other}")).into()),
        })
    }

    /// Bytes of a value of fixed size.
    pub(super) fn fixed_bytes(self) -> Option<u64> {
        match self {
            ValueType::String | ValueType::Array => None,
            fixed => Some(fixed.min_bytes()),
        }
    }

    /// Bytes of the shortest value.
    pub(super) fn min_bytes(self) -> u64 {
        match self {
            ValueType::U8 | ValueType::I8 | ValueType::Bool => 1,
            ValueType::U16 | ValueType::I16 => 2,
            ValueType::U32 | ValueType::I32 | ValueType::F32 => 4,
            ValueType::U64 | ValueType::I64 | ValueType::F64 => 8,
            // length u64
            ValueType::String => 8,
            // element type u32, length u64
            ValueType::Array => 12,
        }
    }
}

/// One metadata value. Serializes as the plain value.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
#[allow(missing_docs)] // the variants are the format's types
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array of metadata values of one type. Serializes as the plain array.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
#[allow(missing_docs)] // the variants are the format's types
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    String(Vec<String>),
    Array(Vec<Array>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

impl Value {
    pub(super) fn read(r: &mut Reader<'_>) -> Step<Value> {
        Ok(match ValueType::read(r)? {
            ValueType::U8 => Value::U8(u8::from_le_bytes(r.fixed()?)),
            ValueType::I8 => Value::I8(i8::from_le_bytes(r.fixed()?)),
            ValueType::U16 => Value::U16(u16::from_le_bytes(r.fixed()?)),
            ValueType::I16 => Value::I16(i16::from_le_bytes(r.fixed()?)),
            ValueType::U32 => Value::U32(u32::from_le_bytes(r.fixed()?)),
            ValueType::I32 => Value::I32(i32::from_le_bytes(r.fixed()?)),
            ValueType::F32 => Value::F32(f32::from_le_bytes(r.fixed()?)),
            ValueType::U64 => Value::U64(u64::from_le_bytes(r.fixed()?)),
            ValueType::I64 => Value::I64(i64::from_le_bytes(r.fixed()?)),
            ValueType::F64 => Value::F64(f64::from_le_bytes(r.fixed()?)),
            ValueType::Bool => Value::Bool(bool_from(r.fixed()?)?),
            ValueType::String => Value::String(read_string(r)?),
            ValueType::Array => Value::Array(Array::read(r, 0)?),
        })
    }

    /// The value as an integer, if it is of an integer type.
    pub fn as_integer(&self) -> Option<i128> {
        Some(match *self {
            Value::U8(v) => v.into(),
            Value::I8(v) => v.into(),
            Value::U16(v) => v.into(),
            Value::I16(v) => v.into(),
            Value::U32(v) => v.into(),
            Value::I32(v) => v.into(),
            Value::U64(v) => v.into(),
            Value::I64(v) => v.into(),
            _ => return None,
        })
    }
}

impl Array {
    /// Reads an array that stands within `depth` others.
    fn read(r: &mut Reader<'_>, depth: u32) -> Step<Array> {
        let (element, n) = read_array_head(r, depth)?;
        Ok(match element {
            ValueType::U8 => Array::U8(r.take(n)?.to_vec()),
            ValueType::I8 => Array::I8(numbers(r, n, i8::from_le_bytes)?),
            ValueType::U16 => Array::U16(numbers(r, n, u16::from_le_bytes)?),
            ValueType::I16 => Array::I16(numbers(r, n, i16::from_le_bytes)?),
            ValueType::U32 => Array::U32(numbers(r, n, u32::from_le_bytes)?),
            ValueType::I32 => Array::I32(numbers(r, n, i32::from_le_bytes)?),
            ValueType::F32 => Array::F32(numbers(r, n, f32::from_le_bytes)?),
            ValueType::U64 => Array::U64(numbers(r, n, u64::from_le_bytes)?),
            ValueType::I64 => Array::I64(numbers(r, n, i64::from_le_bytes)?),
            ValueType::F64 => Array::F64(numbers(r, n, f64::from_le_bytes)?),
            ValueType::Bool => {
                Array::Bool(r.take(n)?.iter().map(|&b| bool_from([b])).collect::<Step<_>>()?)
            }
            ValueType::String => {
                let mut strings = Vec::with_capacity(n as usize);
                for _ in 0..n {
                    strings.push(read_string(r)?);
                }
                Array::String(strings)
            }
            ValueType::Array => {
                let mut arrays = Vec::with_capacity(n as usize);
                for _ in 0..n {
                    arrays.push(Array::read(r, depth + 1)?);
                }
                Array::Array(arrays)
            }
        })
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Array::U8(v) => v.len(),
            Array::I8(v) => v.len(),
            Array::U16(v) => v.len(),
            Array::I16(v) => v.len(),
            Array::U32(v) => v.len(),
            Array::I32(v) => v.len(),
            Array::F32(v) => v.len(),
            Array::Bool(v) => v.len(),
            Array::String(v) => v.len(),
            Array::Array(v) => v.len(),
            Array::U64(v) => v.len(),
            Array::I64(v) => v.len(),
            Array::F64(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An array's element type and length. The bytes of the shortest such array
/// are there, so that memory for it is in proportion to the file.
pub(super) fn read_array_head(r: &mut Reader<'_>, depth: u32) -> Step<(ValueType, u64)> {
    if depth >= reader::MAX_ARRAY_DEPTH {
        let what = format!("arrays are nested deeper than {}", reader::MAX_ARRAY_DEPTH);
        return Err(bad(what).into());
    }
    let element = ValueType::read(r)?;
    let len = r.count(reader::MAX_ARRAY_LEN, "array elements")?;
    r.require(len * element.min_bytes())?;
    Ok((element, len))
}

fn read_string(r: &mut Reader<'_>) -> Step<String> {
    Ok(r.string(reader::MAX_STRING_BYTES, "a string")?.to_owned())
}

fn bool_from([byte]: [u8; 1]) -> Step<bool> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(bad(format!("a boolean is {other} instead of 0 or 1")).into()),
    }
}

fn numbers<const N: usize, T>(
    r: &mut Reader<'_>,
    n: u64,
    from_le_bytes: fn([u8; N]) -> T,
) -> Step<Vec<T>> {
    let (chunks, _) = r.take(n * N as u64)?.as_chunks();
    Ok(chunks.iter().map(|&chunk| from_le_bytes(chunk)).collect())
}
