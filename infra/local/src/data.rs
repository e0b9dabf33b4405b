//! What the service has stored, for people: users, sessions, codes and the counts of limits.
//!
//! The stage asks its own stores and goes around their faults. It knows of the service what `keys` spells out, and what
//! stands in `conf/`.

pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod sessions;
pub(crate) mod users;

use redis::aio::MultiplexedConnection;

use self::keys::Keys;
use crate::error::StageError;
use crate::live::Live;

/// The stage's stores and what the settings say of them.
pub(crate) struct Data<'a> {
    pub(crate) live: &'a Live,
    pub(crate) settings: toml::Table,
    pub(crate) keys: Keys,
    pub(crate) cache: MultiplexedConnection,
}

impl<'a> Data<'a> {
    pub(crate) async fn of(live: &'a Live) -> Result<Self, StageError> {
        let settings = live.settings()?;
        let prefix = settings.get("cache_prefix").and_then(toml::Value::as_str).unwrap_or_default();
        let keys = Keys::new(prefix, &live.options.stage);
        let client = redis::Client::open(live.cache.url()).map_err(StageError::cache)?;
        let cache = client.get_multiplexed_async_connection().await.map_err(StageError::cache)?;
        Ok(Self { live, settings, keys, cache })
    }

    /// A number of the settings; 0 if there is none.
    pub(crate) fn number(&self, table: &str, key: &str) -> i64 {
        let table =
            if table.is_empty() { Some(&self.settings) } else { self.settings.get(table).and_then(|t| t.as_table()) };
        table.and_then(|table| table.get(key)).and_then(toml::Value::as_integer).unwrap_or(0)
    }

    /// A phone as the service names it, E.164: as it is, or as it is dialled in the stage's default region.
    pub(crate) fn phone(&self, text: &str) -> Option<String> {
        let digits = crate::inbox::digits(text);
        if digits.is_empty() {
            return None;
        }
        if text.trim_start().starts_with('+') {
            return Some(format!("+{digits}"));
        }
        let region = self.settings.get("phone").and_then(|phone| phone.get("default_region")?.as_str());
        let (_, code) = CALLING_CODES.iter().find(|(known, _)| Some(*known) == region)?;
        Some(format!("+{code}{}", digits.strip_prefix(code).filter(|rest| rest.len() > 7).unwrap_or(&digits)))
    }
}

/// Calling codes of regions that a stage may have as its default one; numbers of any other are written with theirs.
const CALLING_CODES: [(&str, &str); 12] = [
    ("CN", "86"),
    ("DE", "49"),
    ("FR", "33"),
    ("GB", "44"),
    ("HK", "852"),
    ("IN", "91"),
    ("JP", "81"),
    ("KR", "82"),
    ("MO", "853"),
    ("SG", "65"),
    ("TW", "886"),
    ("US", "1"),
];
