//! Models in several files, `NAME-00001-of-00003.gguf` and so on, as `gguf-split` makes
//! them. The first part has the metadata, each has a table of the tensors in it, and the
//! keys `split.no` (from 0), `split.count` and `split.tensors.count` (of all parts).

use super::index::NameIndex;
use super::{Header, TensorInfo, reader};
use crate::error::{Error, Result};

/// Most parts that a model may have: real ones have tens.
const MAX_PARTS: u32 = 1000;

/// A file's place among the parts of its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Number of this part, from 0.
    pub no: u32,
    /// How many parts there are, at least 2.
    pub count: u32,
    /// Tensors of all parts together.
    pub n_tensors: u64,
}

impl Split {
    /// The path or address of this part, given that of the first; a query is kept.
    ///
    /// # Errors
    /// [`Error::SplitMismatch`] where the name does not say that it is the first part of so
    /// many.
    pub fn path(&self, first: &str) -> Result<String> {
        let suffix = |no: u32| format!("-{:05}-of-{:05}.gguf", no + 1, self.count);
        let path = first.find(['?', '#']).unwrap_or(first.len());
        match first[..path].strip_suffix(&suffix(0)) {
            Some(stem) => Ok(format!("{stem}{}{}", suffix(self.no), &first[path..])),
            None => Err(Error::SplitMismatch {
                part: 1,
                what: format!("its name does not end in {}", suffix(0)),
            }),
        }
    }
}

impl Header {
    /// Which part of a model this file is, `None` where it is the whole of it.
    ///
    /// # Errors
    /// [`Error::BadMetadata`] where its keys contradict one another.
    pub fn split(&self) -> Result<Option<Split>> {
        let bad = |key: &str| Err(Error::BadMetadata { key: key.into() });
        let count = match self.metadata.opt_u32("split.count")? {
            None | Some(1) => return Ok(None),
            Some(count) if (2..=MAX_PARTS).contains(&count) => count,
            Some(_) => return bad("split.count"),
        };
        let no = self.metadata.u32("split.no")?;
        if no >= count {
            return bad("split.no");
        }
        let n_tensors = self.metadata.u32("split.tensors.count")?.into();
        if (self.tensors.len() as u64) > n_tensors || n_tensors > reader::MAX_TENSORS {
            return bad("split.tensors.count");
        }
        Ok(Some(Split { no, count, n_tensors }))
    }

    /// Whether this is part `no` of the model whose first part is `first`.
    ///
    /// # Errors
    /// [`Error::SplitMismatch`] if it is not, and what [`Header::split`] finds.
    pub fn check_part_of(&self, first: Split, no: u32) -> Result<()> {
        let what = match self.split()? {
            None => "it is a model of its own".to_string(),
            Some(Split { no: found, .. }) if found != no => {
                format!("it says that it is part {}", found + 1)
            }
            Some(Split { count, .. }) if count != first.count => {
                format!("it says that there are {count} parts, not {}", first.count)
            }
            Some(Split { n_tensors, .. }) if n_tensors != first.n_tensors => {
                format!("it belongs to a model of {n_tensors} tensors, not {}", first.n_tensors)
            }
            Some(_) => return Ok(()),
        };
        Err(Error::SplitMismatch { part: no + 1, what })
    }

    /// The header that the files would have as one, one behind the other, each up to its
    /// [`Header::file_len`]: the first one's metadata, and all tensors.
    ///
    /// # Errors
    /// [`Error::SplitMismatch`] unless the parts are all there, in order, and fit together.
    pub fn join(parts: &[Header]) -> Result<Header> {
        let mismatch =
            |part: usize, what: String| Err(Error::SplitMismatch { part: part as u32 + 1, what });
        let [first, ..] = parts else { return mismatch(0, "it is missing".into()) };
        let Some(split) = first.split()? else {
            return mismatch(0, "it is a model of its own".into());
        };
        let (mut tensors, mut start) = (Vec::new(), 0u64);
        for (no, part) in parts.iter().enumerate() {
            part.check_part_of(split, no as u32)?;
            let end = start.checked_add(part.file_len()).filter(|&end| end <= i64::MAX as u64);
            let Some(end) = end else {
                return mismatch(no, "it ends beyond any file".into());
            };
            for tensor in &part.tensors {
                // From the first part's `data_offset`, which no later part's start is below.
                let offset = start + part.data_offset + tensor.offset - first.data_offset;
                tensors.push(TensorInfo { offset, ..tensor.clone() });
            }
            start = end;
        }
        if parts.len() != split.count as usize {
            return mismatch(parts.len(), "it is missing".into());
        }
        if tensors.len() as u64 != split.n_tensors {
            let (found, all) = (tensors.len(), split.n_tensors);
            return mismatch(0, format!("it promises {all} tensors, and the parts have {found}"));
        }
        let index = NameIndex::new(&tensors, |t| &t.name).map_err(|at| Error::SplitMismatch {
            part: 1,
            what: format!("there are two tensors {}", reader::quote(&tensors[at].name)),
        })?;
        Ok(Header { tensors, index, ..first.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        let split = Split { no: 2, count: 12, n_tensors: 9 };
        for (first, third) in [
            ("a-00001-of-00012.gguf", Some("a-00003-of-00012.gguf")),
            ("b/a-00001-of-00012.gguf?x=-00001-of", Some("b/a-00003-of-00012.gguf?x=-00001-of")),
            ("-00001-of-00012.gguf#f", Some("-00003-of-00012.gguf#f")),
            ("a-00001-of-00013.gguf", None),
            ("a-00002-of-00012.gguf", None),
            ("a.gguf", None),
            ("", None),
        ] {
            assert_eq!(split.path(first).ok().as_deref(), third, "{first}");
        }
    }
}
