//! Figures of a day, which the scripts count beside what they do.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::Cache;
use super::limits::SENDS;
use crate::error::Error;

impl Cache {
    /// All figures of a day. They are kept for three days after their first count.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn figures(&self, date: Date) -> Result<BTreeMap<String, u64>, Error> {
        let mut commands = redis::pipe();
        for slot in (0..=u8::MAX).map(|slot| format!("{slot:02x}")).chain([SENDS.to_owned()]) {
            commands.hgetall(self.figures_key(&slot, date));
        }
        let slots: Vec<BTreeMap<String, i64>> =
            self.bounded(async |mut connection| commands.query_async(&mut connection).await).await?;
        let mut sums = BTreeMap::new();
        for (name, count) in slots.into_iter().flatten() {
            *sums.entry(name).or_default() += u64::try_from(count).unwrap_or(0);
        }
        Ok(sums)
    }

    /// One for each slot, because a script may only touch keys of one.
    pub(super) fn figures_key(&self, slot: &str, date: Date) -> String {
        self.key(slot, "figures", &date.to_string())
    }
}
