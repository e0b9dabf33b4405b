//! One item a day with what happened, in the table of runs; it has no time-to-live.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::de::IgnoredAny;

use super::Store;
use super::item::{Ask, Named, Operation, natural};
use crate::error::Error;

impl Store {
    /// Writes the figures of a day, over those written before.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn put_figures(&self, date: Date, figures: &BTreeMap<String, u64>) -> Result<(), Error> {
        let run = format!("figures#{date}");
        let counts = figures.iter().map(|(name, count)| (name.as_str(), natural(*count).into()));
        let item: Vec<_> = [("run", run.as_str().into())].into_iter().chain(counts).collect();
        let write = Ask { item: Some(Named(&item)), ..Ask::of(self.runs_table()?) };
        self.ask::<IgnoredAny>(Operation::PutItem, write).await?;
        Ok(())
    }
}
