//! Daily stats, which the scripts count beside what they do.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::client::Cache;
use super::limits::SENDS;
use crate::error::Error;

/// How many days before today still have all their stats: each is kept for three days after its first count.
pub const DAYS_KEPT: i32 = 2;

impl Cache {
    /// All stats of a day, of which [`DAYS_KEPT`] are whole.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn daily_stats(&self, date: Date) -> Result<BTreeMap<String, u64>, Error> {
        let mut commands = redis::pipe();
        for slot in (0..=u8::MAX).map(|slot| format!("{slot:02x}")).chain([SENDS.to_owned()]) {
            commands.hgetall(self.stats_key(&slot, date));
        }
        let commands = &commands;
        let slots: Vec<BTreeMap<String, i64>> =
            self.access(|mut connection| async move { commands.query_async(&mut connection).await }).await?;
        let mut sums = BTreeMap::new();
        for (name, count) in slots.into_iter().flatten() {
            *sums.entry(name).or_default() += u64::try_from(count).unwrap_or(0);
        }
        Ok(sums)
    }
}
