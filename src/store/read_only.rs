//! A storage that is looked at, and left as it is but for a model's time of use.

use super::record::Record;
use super::schema::{Backend, Manifest};
use super::storage::{Reply, Storage, Stored, Write};
use std::future::ready;
use std::rc::Rc;

/// Finds and reads what another one has. What is written is taken and goes nowhere.
pub(super) struct ReadOnly(pub(super) Rc<dyn Storage>);

impl Storage for ReadOnly {
    fn backend(&self) -> Option<Backend> {
        None
    }

    fn find(&self, url: &str, but: Option<f64>) -> Reply<Option<Stored>> {
        self.0.find(url, but)
    }

    fn read(
        &self,
        manifest: &Manifest,
        index: u32,
        spare: Option<Record>,
    ) -> Reply<Option<(Record, String)>> {
        self.0.read(manifest, index, spare)
    }

    fn write(&self, _: &Manifest, _: u32, _: Option<&Record>, _: Write) -> Reply<bool> {
        Box::pin(ready(Ok(true)))
    }

    fn commit(&self, _: &Manifest) -> Reply<bool> {
        Box::pin(ready(Ok(false)))
    }

    fn forget(&self, _: &Manifest) -> Reply<()> {
        Box::pin(ready(Ok(())))
    }
}
