//! Sessions of a user: where they are stored and how long they live.

use redis::AsyncCommands;
use serde::Serialize;
use serde_json::Value;

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
    /// Without further use.
    ends_in_ms: i64,
}

impl StoredData<'_> {
    /// The good sessions of the user with that phone. Scans all keys, which is acceptable in a local cache.
    pub(crate) async fn sessions(&mut self, phone: &str, user_id: &str) -> Result<Vec<Session>, EmulatorError> {
        let begin = self.keys.session(phone, "");
        let mut keys = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{begin}*")).arg("COUNT").arg(SCAN_COUNT);
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
        let raised: Option<String> =
            self.cache.hget(self.keys.epochs(phone), user_id).await.map_err(EmulatorError::cache)?;
        let epoch: u64 = raised.and_then(|text| text.split(':').next()?.parse().ok()).unwrap_or(0);
        let mut sessions = Vec::new();
        for key in keys {
            let value: Option<String> = self.cache.get(&key).await.map_err(EmulatorError::cache)?;
            let value: Value = value.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            if value["user_id"] == user_id && value["epoch"].as_u64().unwrap_or(0) >= epoch {
                let ends_in_ms = self.cache.pttl(&key).await.map_err(EmulatorError::cache)?;
                let (role, opened_at) = (value["role"].clone(), value["opened_at"].clone());
                sessions.push(Session { hash: key[begin.len()..].to_owned(), role, opened_at, ends_in_ms });
            }
        }
        sessions.sort_by_key(|session| std::cmp::Reverse(session.ends_in_ms));
        Ok(sessions)
    }

    /// Ends a session; returns whether it existed.
    pub(crate) async fn end_session(&mut self, phone: &str, hash: &str) -> Result<bool, EmulatorError> {
        let key = self.keys.session(phone, hash);
        self.cache.del(key).await.map_err(EmulatorError::cache)
    }
}
