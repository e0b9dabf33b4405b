//! The whole of a stage's settings.

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
    /// Reads the settings of the stage that `STAGE` names, from `conf/` under `LAMBDA_TASK_ROOT`.
    ///
    /// # Errors
    /// The first setting that cannot work.
    pub fn load() -> Result<Self, SettingError> {
        let stage = needed("STAGE")?;
        if !is_stage_name(&stage) {
            return Err(SettingError::StageName);
        }
        let root = PathBuf::from(needed("LAMBDA_TASK_ROOT")?);
        let text = std::fs::read_to_string(root.join("conf").join(format!("{stage}.toml")))
            .map_err(|cause| SettingError::Unreadable { stage: stage.clone(), cause })?;
        let deployed = Deployed {
            users_table: given("USERS_TABLE"),
            runs_table: given("RUNS_TABLE"),
            audit_table: given("AUDIT_TABLE"),
            sms_url: given("SMS_URL"),
            function_prefix: given("FUNCTION_PREFIX"),
            front_keys: front_keys(given("FRONT_KEYS").as_deref())?,
        };
        Self::parse(stage, &text, deployed)
    }

    pub(crate) fn parse(stage: String, text: &str, deployed: Deployed) -> Result<Self, SettingError> {
        let mut file: File = toml::from_str(text).map_err(|cause| SettingError::malformed(&stage, text, &cause))?;
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

    /// How long the longest-lived credential is good: copies of epochs are kept as long.
    #[must_use]
    pub fn longest_credential_secs(&self) -> u64 {
        self.session.max_age_secs.max(self.token.ttl_secs)
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
    /// [`SettingError::Unset`] when the function was deployed without it; so the three below.
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
mod tests {
    use super::*;

    const LOCAL: &str = include_str!("../../../conf/local.toml");
    const TEST: &str = include_str!("../../../conf/test.toml");
    const PROD: &str = include_str!("../../../conf/prod.toml");

    fn parse(stage: &str, text: &str) -> Result<Config, String> {
        Config::parse(stage.to_owned(), text, Deployed::default()).map_err(|error| error.to_string())
    }

    fn refusal(stage: &str, text: &str) -> String {
        parse(stage, text).err().unwrap()
    }

    #[test]
    fn keys_of_a_front_are_long() {
        let (one, other) = ("a".repeat(32), "b".repeat(64));
        assert_eq!(front_keys(None).unwrap(), [""; 0]);
        assert_eq!(front_keys(Some(&format!("{one} {other}"))).unwrap(), [one.clone(), other]);
        for text in ["k1", &one[1..], &format!("{one} none")] {
            assert!(front_keys(Some(text)).unwrap_err().to_string().contains("FRONT_KEYS"), "{text}");
        }
    }

    #[test]
    fn the_three_files_are_right() {
        for (stage, text) in [("local", LOCAL), ("test", TEST), ("prod", PROD)] {
            assert!(parse(stage, text).is_ok(), "{stage}: {:?}", parse(stage, text).err());
        }
    }

    #[test]
    fn the_stage_is_local_by_its_name_and_has_the_days_of_its_file() {
        for (stage, text, is_local) in [("local", LOCAL, true), ("test", TEST, false), ("prod", PROD, false)] {
            let config = parse(stage, text).unwrap();
            assert_eq!((config.is_local(), config.restore_time().as_hours()), (is_local, 360), "{stage}");
        }
    }

    #[test]
    fn what_was_not_deployed_is_named() {
        let names = |deployed| {
            let config = Config::parse("local".to_owned(), LOCAL, deployed).unwrap();
            let all = [
                config.users_table(),
                config.runs_table(),
                config.audit_table(),
                config.sms_url(),
                config.function_prefix(),
            ];
            all.map(|name| name.map_or_else(|error| error.to_string(), str::to_owned))
        };
        let of = |name: &str| Some(name.to_owned());
        let deployed = Deployed {
            users_table: of("a"),
            runs_table: of("b"),
            audit_table: of("c"),
            sms_url: of("d"),
            function_prefix: of("e"),
            ..Deployed::default()
        };
        assert_eq!(names(deployed), ["a", "b", "c", "d", "e"]);
        let unset = ["USERS_TABLE", "RUNS_TABLE", "AUDIT_TABLE", "SMS_URL", "FUNCTION_PREFIX"];
        assert_eq!(names(Deployed::default()), unset.map(|name| format!("the variable {name} is not set")));
    }

    #[test]
    fn an_unknown_key_stops_the_start_by_name() {
        assert!(refusal("prod", &format!("tiem_zone = \"x\"\n{PROD}")).contains("tiem_zone"));
    }

    #[test]
    fn a_missing_key_stops_the_start_by_name() {
        assert!(refusal("prod", &PROD.replace("user_shards", "# user_shards")).contains("user_shards"));
    }

    #[test]
    fn a_value_of_the_wrong_type_stops_the_start_by_name_and_is_not_shown() {
        let text = PROD.replace("ttl_secs = 86400", "ttl_secs = \"hunter2\"");
        let refusal = refusal("prod", &text);
        assert!(refusal.contains("ttl_secs") && !refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn impossible_values_stop_the_start_by_name() {
        for (from, to, key) in [
            ("user_shards = 1", "user_shards = 17", "user_shards"),
            ("restore_days = 15", "restore_days = 0", "restore_days"),
            ("\"Asia/Shanghai\"", "\"Asia/Atlantis\"", "time_zone"),
            ("cookie_secure = true", "cookie_secure = false", "session.cookie_secure"),
            ("max_age_secs = 2592000", "max_age_secs = 86399", "session.max_age_secs"),
            ("cors_origins = []", "cors_origins = [\"*\"]", "http.cors_origins"),
            ("own_origins = []", "own_origins = [\"http://app.example\"]", "http.own_origins"),
            ("open_to = \"users\"", "open_to = \"everybody\"", "open_to"),
            ("tries = 5", "tries = 0", "veri_code.tries"),
            ("window = \"60s\"", "window = \"60\"", "limits"),
            ("CN = 0.045", "DE = 0.045", "sms.prices"),
            ("cache_prefix = \"iwc\"", "cache_prefix = \"{iwc}\"", "cache_prefix"),
            ("name = \"badge-prod\"", "name = \"Badge prod\"", "cache.name"),
            ("valkey = 8", "memcached = 1", "cache.engines"),
            ("snapshot_max_hours = 26", "snapshot_max_hours = 0", "cache.snapshot_max_hours"),
            ("keep_days = 180", "keep_days = 179", "audit.keep_days"),
        ] {
            assert!(PROD.contains(from), "{from}");
            let refusal = refusal("prod", &PROD.replace(from, to));
            assert!(refusal.contains(key), "{refusal}");
        }
    }

    const NUMBER: &str =
        "\n[[veri_code.test_numbers]]\nphone = \"13900000001\"\ncode = \"042424\"\nexpires = \"2026-12-31\"\n";

    #[test]
    fn production_with_a_test_number_refuses_to_start() {
        assert!(refusal("prod", &format!("{PROD}{NUMBER}")).contains("veri_code.test_numbers"));
    }

    #[test]
    fn a_test_number_works_until_its_date() {
        let config = parse("test", &format!("{TEST}{NUMBER}")).unwrap();
        let phone = Phone::parse("+8613900000001", &config.phone).ok().unwrap();
        assert_eq!(config.veri_code.fixed_code(&phone, "2026-12-31".parse().unwrap()), Some("042424"));
        assert_eq!(config.veri_code.fixed_code(&phone, "2027-01-01".parse().unwrap()), None);
    }

    #[test]
    fn a_test_number_without_a_date_is_refused() {
        let number = NUMBER.replace("expires", "# expires");
        assert!(refusal("test", &format!("{TEST}{number}")).contains("expires"));
    }

    #[test]
    fn stage_names_cannot_leave_the_folder() {
        for name in ["../local", "Local", "", "1st", "a/b", "averyveryverylongname"] {
            assert!(!is_stage_name(name), "{name}");
        }
        assert!(is_stage_name("eu-test-2"));
    }

    #[test]
    fn names_may_be_so_long_and_no_longer() {
        assert!(is_stage_name(&"a".repeat(16)) && !is_stage_name(&"a".repeat(17)));
        assert!(is_key_prefix(&"a".repeat(32)) && !is_key_prefix(&"a".repeat(33)) && !is_key_prefix(""));
        assert!(is_key_prefix("Iwc_1-a") && !is_key_prefix("i:c"));
    }
}
