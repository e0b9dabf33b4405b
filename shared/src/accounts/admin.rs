//! What admins see and change of other users.

use std::sync::Arc;

use serde_json::Value;
use tracing::info;

use super::rights::AUDIT;
use super::row::WholeUser;
use super::sessions::Authenticator;
use crate::aws::Clients;
use crate::config::Config;
use crate::db::{Change, Database, Users};
use crate::error::{Cause, Error, Reason, StartError};
use crate::models::call::Call;
use crate::models::changed_by::ChangedBy;
use crate::models::params::{Field, Fields, Params, Required, Rules};
use crate::models::phone::Phone;
use crate::models::principal::Principal;
use crate::models::role::Role;
use crate::models::user::{User, UserId};

/// How often a change is tried whose row another request changes meanwhile.
const TRIES: usize = 4;

/// Whom an admin asks for.
pub struct Wanted {
    phone: Option<Phone>,
    id: Option<UserId>,
}

impl Params for Wanted {
    fn required() -> Required {
        Required::Nothing
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let phone = fields.read_optional("phone");
        let id = fields.read_optional("id");
        Some(Self { phone: phone?, id: id? })
    }
}

impl Field for Role {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let word = value.as_str().ok_or(Reason::NotARole)?;
        Some(Self::of(word)).filter(|role| role.as_str() == word).ok_or(Reason::NotARole)
    }
}

/// What an admin changes of a user.
pub struct UserChange {
    whom: Wanted,
    reset_tries: bool,
    role: Option<Role>,
    disabled: Option<bool>,
    end_sessions: bool,
    /// Deletes (`true`) or restores.
    delete: Option<bool>,
}

impl Params for UserChange {
    fn required() -> Required {
        Required::Nothing
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let whom = Wanted::read(fields);
        let reset_tries = fields.read_flag("reset_tries");
        let role = fields.read_optional("role");
        let disabled = fields.read_flag("disabled");
        let end_sessions = fields.read_flag("end_sessions");
        let (delete, restore) = (fields.read_flag("delete"), fields.read_flag("restore"));
        let delete = match (delete? == Some(true), restore? == Some(true)) {
            (true, true) => {
                fields.refuse("restore", Reason::NotBeside("delete"));
                return None;
            }
            (true, false) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        Some(Self {
            whom: whom?,
            reset_tries: reset_tries? == Some(true),
            role: role?,
            disabled: disabled?,
            end_sessions: end_sessions? == Some(true),
            delete,
        })
    }
}

impl UserChange {
    /// Whether nothing of the row is to change.
    fn is_empty(&self) -> bool {
        self.role.is_none() && self.disabled.is_none() && !self.end_sessions && self.delete.is_none()
    }

    /// Whether it changes what only a user has who is not deleted, and does not restore it.
    fn is_of_the_living(&self, user: &User) -> bool {
        match self.delete {
            Some(false) => false,
            Some(true) => self.role.is_some_and(|role| role != user.role),
            None => self.end_sessions || self.role.is_some_and(|role| role != user.role),
        }
    }

    /// What is left to do for this row; `None` if it is as it should be.
    fn of(&self, row: Change, user: &User) -> Option<Change> {
        let role = self.role.filter(|role| *role != user.role);
        let disabled = self.disabled.filter(|disabled| *disabled != user.is_disabled);
        // A user who left can be deleted all the same, and then comes back by an admin alone.
        let is_for_good = user.is_delete && user.deleted_by_admin;
        let delete = self.delete.filter(|delete| if *delete { !is_for_good } else { user.is_delete });
        if role.is_none() && disabled.is_none() && delete.is_none() && !self.end_sessions {
            return None;
        }
        let mut row = row.of_user(user.id).of_version(user.version).raising_epoch();
        if let Some(role) = role {
            row = row.role(role);
        }
        if let Some(is_disabled) = disabled {
            row = row.disabled(is_disabled);
        }
        Some(match delete {
            Some(true) if user.is_delete => row.deleted_for_good(),
            Some(true) => row.deleted(true),
            Some(false) => row.restored(user.id),
            None => row,
        })
    }

    /// The names of what changes, for the log.
    fn names(&self) -> String {
        let names = [
            ("role", self.role.is_some()),
            ("disabled", self.disabled.is_some()),
            ("end_sessions", self.end_sessions),
            ("delete", self.delete == Some(true)),
            ("restore", self.delete == Some(false)),
        ];
        names.into_iter().filter_map(|(name, is_given)| is_given.then_some(name)).collect::<Vec<_>>().join(",")
    }
}

/// What admins need. They are admitted by the rights of now.
pub struct Admins {
    users: Users,
    authenticator: Authenticator,
    config: Arc<Config>,
}

impl Admins {
    /// Opens all that they need, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = Arc::clone(&clients.config);
        let (authenticator, database) = tokio::try_join!(Authenticator::connect(clients), Database::connect(clients))?;
        Ok(Self { users: Users::new(&database, &config)?, authenticator, config })
    }

    /// A user, whole, also a disabled or deleted one. The id counts where a phone is given too.
    ///
    /// # Errors
    /// [`Error::MissingOne`], [`Error::UserNotFound`], or [`Error::Db`].
    pub async fn user(&self, wanted: Wanted) -> Result<WholeUser, Error> {
        let user = match wanted {
            Wanted { id: Some(id), .. } => self.users.any_by_id(id).await?,
            Wanted { phone: Some(phone), .. } => self.users.row(&phone).await?,
            Wanted { .. } => return Err(Error::MissingOne("id")),
        };
        Ok(WholeUser::new(user.ok_or(Error::UserNotFound)?, &self.config.zone))
    }

    /// Changes a user by one write, and ends what the user was given before; the row as it is then. A row that is as it should
    /// be is left alone. Or forgets the wrong tries of a phone, which need not have a user: `None`.
    ///
    /// # Errors
    /// [`Error::MissingOne`], [`Error::NothingToChange`], [`Error::Forbidden`] of an admin's own row, [`Error::UserNotFound`],
    /// also of a deleted user whose role is to change, or a backend.
    pub async fn update(&self, call: &Call, change: UserChange, admin: &Principal) -> Result<Option<WholeUser>, Error> {
        if change.reset_tries {
            let phone = change.whom.phone.as_ref().ok_or(Error::MissingOne("phone"))?;
            let is_own = match &admin.phone {
                Some(own) => own == phone,
                // A token does not name it.
                None => self.users.row(phone).await?.is_some_and(|user| user.id == admin.user_id),
            };
            if is_own {
                return Err(Error::Forbidden);
            }
            self.authenticator.cache().forget_tries(phone).await?;
            return Ok(None);
        }
        let id = change.whom.id.ok_or(Error::MissingOne("id"))?;
        if change.is_empty() {
            return Err(Error::NothingToChange);
        }
        if id == admin.user_id {
            return Err(Error::Forbidden);
        }
        let user = self.change(call, id, &change, admin).await?;
        self.authenticator.sessions().raise_epoch(call, &user).await?;
        let (request_id, user_id, changed) = (&call.request_id, id.to_string(), change.names());
        info!(target: AUDIT, request_id, by = %admin.user_id, change = changed, user_id, epoch = user.epoch);
        Ok(Some(WholeUser::new(user, &self.config.zone)))
    }

    async fn change(&self, call: &Call, id: UserId, change: &UserChange, admin: &Principal) -> Result<User, Error> {
        // The index is a moment behind the table, so a second look is at the row itself.
        let mut user = self.users.any_by_id(id).await?.ok_or(Error::UserNotFound)?;
        for _ in 0..TRIES {
            if change.is_of_the_living(&user) && user.is_delete {
                return Err(Error::UserNotFound);
            }
            let row = Change::new(&ChangedBy::caller(call, admin), call.now.timestamp());
            let Some(row) = change.of(row, &user) else { return Ok(user) };
            if let Some(changed) = self.users.change(&user.phone, row).await? {
                return Ok(changed);
            }
            user = self.users.row(&user.phone).await?.filter(|row| row.id == id).ok_or(Error::UserNotFound)?;
        }
        Err(Error::Db(Cause::new("other requests change the same row")))
    }
}

impl AsRef<Authenticator> for Admins {
    fn as_ref(&self) -> &Authenticator {
        &self.authenticator
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::models::params;

    fn read(given: &Value) -> Result<UserChange, Error> {
        let rules = Rules::sample();
        params::read(&mut Fields::new(given.as_object().unwrap(), &rules))
    }

    #[test]
    fn false_enables_and_is_otherwise_as_not_sent() {
        let change = read(&json!({ "disabled": false, "delete": false, "restore": false, "end_sessions": false })).ok();
        let change = change.unwrap();
        assert_eq!((change.disabled, change.delete, change.end_sessions), (Some(false), None, false));
        assert_eq!(change.names(), "disabled");
        assert!(read(&json!({ "delete": null, "role": "" })).ok().unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (given, name) in [
            (json!({ "role": "root" }), "role"),
            (json!({ "role": 1 }), "role"),
            (json!({ "disabled": "yes" }), "disabled"),
            (json!({ "id": "x" }), "id"),
            (json!({ "delete": true, "restore": true }), "restore"),
        ] {
            let Err(Error::Invalid(invalid)) = read(&given) else { panic!("{given}") };
            assert_eq!(invalid.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [name]);
        }
    }
}
