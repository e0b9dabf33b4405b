//! One item a day with what happened, in the table of runs; it has no time-to-live.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::database::{Database, failed, read, write};
use super::item::{from_item, s, to_item};
use crate::config::Config;
use crate::error::{Cause, Error, StartError};

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

/// All that is read of an item of a day.
#[derive(Deserialize)]
struct DayItem {
    run: String,
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

    /// The last of these days that has stats; there may be up to 100 days.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn last_of(&self, days: &[Date]) -> Result<Option<Date>, Error> {
        let keys = days.iter().map(|day| [("run".to_owned(), s(key(*day)))].into());
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys.collect())).projection_expression("run");
        let wanted = wanted.build().map_err(|cause| Error::Internal(Cause::of(&cause)))?;
        let get = self.database.client.batch_get_item().return_consumed_capacity(Total);
        let get = get.request_items(&self.table, wanted);
        let found = read(get.send(), |found: &BatchGetItemOutput| found.consumed_capacity().first()).await?;
        if found.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            return Err(Error::Db(Cause::new("a batch of which a part was not read")));
        }
        let items = found.responses.into_iter().flat_map(|mut tables| tables.remove(&self.table).unwrap_or_default());
        let runs: BTreeSet<_> = items.map(|item| Ok(from_item::<DayItem>(item)?.run)).collect::<Result<_, Error>>()?;
        Ok(days.iter().copied().filter(|day| runs.contains(&key(*day))).max())
    }
}

impl<'a> StatsItem<'a> {
    fn new(date: Date, stats: &'a BTreeMap<String, u64>) -> Self {
        Self { run: key(date), stats }
    }
}

fn key(date: Date) -> String {
    format!("figures#{date}")
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

    fn stats(dynamodb: &Scripted) -> Stats {
        Stats { database: Database::new(dynamodb.config()), table: "runs".to_owned() }
    }

    #[test]
    fn the_last_day_with_stats_is_found_in_one_call() {
        let days: Vec<Date> = ["2026-11-20", "2026-11-22", "2026-11-21"].map(|day| day.parse().unwrap()).into();
        let found = |runs: &[&str]| {
            let items: Vec<_> = runs.iter().map(|run| json!({ "run": { "S": format!("figures#{run}") } })).collect();
            Ending::ok(&json!({ "Responses": { "runs": items }, "UnprocessedKeys": {} }))
        };
        for (ending, last) in [
            (found(&["2026-11-20", "2026-11-21"]), Some("2026-11-21")),
            (found(&["2026-11-22"]), Some("2026-11-22")),
            (found(&[]), None),
            (Ending::ok(&json!({ "Responses": {} })), None),
        ] {
            let dynamodb = Scripted::new(&[ending]);
            let day = dynamodb.run(stats(&dynamodb).last_of(&days)).unwrap();
            assert_eq!(day, last.map(|day| day.parse().unwrap()));
            let wanted = &dynamodb.seen()[0].body["RequestItems"]["runs"];
            assert_eq!(wanted["Keys"][0], json!({ "run": { "S": "figures#2026-11-20" } }));
            assert_eq!((wanted["Keys"].as_array().unwrap().len(), &wanted["ProjectionExpression"]), (3, &json!("run")));
        }
    }

    #[test]
    fn a_batch_of_which_a_part_was_not_read_is_an_error() {
        let rest = json!({ "runs": { "Keys": [{ "run": { "S": "figures#2026-11-20" } }] } });
        let dynamodb = Scripted::new(&[Ending::ok(&json!({ "Responses": {}, "UnprocessedKeys": rest }))]);
        let days = ["2026-11-20".parse().unwrap()];
        assert!(matches!(dynamodb.run(stats(&dynamodb).last_of(&days)), Err(Error::Db(_))));
    }
}
