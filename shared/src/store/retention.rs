//! Users that were deleted, by the sparse index `by_delete_time`, and users by the day that they registered.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemOutput;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, Select};
use jiff::Timestamp;

use super::users::number;
use super::{Kind, Store, failed, if_still_so};
use crate::error::Error;

/// Of users that are deleted; the same for all, because few are.
pub(super) const DELETED: u8 = 1;

const BY_DELETE_TIME: &str = "by_delete_time";

impl Store {
    /// Phones of at most `count` users who were deleted before `before`, the earliest first.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn users_deleted_before(&self, before: Timestamp, count: i32) -> Result<Vec<String>, Error> {
        let query = self
            .client
            .query()
            .table_name(self.users_table()?)
            .index_name(BY_DELETE_TIME)
            .key_condition_expression("is_delete = :deleted AND delete_time < :before")
            .expression_attribute_values(":deleted", number(DELETED))
            .expression_attribute_values(":before", number(before.as_millisecond()))
            .limit(count)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send();
        let found = self.trip(query).await.map_err(|error| failed(&error))?;
        self.charge(found.consumed_capacity(), Kind::Read);
        Ok(found.items().iter().filter_map(|item| item.get("phone")?.as_s().ok().cloned()).collect())
    }

    /// Removes a deleted user for good; `false` when somebody has registered with the phone since.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn erase_user(&self, phone: &str, before: Timestamp) -> Result<bool, Error> {
        let delete = self
            .client
            .delete_item()
            .table_name(self.users_table()?)
            .key("phone", AttributeValue::S(phone.to_owned()))
            .condition_expression("is_delete = :deleted AND delete_time < :before")
            .expression_attribute_values(":deleted", number(DELETED))
            .expression_attribute_values(":before", number(before.as_millisecond()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send();
        let erased = if_still_so(self.trip(delete).await)?;
        self.charge(erased.as_ref().and_then(DeleteItemOutput::consumed_capacity), Kind::Write);
        Ok(erased.is_some())
    }

    /// How many live users have registered from `from` until before `until`, counted by their ids, which begin with
    /// that time.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn count_registered(&self, shards: u8, from: Timestamp, until: Timestamp) -> Result<u64, Error> {
        let mut count = 0;
        for shard in 0..shards {
            let mut start = None;
            loop {
                let query = self
                    .client
                    .query()
                    .table_name(self.users_table()?)
                    .index_name(super::users::INDEX)
                    .key_condition_expression("#shard = :shard AND id BETWEEN :from AND :until")
                    .expression_attribute_names("#shard", "shard")
                    .expression_attribute_values(":shard", number(shard))
                    .expression_attribute_values(":from", first_id_of(from))
                    // No id is the smallest of its millisecond, so this bound itself is nobody's.
                    .expression_attribute_values(":until", first_id_of(until))
                    .select(Select::Count)
                    .set_exclusive_start_key(start)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send();
                let found = self.trip(query).await.map_err(|error| failed(&error))?;
                self.charge(found.consumed_capacity(), Kind::Read);
                count += u64::try_from(found.count()).unwrap_or(0);
                start = found.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(count)
    }
}

/// The smallest text that a `UUIDv7` of this millisecond could be.
fn first_id_of(at: Timestamp) -> AttributeValue {
    let millis = at.as_millisecond().max(0);
    AttributeValue::S(format!("{:08x}-{:04x}-", millis >> 16, millis & 0xffff))
}
