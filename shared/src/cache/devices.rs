//! The sessions of a user, for those who look at them, end them and keep them.

use super::client::Cache;
use super::script::Script;
use super::sessions::{SessionKey, SessionLife};
use crate::error::Error;
use crate::models::phone::Phone;
use crate::models::user::{User, UserId};

static SESSION_STAMP: Script = Script::new(include_str!("scripts/session_stamp.lua"));
static SESSION_DROP: Script = Script::new(include_str!("scripts/session_drop.lua"));

/// A session of a list: what it stands for, and when it ends by itself.
pub struct ListedSession {
    /// Where it is stored.
    pub key: SessionKey,
    /// What it stands for.
    pub value: String,
    /// Seconds that it lives if it is not used.
    pub left_secs: u64,
}

impl Cache {
    /// The sessions of a user that are recorded in a slot, newest first, those that have ended left out. Two round trips: one
    /// for the set, one for the sessions.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn sessions_of(&self, slot: &str, user: UserId) -> Result<Vec<ListedSession>, Error> {
        let mut range = redis::cmd("ZREVRANGE");
        range.arg(self.key(slot, "sessions", &user.to_string())).arg(0).arg(-1);
        let recorded: Vec<String> = self.command(&range).await?;
        if recorded.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = recorded.iter().map(|member| recorded_key(slot, member)).collect();
        let mut commands = redis::pipe();
        for key in &keys {
            let key = self.session_key(key);
            commands.get(&key).ttl(&key);
        }
        let commands = &commands;
        let read = |mut connection| async move { commands.query_async(&mut connection).await };
        let found: Vec<(Option<String>, i64)> = self.access(read).await?;
        let listed = keys.into_iter().zip(found).filter_map(|(key, (value, left))| {
            Some(ListedSession { key, value: value?, left_secs: u64::try_from(left).ok()? })
        });
        Ok(listed.collect())
    }

    /// Ends a session if it is one of the user's.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn drop_session(&self, session: &SessionKey, user: UserId) -> Result<(), Error> {
        let set = self.key(&session.slot, "sessions", &user.to_string());
        let keys = [set, self.session_key(session), self.cookie_key(session)];
        self.script::<u8>(&SESSION_DROP, &keys, &session.hash).await.map(drop)
    }

    /// Gives a session the rights that its user's row has now, and after a change of phone the one that was left. One that has
    /// ended stays so.
    ///
    /// # Errors
    /// [`Error::Redis`]: the session may end with the rights that it has.
    pub async fn stamp_session(&self, session: &SessionKey, user: &User, left: Option<&Phone>) -> Result<(), Error> {
        let args = (user.epoch, user.role.as_str(), user.phone.e164(), left.map_or("", Phone::e164));
        self.script::<u8>(&SESSION_STAMP, &[self.session_key(session)], args).await.map(drop)
    }

    /// Records a session that a change of phone has kept among those of the new phone's slot.
    ///
    /// # Errors
    /// [`Error::Redis`]: who asks by a token does not see the session.
    pub async fn record_kept(
        &self,
        slot: &str,
        user: UserId,
        session: &SessionKey,
        life: &SessionLife,
    ) -> Result<(), Error> {
        let set = self.key(slot, "sessions", &user.to_string());
        let mut commands = redis::pipe();
        commands.zadd(&set, format!("{}:{}", session.slot, session.hash), life.now_secs).ignore();
        commands.cmd("EXPIRE").arg(&set).arg(life.max_age_secs).ignore();
        self.send(&commands).await
    }
}

/// A member of a set of sessions: the hash of one in the same slot, or `slot:hash`.
fn recorded_key(slot: &str, member: &str) -> SessionKey {
    let (slot, hash) = member.split_once(':').unwrap_or((slot, member));
    SessionKey { slot: slot.to_owned(), hash: hash.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_recorded_by_its_hash_or_with_its_slot() {
        for (member, expected) in [("ab", ("3f", "ab")), ("00:ab", ("00", "ab"))] {
            let SessionKey { slot, hash } = recorded_key("3f", member);
            assert_eq!((slot.as_str(), hash.as_str()), expected);
        }
    }
}
