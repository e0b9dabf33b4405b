//! Users that were deleted, by the sparse index `by_delete_time`, and users by the day that they registered.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::item::{Ask, Named, Operation, S, SHARD_NAME, Value, n};
use super::{Store, is_done};
use crate::error::Error;

/// Of users that are deleted; the same for all, because few are.
pub(super) const DELETED: u8 = 1;

const BY_DELETE_TIME: &str = "by_delete_time";

/// All that an index or a scan is asked for.
#[derive(Deserialize)]
pub(super) struct PhoneItem {
    pub(super) phone: S<String>,
}

impl Store {
    /// Phones of at most `count` users who were deleted before `before`, the earliest first.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn users_deleted_before(&self, before: Timestamp, count: usize) -> Result<Vec<String>, Error> {
        let query = Ask::<()> {
            index_name: Some(BY_DELETE_TIME),
            key_condition_expression: Some("is_delete = :deleted AND delete_time < :before"),
            expression_attribute_values: Some(Named(&deleted_before(before))),
            limit: Some(count),
            ..Ask::of(self.users_table()?)
        };
        let found = self.ask::<PhoneItem>(Operation::Query, query).await?;
        Ok(found.items.into_iter().map(|item| item.phone.text).collect())
    }

    /// Removes a deleted user for good; `false` when somebody has registered with the phone since.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn erase_user(&self, phone: &str, before: Timestamp) -> Result<bool, Error> {
        let delete = Ask::<()> {
            key: Some(Named(&[("phone", phone.into())])),
            condition_expression: Some("is_delete = :deleted AND delete_time < :before"),
            expression_attribute_values: Some(Named(&deleted_before(before))),
            ..Ask::of(self.users_table()?)
        };
        is_done(self.ask::<IgnoredAny>(Operation::DeleteItem, delete).await)
    }

    /// How many live users have registered from `from` until before `until`, counted by their ids, which begin with
    /// that time.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn count_registered(&self, shards: u8, from: Timestamp, until: Timestamp) -> Result<u64, Error> {
        let (from, until) = (first_id_of(from), first_id_of(until));
        let mut count = 0;
        for shard in 0..shards {
            // No id is the smallest of its millisecond, so the bound `until` itself is nobody's.
            let values =
                [(":shard", n(shard).into()), (":from", from.as_str().into()), (":until", until.as_str().into())];
            let mut start = None;
            loop {
                let query = Ask::<()> {
                    index_name: Some(super::users::INDEX),
                    key_condition_expression: Some("#shard = :shard AND id BETWEEN :from AND :until"),
                    expression_attribute_names: SHARD_NAME,
                    expression_attribute_values: Some(Named(&values)),
                    select: Some("COUNT"),
                    exclusive_start_key: start.as_deref(),
                    ..Ask::of(self.users_table()?)
                };
                let found = self.ask::<IgnoredAny>(Operation::Query, query).await?;
                count += found.count;
                start = found.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(count)
    }
}

fn deleted_before(before: Timestamp) -> [(&'static str, Value<'static>); 2] {
    [(":deleted", n(DELETED).into()), (":before", n(before.as_millisecond()).into())]
}

/// The smallest text that a `UUIDv7` of this millisecond could be.
fn first_id_of(at: Timestamp) -> String {
    let millis = at.as_millisecond().max(0);
    format!("{:08x}-{:04x}-", millis >> 16, millis & 0xffff)
}
