//! The GGML tensor types: numbers, names and block sizes.

use std::fmt;

/// Declares the enum and its table from one list, so that neither lacks a type.
macro_rules! ggml_types {
    ($($name:ident = $number:literal: $len:literal in $bytes:expr;)*) => {
        /// How a tensor's elements are stored. Quantised types come in blocks of
        /// [`GgmlType::block_len`] elements along the fastest dimension.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, non_camel_case_types)] // the names are GGML's
        pub enum GgmlType {
            $($name,)*
            /// A number that is not in the table: a type that GGML gave up, or
            /// a newer one.
            Unknown(u32),
        }

        const TABLE: &[Row] = &[
            $(Row {
                number: $number,
                dtype: GgmlType::$name,
                name: stringify!($name),
                len: $len,
                bytes: $bytes,
            },)*
        ];
    };
}

struct Row {
    number: u32,
    dtype: GgmlType,
    name: &'static str,
    /// Elements of a block.
    len: u64,
    /// Bytes of a block.
    bytes: u64,
}

// Name = number: elements in bytes of a block. Numbers as in `ggml.h`; bytes as
// the sum of the block's fields in `ggml-common.h`. Numbers 4, 5, 31 to 33 and
// 36 to 38 were given up.
ggml_types! {
    F32 = 0: 1 in 4;
    F16 = 1: 1 in 2;
    Q4_0 = 2: 32 in 2 + 16;
    Q4_1 = 3: 32 in 2 + 2 + 16;
    Q5_0 = 6: 32 in 2 + 4 + 16;
    Q5_1 = 7: 32 in 2 + 2 + 4 + 16;
    Q8_0 = 8: 32 in 2 + 32;
    Q8_1 = 9: 32 in 2 + 2 + 32;
    Q2_K = 10: 256 in 16 + 64 + 2 + 2;
    Q3_K = 11: 256 in 32 + 64 + 12 + 2;
    Q4_K = 12: 256 in 2 + 2 + 12 + 128;
    Q5_K = 13: 256 in 2 + 2 + 12 + 32 + 128;
    Q6_K = 14: 256 in 128 + 64 + 16 + 2;
    Q8_K = 15: 256 in 4 + 256 + 32;
    IQ2_XXS = 16: 256 in 2 + 64;
    IQ2_XS = 17: 256 in 2 + 64 + 8;
    IQ3_XXS = 18: 256 in 2 + 96;
    IQ1_S = 19: 256 in 2 + 32 + 16;
    IQ4_NL = 20: 32 in 2 + 16;
    IQ3_S = 21: 256 in 2 + 64 + 8 + 32 + 4;
    IQ2_S = 22: 256 in 2 + 64 + 8 + 8;
    IQ4_XS = 23: 256 in 2 + 2 + 4 + 128;
    I8 = 24: 1 in 1;
    I16 = 25: 1 in 2;
    I32 = 26: 1 in 4;
    I64 = 27: 1 in 8;
    F64 = 28: 1 in 8;
    IQ1_M = 29: 256 in 32 + 16 + 8;
    BF16 = 30: 1 in 2;
    TQ1_0 = 34: 256 in 48 + 4 + 2;
    TQ2_0 = 35: 256 in 64 + 2;
    MXFP4 = 39: 32 in 1 + 16;
    NVFP4 = 40: 64 in 4 + 32;
    Q1_0 = 41: 128 in 2 + 16;
    Q2_0 = 42: 64 in 2 + 16;
}

impl GgmlType {
    /// The type of GGML's number.
    pub fn from_number(number: u32) -> GgmlType {
        TABLE.iter().find(|row| row.number == number).map_or(Self::Unknown(number), |row| row.dtype)
    }

    /// `None` for unknown types only.
    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.dtype == self)
    }

    /// GGML's number of the type.
    pub fn number(self) -> u32 {
        match self {
            GgmlType::Unknown(number) => number,
            known => known.row().map_or(u32::MAX, |row| row.number),
        }
    }

    /// GGML's name in capitals, `"unknown"` for unknown numbers. The `Display`
    /// text also gives the number of those.
    pub fn name(self) -> &'static str {
        self.row().map_or("unknown", |row| row.name)
    }

    /// Elements of a block: 1 for plain numbers, 0 for unknown types.
    pub fn block_len(self) -> u64 {
        self.row().map_or(0, |row| row.len)
    }

    /// Bytes of a block, 0 for unknown types.
    pub fn block_bytes(self) -> u64 {
        self.row().map_or(0, |row| row.bytes)
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GgmlType::Unknown(number) => write!(f, "type {number}"),
            known => f.write_str(known.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::quantized::GgmlDType;

    #[test]
    fn numbers_names_and_types_are_unique_and_lead_to_each_other() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(GgmlType::from_number(row.number), row.dtype);
            assert_eq!(row.dtype.number(), row.number);
            assert_eq!(row.dtype.name(), format!("{:?}", row.dtype));
            assert_eq!(row.dtype.to_string(), row.name);
            if let Some(next) = TABLE.get(i + 1) {
                assert!(row.number < next.number);
            }
        }
    }

    #[test]
    fn unknown_numbers_are_kept() {
        for number in [4, 5, 31, 33, 36, 38, 43, u32::MAX] {
            let dtype = GgmlType::from_number(number);
            assert_eq!(dtype, GgmlType::Unknown(number));
            assert_eq!((dtype.number(), dtype.block_len(), dtype.block_bytes()), (number, 0, 0));
        }
        assert_eq!(GgmlType::Unknown(99).to_string(), "type 99");
    }

    /// candle holds the same table, written by others.
    #[test]
    fn sizes_agree_with_candle() {
        let pairs = [
            (GgmlType::F32, GgmlDType::F32),
            (GgmlType::F16, GgmlDType::F16),
            (GgmlType::BF16, GgmlDType::BF16),
            (GgmlType::Q4_0, GgmlDType::Q4_0),
            (GgmlType::Q4_1, GgmlDType::Q4_1),
            (GgmlType::Q5_0, GgmlDType::Q5_0),
            (GgmlType::Q5_1, GgmlDType::Q5_1),
            (GgmlType::Q8_0, GgmlDType::Q8_0),
            (GgmlType::Q8_1, GgmlDType::Q8_1),
            (GgmlType::Q2_K, GgmlDType::Q2K),
            (GgmlType::Q3_K, GgmlDType::Q3K),
            (GgmlType::Q4_K, GgmlDType::Q4K),
            (GgmlType::Q5_K, GgmlDType::Q5K),
            (GgmlType::Q6_K, GgmlDType::Q6K),
            (GgmlType::Q8_K, GgmlDType::Q8K),
        ];
        for (ours, theirs) in pairs {
            assert_eq!(ours.block_len(), theirs.block_size() as u64, "{ours}");
            assert_eq!(ours.block_bytes(), theirs.type_size() as u64, "{ours}");
        }
    }
}
