//! One item a day with what happened, in the table of runs; it has no time-to-live.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use jiff::civil::Date;
use serde::Serialize;

use super::database::{Database, failed, write};
use super::item::to_item;
use crate::config::Config;
use crate::error::{Error, StartError};

/// The daily stats.
pub struct Stats {
    database: Database,
    table: String,
}

#[derive(Serialize)]
struct StatsItem<'a> {
    run: String,
    #[serde(flatten)]
    stats: &'a BTreeMap<String, u64>,
}

impl Stats {
    /// The daily stats of this stage.
    ///
    /// # Errors
    /// `RUNS_TABLE`, when it is not set.
    pub fn new(database: &Database, config: &Config) -> Result<Self, StartError> {
        Ok(Self { database: database.clone(), table: config.runs_table().map_err(StartError::of)?.to_owned() })
    }

    /// Writes the stats of a day, over those written before.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn put(&self, date: Date, stats: &BTreeMap<String, u64>) -> Result<(), Error> {
        let put = self.database.client.put_item().table_name(&self.table).return_consumed_capacity(Total);
        let put = put.set_item(Some(to_item(StatsItem::new(date, stats))?));
        let outcome = write(put.send(), PutItemOutput::consumed_capacity).await;
        outcome.map(drop).map_err(|error| failed(&error))
    }
}

impl<'a> StatsItem<'a> {
    fn new(date: Date, stats: &'a BTreeMap<String, u64>) -> Self {
        Self { run: format!("figures#{date}"), stats }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scripted::{Ending, Scripted};
    use super::*;

    #[test]
    fn a_day_is_one_item_with_a_number_for_each_count() {
        let dynamodb = Scripted::new(&[Ending::ok(&json!({}))]);
        let stats = Stats { database: Database::new(dynamodb.config()), table: "runs".to_owned() };
        let counts = BTreeMap::from([("logins".to_owned(), 7), ("sms_sent".to_owned(), 0)]);
        dynamodb.run(stats.put("2026-11-22".parse().unwrap(), &counts)).unwrap();
        let expected =
            json!({ "run": { "S": "figures#2026-11-22" }, "logins": { "N": "7" }, "sms_sent": { "N": "0" } });
        assert_eq!(dynamodb.seen()[0].body["Item"], expected);
    }
}
