//! Which verification codes of the inbox the service would still accept.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hmac::{Hmac, KeyInit, Mac};
use redis::{AsyncCommands, RedisError};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::keys::{RECEIPT, RECEIPT_MAC};
use super::limits::Subject;
use super::reader::StoredData;
use crate::backends::Message;
use crate::error::EmulatorError;

/// Only the newest messages are read.
const MAX_MESSAGES: u64 = 500;

/// The address that the console's requests come from.
const CONSOLE_IP: &str = "127.0.0.1";

/// The code of one message.
#[derive(Serialize)]
pub(crate) struct MessageCode {
    /// The id of the message.
    id: String,
    state: CodeState,
    /// How long the service accepts it from now on; 0 if it does not.
    ends_in_ms: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum CodeState {
    /// The service accepts it.
    Live,
    Used,
    /// The phone has a newer code.
    Replaced,
    /// Too many wrong tries.
    Ended,
    /// A limit refuses every try.
    Blocked,
    Expired,
}

/// What the cache has for a phone.
struct Current {
    mac: String,
    state: CodeState,
    ends_in_ms: i64,
}

/// The keys of the secret. Any of them may have signed a code.
#[derive(Deserialize)]
struct KeyRing {
    #[serde(flatten)]
    current: Key,
    next: Option<Key>,
    previous: Option<Key>,
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

impl StoredData<'_> {
    /// The codes of the newest messages, the newest first.
    pub(crate) async fn codes(&mut self) -> Result<Vec<MessageCode>, EmulatorError> {
        let keys = self.code_keys()?;
        let (count, _) = self.app.inbox.since(u64::MAX);
        let (_, messages) = self.app.inbox.since(count.saturating_sub(MAX_MESSAGES));
        // The newest code of each phone, and the codes that the cache has for it.
        let mut phones: BTreeMap<String, (String, Vec<Current>)> = BTreeMap::new();
        let mut found = Vec::new();
        for Message { id, phone, code, .. } in messages.into_iter().rev() {
            let Some(code) = code else { continue };
            let (newest, current) = match phones.entry(phone.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let current = self.current(&phone).await?;
                    entry.insert((code.clone(), current))
                }
            };
            let is_code = |current: &&Current| keys.iter().any(|key| mac_of(key, &phone, &code) == current.mac);
            let (state, ends_in_ms) = match current.iter().find(is_code) {
                Some(current) => (current.state, if current.state == CodeState::Live { current.ends_in_ms } else { 0 }),
                None if current.is_empty() && *newest == code => (CodeState::Expired, 0),
                None => (CodeState::Replaced, 0),
            };
            found.push(MessageCode { id, state, ends_in_ms });
        }
        Ok(found)
    }

    /// The last two codes of a phone.
    async fn current(&mut self, phone: &str) -> Result<Vec<Current>, EmulatorError> {
        let mut codes = Vec::new();
        for key in [self.keys.code(phone), self.keys.last_code(phone)] {
            let stored: Result<_, RedisError> = async {
                let fields = ["mac", "stranger_tries", "used"];
                let (mac, tries, used) = self.cache.hmget(&key, &fields).await?;
                let ends_in_ms: i64 = self.cache.pttl(&key).await?;
                Ok((mac, tries, used, ends_in_ms))
            }
            .await;
            let (mac, tries, used, ends_in_ms): (Option<String>, Option<i64>, Option<String>, i64) =
                stored.map_err(EmulatorError::cache)?;
            let Some(mac) = mac.filter(|_| ends_in_ms > 0) else { continue };
            let state = if self.is_used(phone, used.as_deref()).await? {
                CodeState::Used
            } else if tries.unwrap_or(0) >= self.number("veri_code", "tries") {
                CodeState::Ended
            } else if self.refuses_tries(phone).await.map_err(EmulatorError::cache)? {
                CodeState::Blocked
            } else {
                CodeState::Live
            };
            codes.push(Current { mac, state, ends_in_ms });
        }
        Ok(codes)
    }

    /// Whether a code opened a session, or registered the phone's user: a registration that failed leaves it good.
    async fn is_used(&self, phone: &str, used: Option<&str>) -> Result<bool, EmulatorError> {
        let Some(used) = used else { return Ok(false) };
        let owner = self.user(phone).await?;
        let receipt = owner.as_ref().and_then(|owner| owner.get(RECEIPT)?.as_str()).unwrap_or_default();
        let mac = receipt.get(RECEIPT_MAC..).filter(|mac| !mac.is_empty());
        Ok(used == "session" || mac.is_some_and(|mac| used.contains(mac)))
    }

    /// Whether a limit refuses further tries of a phone to strangers.
    async fn refuses_tries(&mut self, phone: &str) -> Result<bool, RedisError> {
        let who = Subject { phone: Some(phone.to_owned()), ip: Some(CONSOLE_IP.to_owned()) };
        Ok(self.count_rows(&who, Some("try")).await?.iter().any(|row| row.key != "device" && row.wait_ms > 0))
    }

    fn code_keys(&self) -> Result<Vec<String>, EmulatorError> {
        let name = self.settings.get("secrets").and_then(|table| table.get("veri_code")?.as_str()).unwrap_or_default();
        let Some((_, secret)) = self.app.secrets.get(name) else { return Ok(Vec::new()) };
        let ring: KeyRing = serde_json::from_str(&secret.current.value).map_err(std::io::Error::from)?;
        let others = [ring.next, ring.previous].into_iter().flatten();
        Ok(std::iter::once(ring.current).chain(others).map(|key| key.key).collect())
    }
}

/// The MAC that the service stores for a code: HMAC-SHA-256 over purpose, phone and code, each preceded by its length.
fn mac_of(key: &str, phone: &str, code: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    for part in ["mac", phone, code] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    const_hex::encode(mac.finalize().into_bytes())
}
