//! Changes of a user's row. One builder makes them, so that each raises the row's version and says who made it; `moves` does so
//! for a change of phone.

use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use aws_sdk_dynamodb::types::ReturnValue::AllNew;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use jiff::Timestamp;

use super::database::{failed, write};
use super::item::{Item, n, s, to_item};
use super::user_item::read_user;
use super::users::{OF_DELETED, Users};
use crate::error::Error;
use crate::models::changed_by::ChangedBy;
use crate::models::notice::Notice;
use crate::models::phone::Phone;
use crate::models::profile::{ProfileChange, Value};
use crate::models::role::Role;
use crate::models::user::{User, UserId};

/// A change of a row: what it sets, what it removes, and when it takes effect.
pub struct Change {
    set: Vec<String>,
    removed: Vec<&'static str>,
    condition: Vec<String>,
    /// Attributes with a placeholder `#name`: names can be reserved words.
    names: Vec<&'static str>,
    values: Vec<(String, AttributeValue)>,
    by: ChangedBy,
    notice: Option<Notice>,
}

impl Change {
    /// A change at a moment, which sets nothing else yet. One call makes at most one change of a row: what the same call
    /// sends again, because the response was lost, finds that it has taken effect.
    #[must_use]
    pub fn new(by: &ChangedBy, at: Timestamp) -> Self {
        let set = ["version = if_not_exists(version, :none) + :one", "changed_by = :by", "update_time = :at"];
        let not_by_this_call = "(attribute_not_exists(changed_by) OR changed_by.request_id <> :request)".to_owned();
        let values =
            [(":none", n(0)), (":one", n(1)), (":at", n(at.as_millisecond())), (":request", s(by.request_id.clone()))];
        Self {
            set: set.map(str::to_owned).to_vec(),
            removed: Vec::new(),
            condition: vec!["attribute_exists(phone)".to_owned(), not_by_this_call],
            names: Vec::new(),
            values: values.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            by: by.clone(),
            notice: None,
        }
    }

    /// Only if the row is this user's.
    #[must_use]
    pub fn of_user(mut self, id: UserId) -> Self {
        self.condition.push("id = :id".to_owned());
        self.value(":id", s(id.to_string()))
    }

    /// Only if the user is not deleted.
    #[must_use]
    pub fn of_live(mut self) -> Self {
        self.condition.push("is_delete = :live".to_owned());
        self.value(":live", n(0))
    }

    /// Only if the user is deleted.
    #[must_use]
    pub fn of_deleted(mut self) -> Self {
        self.condition.push("is_delete = :deleted".to_owned());
        self.value(":deleted", n(1))
    }

    /// Only if the user was deleted before this moment.
    #[must_use]
    pub(super) fn of_deleted_before(mut self, before: Timestamp) -> Self {
        self.condition.push("delete_time < :before".to_owned());
        self.value(":before", n(before.as_millisecond())).of_deleted()
    }

    /// Raises the user's epoch, which ends sessions, tokens and devices. Every change of rights does.
    #[must_use]
    pub fn raising_epoch(mut self) -> Self {
        self.set.push("epoch = if_not_exists(epoch, :none) + :one".to_owned());
        self
    }

    /// Names what the change keeps, so that the same request is recognized when it is sent again; see [`Users::kept`].
    #[must_use]
    pub fn keeping(self, kept: &str) -> Self {
        self.set("kept", s(kept))
    }

    /// Sets the role.
    #[must_use]
    pub fn role(self, role: Role) -> Self {
        self.set("role", s(role.as_str()))
    }

    /// Changes the profile.
    #[must_use]
    pub fn profile(self, change: &ProfileChange) -> Self {
        change.iter().fold(self, |row, (field, value)| {
            let value = match value {
                Some(Value::Number(number)) => n(number),
                Some(Value::Text(text)) => s(text),
                None => s(""),
            };
            row.set(field.name, value)
        })
    }

    /// Only if nobody has changed the row since it had this version.
    #[must_use]
    pub fn of_version(mut self, version: u64) -> Self {
        let unchanged = "(version = :version OR (attribute_not_exists(version) AND :version = :none))";
        self.condition.push(unchanged.to_owned());
        self.value(":version", n(version))
    }

    /// Only if no change of rights has come after this epoch.
    #[must_use]
    pub fn of_epoch(mut self, epoch: u64) -> Self {
        self.condition.push("(attribute_not_exists(epoch) OR epoch <= :epoch)".to_owned());
        self.value(":epoch", n(epoch))
    }

    /// Disables or enables the account. Only a disabled one has the attribute, and so is in the index `by_disabled`.
    #[must_use]
    pub fn disabled(self, is_disabled: bool) -> Self {
        if is_disabled { self.set("is_disabled", n(1)) } else { self.remove("is_disabled") }
    }

    /// Deletes a live user, at the time of the change.
    #[must_use]
    pub fn deleted(mut self, by_admin: bool) -> Self {
        self.set.extend(["delete_time = :at", "#shard = #shard + :of_deleted"].map(str::to_owned));
        self.names.push("shard");
        let deleted = self.value(":of_deleted", n(OF_DELETED)).set("is_delete", n(1)).of_live();
        if by_admin { deleted.set("deleted_by_admin", n(1)) } else { deleted.remove("deleted_by_admin") }
    }

    /// Takes from a deleted user the right to come back by a login.
    #[must_use]
    pub fn deleted_for_good(self) -> Self {
        self.set("deleted_by_admin", n(1)).of_deleted()
    }

    /// Writes a notice of the change into the row; the table's stream sends it.
    #[must_use]
    pub fn with_notice(mut self, notice: Notice) -> Self {
        self.set.push("notice = :notice".to_owned());
        self.notice = Some(notice);
        self
    }

    /// Restores a deleted user. Removes a notice that was not removed yet (the stream has it): the next deletion must write a
    /// different value, or its notice would not be seen as new.
    #[must_use]
    pub fn restored(self, id: UserId) -> Self {
        let restored = self.set("is_delete", n(0)).set("shard", n(id.shard()));
        restored.remove("delete_time").remove("deleted_by_admin").remove("notice").of_deleted()
    }

    /// Sets an attribute.
    pub(super) fn set(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.set.push(format!("#{name} = :{name}"));
        self.names.push(name);
        self.value(&format!(":{name}"), value)
    }

    /// Removes an attribute.
    pub(super) fn remove(mut self, name: &'static str) -> Self {
        self.removed.push(name);
        self.names.push(name);
        self
    }

    fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.push((name.to_owned(), value));
        self
    }

    fn update_expression(&self) -> String {
        let mut expression = format!("SET {}", self.set.join(", "));
        for (at, name) in self.removed.iter().enumerate() {
            expression.push_str(if at == 0 { " REMOVE #" } else { ", #" });
            expression.push_str(name);
        }
        expression
    }

    /// Whether a row that was met is the one that this change has left.
    fn is_done(&self, met: &Item) -> bool {
        let by = met.get("changed_by").and_then(|by| by.as_m().ok());
        by.and_then(|by| by.get("request_id")).is_some_and(|id| *id == s(self.by.request_id.as_str()))
    }
}

impl Users {
    /// The user of a phone, if the change of rights that made its epoch keeps this.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn kept(&self, phone: &Phone, epoch: u64, kept: &str) -> Result<Option<User>, Error> {
        let item = self.item(phone).await?.filter(|item| item.get("kept") == Some(&s(kept)));
        Ok(item.map(read_user).transpose()?.filter(|user| user.epoch == epoch))
    }

    /// Changes the row of a phone, by one conditional write; the row as it is then. `None`: the condition does not hold.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn change(&self, phone: &Phone, change: Change) -> Result<Option<User>, Error> {
        self.change_item(phone.e164(), change).await?.map(read_user).transpose()
    }

    /// The same for a row that perhaps cannot be read.
    pub(super) async fn change_item(&self, phone: &str, change: Change) -> Result<Option<Item>, Error> {
        let update = self.database.client.update_item().table_name(&self.table).return_consumed_capacity(Total);
        let mut update = update
            .key("phone", s(phone))
            .update_expression(change.update_expression())
            .condition_expression(change.condition.join(" AND "))
            .expression_attribute_values(":by", AttributeValue::M(to_item(&change.by)?))
            .return_values(AllNew)
            .return_values_on_condition_check_failure(AllOld);
        for name in &change.names {
            update = update.expression_attribute_names(format!("#{name}"), *name);
        }
        for (name, value) in &change.values {
            update = update.expression_attribute_values(name, value.clone());
        }
        if let Some(notice) = &change.notice {
            update = update.expression_attribute_values(":notice", AttributeValue::M(to_item(notice)?));
        }
        match write(update.send(), UpdateItemOutput::consumed_capacity).await {
            Ok(output) => Ok(output.attributes),
            Err(error) => {
                let met: Option<Item> = match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => refusal.item().cloned(),
                    _ => return Err(failed(&error)),
                };
                Ok(met.filter(|met| change.is_done(met)))
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value as Json, json};

    use super::super::database::Database;
    use super::super::scripted::{Ending, Scripted};
    use super::super::user_item::samples::{ID, row, user};
    use super::*;
    use crate::models::params::{self, Fields, Rules};

    pub(in crate::db) fn users(dynamodb: &Scripted) -> Users {
        Users { database: Database::new(dynamodb.config()), table: "users".to_owned(), shards: 1 }
    }

    pub(in crate::db) fn by() -> ChangedBy {
        serde_json::from_value(json!({ "role": "job", "credential": "job", "request_id": "r-1" })).unwrap()
    }

    fn change() -> Change {
        Change::new(&by(), Timestamp::from_millisecond(7).unwrap())
    }

    fn profile() -> ProfileChange {
        let given = json!({ "gender": 2, "user_name": "b", "city": null });
        let rules = Rules::sample();
        params::read(&mut Fields::new(given.as_object().unwrap(), &rules)).unwrap()
    }

    #[test]
    fn a_change_of_the_profile_sets_what_it_names() {
        let dynamodb = Scripted::new(&[Ending::ok(&json!({ "Attributes": row() }))]);
        dynamodb.run(users(&dynamodb).change(&user().phone, change().profile(&profile()))).unwrap();
        let values = &dynamodb.seen()[0].body["ExpressionAttributeValues"];
        let set = [":user_name", ":gender", ":city"].map(|name| values[name].clone());
        assert_eq!(set, [json!({ "S": "b" }), json!({ "N": "2" }), json!({ "S": "" })]);
    }

    /// Whether the expressions of an update use exactly the names and values that it has: DynamoDB refuses others.
    pub(in crate::db) fn uses_all(body: &Json) -> bool {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let used = text("UpdateExpression") + " " + &text("ConditionExpression");
        let words = used.split([' ', ',', '(', ')', '.']);
        let mut used: Vec<_> = words.filter(|word| word.starts_with([':', '#'])).collect();
        used.sort_unstable();
        used.dedup();
        let maps = ["ExpressionAttributeNames", "ExpressionAttributeValues"].map(|map| body[map].as_object());
        let mut given: Vec<_> = maps.into_iter().flatten().flat_map(|map| map.keys().map(String::as_str)).collect();
        given.sort_unstable();
        used == given
    }

    #[test]
    fn every_change_raises_the_version_and_says_who_made_it() {
        let id = ID.parse().unwrap();
        for change in [
            change(),
            change().of_live().role(Role::Admin).raising_epoch(),
            change().disabled(true),
            change().disabled(false),
            change().of_user(id).deleted(true).raising_epoch(),
            change().deleted(false).disabled(true).role(Role::User),
            change().restored(id).disabled(false).raising_epoch(),
            change().deleted_for_good().raising_epoch(),
            change().raising_epoch().keeping("1:ab"),
            change().of_user(id).of_epoch(7).of_version(3).profile(&profile()),
        ] {
            let dynamodb = Scripted::new(&[Ending::ok(&json!({ "Attributes": row() }))]);
            let changed = dynamodb.run(users(&dynamodb).change(&user().phone, change)).unwrap().unwrap();
            let body = &dynamodb.seen()[0].body;
            let expression = body["UpdateExpression"].as_str().unwrap();
            let always = "SET version = if_not_exists(version, :none) + :one, changed_by = :by, update_time = :at";
            assert!(expression.starts_with(always), "{expression}");
            assert!(uses_all(body), "{body}");
            let by =
                json!({ "M": { "role": { "S": "job" }, "credential": { "S": "job" }, "request_id": { "S": "r-1" } } });
            assert_eq!((&body["ExpressionAttributeValues"][":by"], changed.id), (&by, id));
        }
    }

    #[test]
    fn the_deleted_have_shards_of_their_own() {
        let seen = |change: Change| {
            let dynamodb = Scripted::new(&[Ending::ok(&json!({ "Attributes": row() }))]);
            dynamodb.run(users(&dynamodb).change(&user().phone, change)).unwrap();
            let body = &dynamodb.seen()[0].body;
            let condition = body["ConditionExpression"].as_str().unwrap().rsplit(" AND ").next().unwrap().to_owned();
            let (set, removed) = body["UpdateExpression"]
                .as_str()
                .unwrap()
                .split_once("update_time = :at")
                .map(|(_, rest)| rest.split_once(" REMOVE ").unwrap())
                .unwrap();
            (set.to_owned(), removed.to_owned(), condition)
        };
        assert_eq!(
            seen(change().deleted(false)),
            (
                ", delete_time = :at, #shard = #shard + :of_deleted, #is_delete = :is_delete".to_owned(),
                "#deleted_by_admin".to_owned(),
                "is_delete = :live".to_owned()
            )
        );
        assert_eq!(
            seen(change().restored(ID.parse().unwrap())),
            (
                ", #is_delete = :is_delete, #shard = :shard".to_owned(),
                "#delete_time, #deleted_by_admin, #notice".to_owned(),
                "is_delete = :deleted".to_owned()
            )
        );
    }

    #[test]
    fn a_change_that_meets_itself_has_taken_effect() {
        let met = |request_id: &str| {
            let mut row = row();
            let by = json!({ "role": { "S": "job" }, "credential": { "S": "job" }, "request_id": { "S": request_id } });
            row["changed_by"] = json!({ "M": by });
            Ending::condition(&row)
        };
        for (ending, is_done) in [
            (met("r-1"), true),
            (met("r-2"), false),
            (Ending::condition(&row()), false),
            (Ending::condition(&json!({})), false),
        ] {
            let dynamodb = Scripted::new(&[ending]);
            assert_eq!(dynamodb.run(users(&dynamodb).change(&user().phone, change())).unwrap().is_some(), is_done);
        }
    }
}
