//! Sessions of a user: where they are stored and how long they live.

use redis::AsyncCommands;
use serde::Serialize;
use serde_json::Value;

use super::keys::{EPOCH, ID};
use super::reader::StoredData;
use crate::error::EmulatorError;

/// Keys of one `SCAN`.
const SCAN_COUNT: usize = 1_000;

/// A session. Only the hash of its id is stored.
#[derive(Serialize)]
pub(crate) struct Session {
    /// SHA-256 of the id.
    hash: String,
    role: Value,
    /// Seconds since the Unix epoch.
    opened_at: Value,
    /// What the client called itself.
    client: Value,
    /// Without its last part.
    network: Value,
    /// Without further use.
    ends_in_ms: i64,
}

impl StoredData<'_> {
    /// The good sessions of the user with that phone. One that was opened before a change of phone lies in the slot of the
    /// phone of then.
    pub(crate) async fn sessions(&mut self, phone: &str, user_id: &str) -> Result<Vec<Session>, EmulatorError> {
        let owner = self.user(phone).await?.filter(|owner| owner.get(ID).is_some_and(|id| id == user_id));
        let Some(owner) = owner else { return Ok(Vec::new()) };
        let epoch = owner.get(EPOCH).and_then(Value::as_u64).unwrap_or(0);
        let mut sessions = Vec::new();
        for key in self.session_keys("*").await? {
            let value: Option<String> = self.cache.get(&key).await.map_err(EmulatorError::cache)?;
            let mut value: Value = value.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            if value["user_id"] == user_id && value["epoch"].as_u64().unwrap_or(0) >= epoch {
                let ends_in_ms = self.cache.pttl(&key).await.map_err(EmulatorError::cache)?;
                let hash = key.rsplit(':').next().unwrap_or_default().to_owned();
                let [role, opened_at, client, network] =
                    ["role", "opened_at", "client", "network"].map(|name| value[name].take());
                sessions.push(Session { hash, role, opened_at, client, network, ends_in_ms });
            }
        }
        sessions.sort_by_key(|session| std::cmp::Reverse(session.ends_in_ms));
        Ok(sessions)
    }

    /// Ends a session; returns whether it existed.
    pub(crate) async fn end_session(&mut self, hash: &str) -> Result<bool, EmulatorError> {
        let end = format!(":{hash}");
        let keys = self.session_keys(hash).await?;
        match keys.into_iter().find(|key| key.ends_with(&end)) {
            Some(key) => self.cache.del(key).await.map_err(EmulatorError::cache),
            None => Ok(false),
        }
    }

    /// Keys of sessions in all slots. Scans all keys, which is acceptable in a local cache.
    async fn session_keys(&mut self, hash: &str) -> Result<Vec<String>, EmulatorError> {
        let mut keys = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(self.keys.sessions(hash)).arg("COUNT").arg(SCAN_COUNT);
            let (next, found): (u64, Vec<String>) =
                scan.query_async(&mut self.cache).await.map_err(EmulatorError::cache)?;
            keys.extend(found);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}
