//! The whole of a stage's settings.

use std::fs;
use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::audit::Audit;
use super::cache::{self, Cache, CacheAccess};
use super::env::{given, needed};
use super::error::{SettingError, impossible, require};
use super::http::Http;
use super::index::Index;
use super::limits::{Limits, Written};
use super::phone::PhoneTable;
use super::secrets::Secrets;
use super::session::Session;
use super::sms::Sms;
use super::token::Token;
use super::veri_code::VeriCode;
use crate::models::device::DEVICE_TTL_SECS;
use crate::models::phone::{Phone, PhoneRules};

/// A settings file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    time_zone: String,
    user_shards: u8,
    restore_days: u16,
    cache_prefix: String,
    phone: PhoneTable,
    session: Session,
    http: Http,
    index: Index,
    token: Token,
    veri_code: VeriCode,
    secrets: Secrets,
    sms: Sms,
    limits: Vec<Written>,
    cache: Cache,
    audit: Audit,
    /// What `make deploy` alone reads.
    #[serde(default, rename = "deploy")]
    _deploy: IgnoredAny,
}

impl File {
    fn of_toml(stage: &str, text: &str) -> Result<Self, SettingError> {
        toml::from_str(text).map_err(|cause| SettingError::malformed_toml(stage, text, &cause))
    }

    fn of_json(stage: &str, text: &str) -> Result<Self, SettingError> {
        serde_json::from_str(text).map_err(|cause| SettingError::malformed_json(stage, text, &cause))
    }
}

/// Everything that a stage can set.
pub struct Config {
    /// Name of the stage, from `STAGE`.
    pub stage: String,
    /// Time zone of midnights and of the times that clients see.
    pub zone: TimeZone,
    /// Number of shards of the users' index, 1 to 16. It may grow; old ids keep theirs.
    pub user_shards: u8,
    /// Days for which a deleted account can be restored; then it is erased. 1 to 365.
    pub restore_days: u16,
    /// Which phones are served.
    pub phone: PhoneRules,
    /// Sessions.
    pub session: Session,
    /// Which web pages may call the API.
    pub http: Http,
    /// The list of users.
    pub index: Index,
    /// JSON web tokens.
    pub token: Token,
    /// Verification codes.
    pub veri_code: VeriCode,
    /// Names of secrets.
    pub secrets: Secrets,
    /// The SMS provider.
    pub sms: Sms,
    /// What may be done how often.
    pub limits: Limits,
    /// What the stage's cache is.
    pub cache: Cache,
    /// The audit.
    pub audit: Audit,
    /// What stands before every key in Redis.
    pub cache_prefix: String,
    deployed: Deployed,
}

/// What only the deployment knows. A function has only those variables that it uses.
#[derive(Default)]
pub(crate) struct Deployed {
    users_table: Option<String>,
    runs_table: Option<String>,
    audit_table: Option<String>,
    sms_url: Option<String>,
    function_prefix: Option<String>,
    pub(crate) front_keys: Vec<String>,
}

impl Config {
    /// Reads the settings of the stage that `STAGE` names, from `conf/` under `LAMBDA_TASK_ROOT`: packages have them as JSON, which
    /// takes a tenth of the instructions of TOML, and the repository as they are written.
    ///
    /// # Errors
    /// The first setting that cannot work.
    pub fn load() -> Result<Self, SettingError> {
        let stage = needed("STAGE")?;
        if !is_stage_name(&stage) {
            return Err(SettingError::StageName);
        }
        let folder = PathBuf::from(needed("LAMBDA_TASK_ROOT")?).join("conf");
        let read = |ending| fs::read_to_string(folder.join(format!("{stage}.{ending}")));
        let file = if let Ok(text) = read("json") {
            File::of_json(&stage, &text)?
        } else {
            let text = read("toml").map_err(|cause| SettingError::Unreadable { stage: stage.clone(), cause })?;
            File::of_toml(&stage, &text)?
        };
        let deployed = Deployed {
            users_table: given("USERS_TABLE"),
            runs_table: given("RUNS_TABLE"),
            audit_table: given("AUDIT_TABLE"),
            sms_url: given("SMS_URL"),
            function_prefix: given("FUNCTION_PREFIX"),
            front_keys: front_keys(given("FRONT_KEYS").as_deref())?,
        };
        Self::from_file(stage, file, deployed)
    }

    /// Reads settings as they are written.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn parse(stage: String, text: &str, deployed: Deployed) -> Result<Self, SettingError> {
        let file = File::of_toml(&stage, text)?;
        Self::from_file(stage, file, deployed)
    }

    fn from_file(stage: String, mut file: File, deployed: Deployed) -> Result<Self, SettingError> {
        require((1..=16).contains(&file.user_shards), "user_shards", "must be 1 to 16")?;
        require((1..=365).contains(&file.restore_days), "restore_days", "must be 1 to 365")?;
        let is_prefix = is_key_prefix(&file.cache_prefix);
        require(is_prefix, "cache_prefix", "must be 1 to 32 letters, digits, `_` or `-`")?;
        let phone = file.phone.read()?;
        file.session.check(&stage)?;
        file.http.check(&stage)?;
        file.token.check()?;
        file.veri_code.check(&stage)?;
        file.secrets.check()?;
        file.sms.check(&phone)?;
        file.cache.check()?;
        file.audit.check()?;
        for number in &mut file.veri_code.test_numbers {
            number.read(&phone)?;
        }
        Ok(Self {
            stage,
            zone: TimeZone::get(&file.time_zone).map_err(|_| impossible("time_zone", "must be an IANA time zone"))?,
            user_shards: file.user_shards,
            restore_days: file.restore_days,
            phone,
            session: file.session,
            http: file.http,
            index: file.index,
            token: file.token,
            veri_code: file.veri_code,
            secrets: file.secrets,
            sms: file.sms,
            limits: Limits::read(file.limits)?,
            cache: file.cache,
            audit: file.audit,
            cache_prefix: file.cache_prefix,
            deployed,
        })
    }

    /// How long a deleted account can be restored.
    #[must_use]
    pub fn restore_time(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.restore_days))
    }

    /// How long the longest-lived session, token or device is good: copies of epochs are kept as long.
    #[must_use]
    pub fn longest_credential_secs(&self) -> u64 {
        self.session.max_age_secs.max(self.token.ttl_secs).max(DEVICE_TTL_SECS)
    }

    /// Whether it is the stage of the local emulator, which has no TLS.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.stage == "local"
    }

    /// What a message to this phone costs, in parts of money.
    #[must_use]
    pub fn price(&self, phone: &Phone) -> u64 {
        self.sms.price(phone, &self.phone)
    }

    /// Name of the users' table.
    ///
    /// # Errors
    /// [`SettingError::Unset`] when the function was deployed without it; so the others below.
    pub fn users_table(&self) -> Result<&str, SettingError> {
        self.deployed.users_table.as_deref().ok_or(SettingError::Unset("USERS_TABLE"))
    }

    /// Name of the table of runs.
    ///
    /// # Errors
    /// As [`Self::users_table`].
    pub fn runs_table(&self) -> Result<&str, SettingError> {
        self.deployed.runs_table.as_deref().ok_or(SettingError::Unset("RUNS_TABLE"))
    }

    /// Name of the audit's table.
    ///
    /// # Errors
    /// As [`Self::users_table`].
    pub fn audit_table(&self) -> Result<&str, SettingError> {
        self.deployed.audit_table.as_deref().ok_or(SettingError::Unset("AUDIT_TABLE"))
    }

    /// Where Redis listens, and who we are to it.
    ///
    /// # Errors
    /// The first variable that is missing or cannot work.
    pub fn cache_access(&self) -> Result<CacheAccess, SettingError> {
        CacheAccess::load()
    }

    /// Host and port of the cache.
    ///
    /// # Errors
    /// `CACHE_URL`, when it is missing or cannot work.
    pub fn cache_address(&self) -> Result<(String, u16), SettingError> {
        cache::address()
    }

    /// Where the `http` provider takes messages.
    ///
    /// # Errors
    /// As [`Self::users_table`].
    pub fn sms_url(&self) -> Result<&str, SettingError> {
        self.deployed.sms_url.as_deref().ok_or(SettingError::Unset("SMS_URL"))
    }

    /// The keys of a front of our own, one of which it shows; none if the stage has no such front.
    pub(crate) fn front_keys(&self) -> &[String] {
        &self.deployed.front_keys
    }

    /// What stands before a task's name in the name of its function.
    ///
    /// # Errors
    /// As [`Self::users_table`].
    pub fn function_prefix(&self) -> Result<&str, SettingError> {
        self.deployed.function_prefix.as_deref().ok_or(SettingError::Unset("FUNCTION_PREFIX"))
    }
}

/// The keys in a text, set apart by spaces. A short one, as a reference that was not resolved in part, would let everybody in.
fn front_keys(text: Option<&str>) -> Result<Vec<String>, SettingError> {
    let keys: Vec<_> = text.into_iter().flat_map(str::split_whitespace).map(str::to_owned).collect();
    require(keys.iter().all(|key| key.len() >= 32), "FRONT_KEYS", "must be keys of 32 characters or more")?;
    Ok(keys)
}

/// Whether a stage could have this name.
pub(crate) fn is_stage_name(name: &str) -> bool {
    name.len() <= 16
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What stands before every key in Redis.
fn is_key_prefix(prefix: &str) -> bool {
    (1..=32).contains(&prefix.len()) && prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests;
