//! Connections to the stores, and the settings that say how to read them.
//!
//! The stores are read directly, not through the fault proxies. All knowledge of the service is in `keys` and `conf/`.

use redis::aio::MultiplexedConnection;

use super::keys::Keys;
use crate::app::AppState;
use crate::error::EmulatorError;

/// The stores and the settings.
pub(crate) struct StoredData<'a> {
    pub(crate) app: &'a AppState,
    pub(crate) settings: toml::Table,
    pub(crate) keys: Keys,
    pub(crate) cache: MultiplexedConnection,
}

impl<'a> StoredData<'a> {
    pub(crate) async fn open(app: &'a AppState) -> Result<Self, EmulatorError> {
        let settings = app.options.settings()?;
        let prefix = settings.get("cache_prefix").and_then(toml::Value::as_str).unwrap_or_default();
        let keys = Keys::new(prefix, &app.options.stage);
        let client = redis::Client::open(app.cache.url()).map_err(EmulatorError::cache)?;
        let cache = client.get_multiplexed_async_connection().await.map_err(EmulatorError::cache)?;
        Ok(Self { app, settings, keys, cache })
    }

    /// A number in the settings; 0 if it is missing.
    pub(crate) fn number(&self, table: &str, key: &str) -> i64 {
        let table =
            if table.is_empty() { Some(&self.settings) } else { self.settings.get(table).and_then(|t| t.as_table()) };
        table.and_then(|table| table.get(key)).and_then(toml::Value::as_integer).unwrap_or(0)
    }

    /// A phone in E.164, as the service stores it, from E.164 or as dialled in the stage's default region.
    pub(crate) fn phone(&self, text: &str) -> Option<String> {
        let digits = crate::backends::digits(text);
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

/// Calling codes of possible default regions; numbers of other regions need theirs.
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
