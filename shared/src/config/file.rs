//! The tables of a settings file, and what in them cannot work.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::SettingError;
use super::cache::{Cache, is_name};
use super::limits::Written;
use crate::phone::{Phone, PhoneRules, RegionCode};

/// `[session]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// How long a session lives after its last use, in seconds.
    pub ttl_secs: u64,
    /// Whether browsers may send the cookie over HTTPS only. Off in `local` alone.
    pub cookie_secure: bool,
}

/// `[token]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Claim `iss` of our tokens, and the only one accepted.
    pub issuer: String,
    /// How long a token is valid, in seconds.
    pub ttl_secs: u64,
}

/// `[veri_code]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VeriCode {
    /// How long a code is valid, in seconds. At most 600 (NIST SP 800-63B-4, section 3.1.3.2).
    pub ttl_secs: u64,
    /// Wrong tries that end a code.
    pub tries: u32,
    /// Numbers with a fixed code, outside all limits; in `local` and `test` only.
    #[serde(default)]
    pub test_numbers: Vec<TestNumber>,
}

/// `[[veri_code.test_numbers]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestNumber {
    phone: String,
    pub(super) code: String,
    /// The last day; written as a string, `"2026-12-31"`.
    pub(super) expires: Date,
    #[serde(skip)]
    pub(super) e164: String,
}

/// `[secrets]`: names in the secret store.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Signs tokens.
    pub jwt: String,
    /// Keys verification codes.
    pub veri_code: String,
    /// Signs messages to the SMS provider.
    pub sms: String,
}

/// `[sms]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Which provider sends.
    pub provider: SmsProvider,
    /// The name before the text, as Chinese carriers ask for it: `【badge】`. With `sns` it is the sender's name too, if
    /// it has at most 11 letters and digits of ASCII and one of them is a letter.
    pub signature: String,
    /// What one message costs, by region. Any unit will do, as long as `max_money` in `limits` has the same.
    pub prices: BTreeMap<String, f64>,
}

/// The known providers.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SmsProvider {
    /// A JSON POST to `SMS_URL`.
    Http,
    /// Amazon SNS.
    Sns,
}

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    time_zone: String,
    pub(super) user_shards: u8,
    pub(super) cache_prefix: String,
    phone: PhoneTable,
    pub(super) session: Session,
    pub(super) token: Token,
    pub(super) veri_code: VeriCode,
    pub(super) secrets: Secrets,
    pub(super) sms: Sms,
    pub(super) limits: Vec<Written>,
    pub(super) cache: Cache,
    /// What `make deploy` alone reads.
    #[serde(default, rename = "deploy")]
    _deploy: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhoneTable {
    default_region: RegionCode,
    allowed_regions: Vec<RegionCode>,
}

/// Settings files as they were when this was built, each with what it says as JSON: reading that is a quarter of the work
/// of reading TOML, and nearly every cold start finds the file as it was.
static AS_BUILT: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/settings.rs"));

impl File {
    /// Reads the settings of `stage`.
    pub(super) fn read(stage: &str, text: &str) -> Result<Self, SettingError> {
        let as_built = AS_BUILT.iter().find(|(toml, _)| *toml == text);
        // A file that cannot work is read again, because TOML tells where.
        let mut file: Self = match as_built.and_then(|(_, json)| serde_json::from_str(json).ok()) {
            Some(file) => file,
            None => toml::from_str(text).map_err(|cause| malformed(stage, text, &cause))?,
        };
        file.refuse_the_impossible(stage)?;
        let phone = file.phone_rules();
        for number in &mut file.veri_code.test_numbers {
            number.read(&phone)?;
        }
        Ok(file)
    }

    pub(super) fn zone(&self) -> Result<TimeZone, SettingError> {
        TimeZone::get(&self.time_zone).map_err(|_| impossible("time_zone", "must be an IANA time zone"))
    }

    pub(super) fn phone_rules(&self) -> PhoneRules {
        PhoneRules {
            default_region: self.phone.default_region.0,
            allowed_regions: self.phone.allowed_regions.iter().map(|code| code.0).collect(),
        }
    }

    fn refuse_the_impossible(&self, stage: &str) -> Result<(), SettingError> {
        let veri_code = &self.veri_code;
        for (is_possible, key, must) in [
            ((1..=16).contains(&self.user_shards), "user_shards", "must be 1 to 16"),
            (is_key_prefix(&self.cache_prefix), "cache_prefix", "must be 1 to 32 letters, digits, `_` or `-`"),
            (!self.phone.allowed_regions.is_empty(), "phone.allowed_regions", "must name a region"),
            (
                self.phone_rules().are_built_in(),
                "phone",
                "must name regions whose numbering plans were built in: build again after a change of conf/",
            ),
            ((60..=2_592_000).contains(&self.session.ttl_secs), "session.ttl_secs", "must be 60 to 2592000"),
            (
                self.session.cookie_secure || stage == "local",
                "session.cookie_secure",
                "must be true outside of stage local",
            ),
            (!self.token.issuer.is_empty(), "token.issuer", "must not be empty"),
            ((60..=86_400).contains(&self.token.ttl_secs), "token.ttl_secs", "must be 60 to 86400"),
            ((60..=600).contains(&veri_code.ttl_secs), "veri_code.ttl_secs", "must be 60 to 600"),
            ((1..=10).contains(&veri_code.tries), "veri_code.tries", "must be 1 to 10"),
            (!self.secrets.jwt.is_empty(), "secrets.jwt", "must not be empty"),
            (!self.secrets.veri_code.is_empty(), "secrets.veri_code", "must not be empty"),
            (!self.secrets.sms.is_empty(), "secrets.sms", "must not be empty"),
            (is_name(&self.cache.name), "cache.name", "must be a name that ElastiCache takes"),
            (
                !self.cache.engines.is_empty()
                    && self.cache.engines.keys().all(|one| one == "valkey" || one == "redis"),
                "cache.engines",
                "must name valkey, redis or both, each with a major version",
            ),
            (
                self.cache.snapshot_max_hours.is_none_or(|hours| (1..=8760).contains(&hours)),
                "cache.snapshot_max_hours",
                "must be 1 to 8760",
            ),
            (
                self.phone.allowed_regions.iter().all(|code| self.sms.prices.contains_key(&code.0.to_string())),
                "sms.prices",
                "must have a price for each of phone.allowed_regions",
            ),
            (
                veri_code.test_numbers.is_empty() || matches!(stage, "local" | "test"),
                "veri_code.test_numbers",
                "must be empty outside of stages local and test",
            ),
        ] {
            if !is_possible {
                return Err(SettingError::Impossible { key, must });
            }
        }
        Ok(())
    }
}

impl TestNumber {
    fn read(&mut self, rules: &PhoneRules) -> Result<(), SettingError> {
        let phone = Phone::parse(&self.phone, rules)
            .map_err(|_| impossible("veri_code.test_numbers.phone", "must be a number that is served"))?;
        phone.e164().clone_into(&mut self.e164);
        if self.code.len() == 6 && self.code.bytes().all(|b| b.is_ascii_digit()) {
            Ok(())
        } else {
            Err(impossible("veri_code.test_numbers.code", "must be 6 digits"))
        }
    }
}

pub(super) fn impossible(key: &'static str, must: &'static str) -> SettingError {
    SettingError::Impossible { key, must }
}

/// The parser's sentence names an unknown or missing key, but not the key of a value of the wrong type: that is
/// on the line it points at. Only what stands before the `=` is told.
fn malformed(stage: &str, text: &str, cause: &toml::de::Error) -> SettingError {
    let at = cause.span().and_then(|span| text.get(..span.start)).map_or(0, |before| before.matches('\n').count());
    let line = text.lines().nth(at).unwrap_or_default();
    let key = line.split('=').next().unwrap_or_default().trim();
    // What stands between quotes is a value; an unknown or missing key stands between backticks.
    let said: String =
        cause.message().split('"').enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "…" }).collect();
    let sentence = format!("line {} ({key}): {said}", at + 1);
    SettingError::Malformed { stage: stage.to_owned(), sentence }
}

/// 1 to 40 letters, digits and hyphens, a letter first (`ElastiCache` API Reference, `CreateReplicationGroup`).
fn is_key_prefix(prefix: &str) -> bool {
    (1..=32).contains(&prefix.len()) && prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_as_built_are_those_of_conf_and_read_as_json() {
        for text in [
            include_str!("../../../conf/local.toml"),
            include_str!("../../../conf/test.toml"),
            include_str!("../../../conf/prod.toml"),
        ] {
            let (_, json) = AS_BUILT.iter().find(|(toml, _)| *toml == text).unwrap();
            let of_json: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(of_json, toml::from_str::<serde_json::Value>(text).unwrap());
            assert!(serde_json::from_str::<File>(json).is_ok());
        }
    }
}
