//! What `infra/fuzz` drives: each function takes what a stranger could send, lets the service read it, and asserts what
//! must hold whatever it was. Behind the feature `fuzz`, because it reaches what is private to the modules.
//!
//! A text of several parts has one part per line, so that a mutation of one leaves the others where they are.

#![expect(clippy::unwrap_used, reason = "what unexpectedly is not there is a finding")]

mod params;
mod request;

use std::net::Ipv6Addr;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use sha2::Sha256;

pub use self::request::{event, language, request, session, site};
use crate::accounts::list::{Cursor, Limit};
use crate::accounts::{audit, audit_log};
use crate::aws::Spawned;
use crate::clock::{Now, wall_millis};
use crate::config::{Config, Deployed, Window};
use crate::jwt;
use crate::lambda::{changes_of, scheduled_time};
use crate::models::audit_event::{ERASED, VALUED};
use crate::models::device::{Client, Device};
use crate::models::keys::{Key, KeyRing};
use crate::models::network::Network;
use crate::models::params::{Field, Rules, short_text};
use crate::models::phone::{Phone, PhoneRules};
use crate::models::profile::{self, Kind};
use crate::models::veri_code::VeriCode;
use crate::telemetry::scrub;
use crate::verification::sms::SendSms;
use crate::verification::{sign, verify};

/// A spelling of a number.
pub fn phone(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let only_cn = Rules::sample().phone;
    let allowed_regions = env!("BADGE_REGIONS").split(',').map(|code| code.try_into().unwrap()).collect();
    let all = PhoneRules { allowed_regions, ..only_cn.clone() };
    for rules in [only_cn, all] {
        let read = Phone::parse(text, &rules);
        assert!(read == Phone::parse_by_library(text, &rules));
        let Ok(phone) = read else { continue };
        let e164 = phone.e164();
        let digits = e164.strip_prefix('+').unwrap();
        assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()));
        assert!(!digits.starts_with('0'));
        assert!(Phone::parse(e164, &rules).is_ok_and(|again| again == phone));
        assert!(rules.allowed_regions.contains(&phone.region(&rules).unwrap()));
        let masked = phone.masked();
        assert!(
            masked.len() == e164.len() && masked.matches('*').count() == 4 && masked.ends_with(&e164[e164.len() - 4..])
        );
    }
}

/// A value, as JSON or else as a text, for every type of parameter.
pub fn fields(data: &[u8]) {
    let value = serde_json::from_slice(data).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(data)));
    let rules = Rules::sample();
    let is_short = |text: &str, max| {
        (1..=max).contains(&text.chars().count()) && text.trim() == text && short_text(text, max).is_ok()
    };
    for field in &profile::FIELDS {
        let Ok(read) = field.kind.parse(&value, &rules) else { continue };
        match (field.kind, read) {
            (Kind::Text { max } | Kind::Code { max }, profile::Value::Text(text)) => assert!(is_short(&text, max)),
            (Kind::Gender, profile::Value::Number(gender)) => assert!(matches!(gender, 1 | 2)),
            (Kind::PastDate, profile::Value::Text(day)) => {
                let read: jiff::civil::Date = day.parse().unwrap();
                assert!(value == day && read <= rules.today && read.year() >= 1900);
            }
            (kind, read) => panic!("{kind:?}: {read:?}"),
        }
    }
    if let Ok(code) = VeriCode::parse(&value, &rules) {
        assert!(code.digits().len() == 6 && code.digits().bytes().all(|b| b.is_ascii_digit()));
        let again = VeriCode::parse(&code.digits().into(), &rules);
        assert!(again.is_ok_and(|again| again.digits() == code.digits()));
    }
    if let Ok(limit) = Limit::parse(&value, &rules) {
        assert!((1..=100).contains(&limit.0));
    }
    if let Ok(cursor) = Cursor::parse(&value, &rules) {
        assert!(value == Cursor::write(cursor.0));
    }
    if let Ok(cursor) = audit_log::Cursor::parse(&value, &rules) {
        assert!(value == audit_log::Cursor::write(&cursor.0));
    }
}

const NOW: i64 = 1_800_000_000;
const KEY: &str = "0123456789abcdef0123456789abcdef";
const USER: &str = "019a0000-0000-7000-8000-000000000000";

static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    let old = json!({ "kid": "k1", "key": "fedcba9876543210fedcba9876543210" });
    let next = json!({ "kid": "k3", "key": "aaaabbbbccccddddeeeeffffgggghhhh" });
    KeyRing::read(&json!({ "kid": "k2", "key": KEY, "previous": old, "next": next }).to_string()).unwrap()
});

/// Tokens that are accepted: one of each key of the ring, with and without its name.
static GOOD: LazyLock<Vec<String>> = LazyLock::new(|| {
    let claims = json!({ "user_id": USER, "role": "user", "iss": "badge", "iat": NOW, "exp": NOW + 1200 }).to_string();
    let named = |key: &Key| json!({ "typ": "JWT", "alg": "HS256", "type": "jwt", "kid": key.kid });
    let unnamed = r#"{"typ":"JWT","alg":"HS256","type":"jwt"}"#.to_owned();
    RING.keys()
        .flat_map(|key| [named(key).to_string(), unnamed.clone()].map(|header| signed(&header, &claims, key.bytes())))
        .collect()
});

fn signed(header: &str, claims: &str, key: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(&message).finalize();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}

/// The first byte chooses: a token; changes to a good one; or a header and, on the next line, claims, which somebody
/// without the key has signed, or somebody with it.
pub fn token(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let now = Now::new(Timestamp::from_second(NOW).unwrap(), TimeZone::UTC);
    let verify = |token: &str| jwt::verify(&RING, token, "badge", &now);
    let text = String::from_utf8_lossy(rest);
    let (header, claims) = text.split_once('\n').unwrap_or((&text, ""));
    match choice {
        b'c' => {
            let mut token = GOOD[usize::from(rest.first().copied().unwrap_or(0)) % GOOD.len()].clone().into_bytes();
            for change in rest.get(1..).unwrap_or_default().chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % (token.len() + 1);
                match change[2] {
                    0 => drop(token.splice(at.., [])),
                    byte if at == token.len() || byte >= 0x80 => token.insert(at, byte & 0x7f),
                    byte if byte < 0x20 => drop(token.remove(at)),
                    byte => token[at] = byte,
                }
            }
            let token = String::from_utf8(token).unwrap();
            assert_eq!(verify(&token).is_ok(), GOOD.contains(&token), "{token}");
        }
        b'f' => assert!(verify(&signed(header, claims, b"a key of the attacker, of enough bytes")).is_err()),
        b's' => {
            let Ok(bearer) = verify(&signed(header, claims, KEY.as_bytes())) else { return };
            let [header, claims] =
                [header, claims].map(|json| serde_json::from_str::<Map<String, Value>>(json).unwrap());
            let claim = |name| claims.get(name).filter(|value| !value.is_null());
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
            let now = NOW as f64;
            assert!(header["alg"] == "HS256" && header["type"] == "jwt" && !header.contains_key("crit"));
            assert!(header.get("kid").is_none_or(|kid| kid.is_null() || kid == "k2"));
            assert!(claims["iss"] == "badge" && claim("aud").is_none() && claims["exp"].as_f64().unwrap() > now);
            assert!(claim("nbf").is_none_or(|nbf| nbf.as_f64().unwrap() <= now));
            assert!(claims["user_id"].as_str().unwrap().parse().is_ok_and(|id| bearer.user_id == id));
        }
        _ => assert_eq!(verify(&text).is_ok(), GOOD.iter().any(|good| *good == text), "{text}"),
    }
}

/// The token of a device; the first byte chooses: a token; or the signed part and the signature of one, which is no token
/// of ours unless it was signed by a key of the ring.
pub fn device(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let phone = Phone::stored("+8613800138000".to_owned());
    let known = |token: &str| verify(&RING, &phone, token, NOW.unsigned_abs());
    if choice != b's' {
        assert_eq!(known(&String::from_utf8_lossy(rest)), None);
        return;
    }
    let Some((signed, rest)) = rest.split_first_chunk() else { return };
    let device = Device::from_bytes(*signed);
    assert_eq!(device.to_bytes(), *signed);
    for key in RING.keys() {
        let token = sign(key, &phone, device);
        assert_eq!(known(&token), Some(device).filter(|device| device.ends > NOW.unsigned_abs()));
        assert_eq!(verify(&RING, &Phone::stored("+8613800138001".to_owned()), &token, 0), None);
        let (read, mac) = Device::read(&token).unwrap();
        assert_eq!(read, device);
        if let Some(other) = rest.first_chunk().filter(|other| **other != mac) {
            assert!(
                RING.keys().any(|key| sign(key, &phone, device) == device.token(other))
                    || known(&device.token(other)).is_none()
            );
        }
    }
}

/// The address that the gateway saw.
pub fn network(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let network = Network::of(text);
    for bits in [48, 56] {
        let range = network.range(bits);
        assert_eq!(range.is_some(), network.as_str().ends_with("/64"));
        let address = range.as_deref().and_then(|range| range.split_once('/')).map(|(address, _)| Network::of(address));
        assert_eq!(address.and_then(|address| address.range(bits)), range);
    }
    let network = network.as_str();
    match network.strip_suffix("::/64").or(network.strip_suffix("/64")) {
        Some(prefix) => {
            let address: Ipv6Addr = text.parse().unwrap();
            let neighbour = u128::from(address) ^ 1;
            assert_eq!(Network::of(&Ipv6Addr::from(neighbour).to_string()).as_str(), network, "{prefix}");
        }
        None => assert!(network == "unknown" || (Network::of(network).as_str() == network && !network.contains(':'))),
    }
}

/// What a task's function and a job's are invoked with.
pub fn payload(data: &[u8]) {
    if let Ok(spawned) = serde_json::from_slice::<Spawned<SendSms>>(data) {
        let late_ms = wall_millis().saturating_sub(spawned.spawned_at_ms);
        let _ = Timestamp::from_millisecond(spawned.time_epoch_ms.saturating_add_unsigned(late_ms));
        let written = serde_json::to_string(&spawned).unwrap();
        let again: Spawned<SendSms> = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), written);
    }
    if let Some(time) = std::str::from_utf8(data).ok().and_then(|event| scheduled_time(event).ok()) {
        assert!(time.to_string().parse().is_ok_and(|again: Timestamp| again == time));
        assert!(Now::new(time, TimeZone::UTC).rest_millis_of_day() >= 1);
    }
}

/// An event of the users' table's stream: what becomes an event of the audit has names of fields, and values of those alone that
/// tell nothing of a person.
pub fn changes(data: &[u8]) {
    let Some(changes) = std::str::from_utf8(data).ok().and_then(|event| changes_of(event).ok()) else { return };
    for change in changes.into_iter().flatten() {
        let Ok(events) = audit::events_of(&change) else { continue };
        assert!(events.len() <= 2);
        let has = |name: &str| [&change.old, &change.new].into_iter().flatten().any(|row| row.contains_key(name));
        for event in events {
            assert!(event.fields.iter().all(|name| name == ERASED || name == "phone" || has(name)));
            for (name, value) in event.values {
                assert!(VALUED.contains(&name.as_str()) && event.fields.contains(&name));
                assert!(value == "user" || value == "admin" || value == 0 || value == 1);
            }
        }
    }
}

/// The text of a secret.
pub fn key_ring(data: &[u8]) {
    let Some(ring) = std::str::from_utf8(data).ok().and_then(|text| KeyRing::read(text).ok()) else { return };
    assert!(ring.keys().all(|key| key.bytes().len() >= 32));
    let claims = json!({
        "user_id": USER, "sub": USER, "role": "admin", "epoch": 1, "iss": "badge", "iat": NOW, "exp": NOW + 1, "jti": "1",
    });
    let token = jwt::sign(&ring, &serde_json::from_value(claims).unwrap()).ok().unwrap();
    let now = Now::new(Timestamp::from_second(NOW).unwrap(), TimeZone::UTC);
    assert!(jwt::verify(&ring, &token, "badge", &now).is_ok() || token.len() > 4096);
}

/// A settings file, for a stage that may do everything and for one that may not.
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for stage in ["local", "prod"] {
        let config = match Config::parse(stage.to_owned(), text, Deployed::default()) {
            Ok(config) => config,
            Err(refusal) => {
                assert!(!refusal.to_string().is_empty());
                continue;
            }
        };
        let is_local = stage == "local";
        assert!(is_local || config.session.cookie_secure && config.veri_code.test_numbers.is_empty());
        assert!((1..=16).contains(&config.user_shards) && (60..=600).contains(&config.veri_code.ttl_secs));
        assert!((1..=10).contains(&config.veri_code.tries));
        for client in [Client::Stranger, Client::KnownDevice] {
            for window in [Window::Day, Window::Success] {
                assert!(config.limits.tries(client, window).is_ok_and(|row| (1..=100).contains(&row.max)));
            }
            assert!(config.limits.cool_down_secs(client) >= 1);
            assert!(config.limits.iter().all(|limit| (1..=limit.max).contains(&limit.max_of(client))));
        }
        assert!(!config.phone.allowed_regions.is_empty());
    }
}

/// Free text for the log; the first byte is half of its greatest length.
pub fn log_text(data: &[u8]) {
    let Some((&half, text)) = data.split_first() else { return };
    let max = usize::from(half) * 2;
    let clean = scrub(&String::from_utf8_lossy(text), max);
    assert!(clean.chars().count() <= max + 1);
    assert_tells_nothing(&clean);
    assert_eq!(scrub(&clean, max), clean);
}

/// One line without a run of digits that could be a phone or a code, and without a word that could be a key.
fn assert_tells_nothing(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    let mut runs = text.split(|c: char| !c.is_numeric());
    assert!(runs.all(|digits| digits.chars().count() < 6), "{text:?}");
    let mut words = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '+'));
    assert!(words.all(|word| word.len() < 40), "{text:?}");
}

/// Tokens to start from, as [`token`] takes them.
#[must_use]
pub fn good_tokens() -> Vec<Vec<u8>> {
    GOOD.iter().map(|token| format!("t{token}").into_bytes()).collect()
}
