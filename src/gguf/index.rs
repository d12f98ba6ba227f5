//! Names → places in a list, without a second copy of the names.

/// Places of a list's entries, sorted by name. (Unlike a hash map it cannot be
/// slowed down by chosen names.)
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct NameIndex {
    places: Vec<u32>,
}

impl NameIndex {
    /// Indexes `entries` by `name`, or gives the place of an entry whose name
    /// occurs twice. At most `u32::MAX` entries.
    pub(super) fn new<T>(entries: &[T], name: fn(&T) -> &str) -> Result<NameIndex, usize> {
        let mut places: Vec<u32> = (0..entries.len() as u32).collect();
        let name_at = |place: u32| name(&entries[place as usize]);
        places.sort_unstable_by(|&a, &b| name_at(a).cmp(name_at(b)));
        match places.windows(2).find(|pair| name_at(pair[0]) == name_at(pair[1])) {
            Some(pair) => Err(pair[1] as usize),
            None => Ok(NameIndex { places }),
        }
    }

    /// The place of `wanted` in the list that was indexed.
    pub(super) fn find<T>(
        &self,
        entries: &[T],
        name: fn(&T) -> &str,
        wanted: &str,
    ) -> Option<usize> {
        self.places
            .binary_search_by(|&place| name(&entries[place as usize]).cmp(wanted))
            .ok()
            .map(|found| self.places[found] as usize)
    }
}
