//! Changes of a user's rights: one conditional write each, which raises the user's epoch.

use jiff::Timestamp;

use super::changes::Change;
use super::users::Users;
use crate::error::Error;
use crate::models::changed_by::ChangedBy;
use crate::models::phone::Phone;
use crate::models::rights::RightsChange;
use crate::models::role::Role;
use crate::models::user::User;

impl Users {
    /// Changes the rights of a phone's user; the row as it is then. `None`: the phone has no user, or a deleted one, which can
    /// only be disabled and enabled.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn change_rights(
        &self,
        phone: &Phone,
        change: RightsChange,
        at: Timestamp,
        by: &ChangedBy,
    ) -> Result<Option<User>, Error> {
        let row = Change::new(by, at).raising_epoch();
        let row = match change {
            RightsChange::Promote => row.role(Role::Admin).of_live(),
            RightsChange::Demote => row.role(Role::User).of_live(),
            RightsChange::Disable => row.disabled(true),
            RightsChange::Enable => row.disabled(false),
            RightsChange::EndSessions => row.of_live(),
            RightsChange::Delete => row.deleted(true),
        };
        self.change(phone, row).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::changes::tests::{by, users, uses_all};
    use super::super::scripted::{Ending, Scripted};
    use super::super::user_item::samples::{ID, row, user};
    use super::*;

    #[test]
    fn each_change_raises_the_epoch_under_a_condition() {
        for (change, changes, is_of_live) in [
            (RightsChange::Promote, ", #role = :role", true),
            (RightsChange::Demote, ", #role = :role", true),
            (RightsChange::Disable, ", #is_disabled = :is_disabled", false),
            (RightsChange::Enable, " REMOVE #is_disabled", false),
            (RightsChange::EndSessions, "", true),
            (
                RightsChange::Delete,
                ", delete_time = :at, #shard = #shard + :of_deleted, #is_delete = :is_delete, \
                 #deleted_by_admin = :deleted_by_admin",
                true,
            ),
        ] {
            let mut row = row();
            row["epoch"] = json!({ "N": "3" });
            let dynamodb = Scripted::new(&[Ending::ok(&json!({ "Attributes": row })), Ending::condition(&json!({}))]);
            let (users, phone, at, by) =
                (users(&dynamodb), user().phone, Timestamp::from_millisecond(7).unwrap(), by());
            let changed = dynamodb.run(users.change_rights(&phone, change, at, &by)).unwrap().unwrap();
            assert_eq!((changed.id.to_string().as_str(), changed.epoch, changed.is_disabled), (ID, 3, false));
            assert!(dynamodb.run(users.change_rights(&phone, change, at, &by)).unwrap().is_none(), "{change:?}");
            let body = &dynamodb.seen()[0].body;
            let expression = body["UpdateExpression"].as_str().unwrap();
            let rest = expression.rsplit_once("epoch = if_not_exists(epoch, :none) + :one").unwrap().1;
            assert_eq!(rest, changes);
            let condition = body["ConditionExpression"].as_str().unwrap();
            assert_eq!(condition.ends_with(" AND is_delete = :live"), is_of_live, "{condition}");
            assert!(condition.starts_with("attribute_exists(phone) AND ") && uses_all(body), "{body}");
        }
    }
}
