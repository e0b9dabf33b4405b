//! One item a day with what happened, in the table of runs; it has no time-to-live.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::civil::Date;

use super::{Item, Store, failed};
use crate::error::Error;

impl Store {
    /// Writes the figures of a day, over those written before.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn put_figures(&self, date: Date, figures: &BTreeMap<String, u64>) -> Result<(), Error> {
        let mut item = Item::from([("run".to_owned(), AttributeValue::S(format!("figures#{date}")))]);
        for (name, count) in figures {
            item.insert(name.clone(), AttributeValue::N(count.to_string()));
        }
        let write = self.client.put_item().table_name(self.runs_table()?).set_item(Some(item)).send();
        self.trip(write).await.map(drop).map_err(|error| failed(&error))
    }
}
