//! Every attack on a token is a test.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;

const NOW: u64 = 1_800_000_000;
const KEY: &str = "0123456789abcdef0123456789abcdef";
const OLD_KEY: &str = "fedcba9876543210fedcba9876543210";
const NEXT_KEY: &str = "aaaabbbbccccddddeeeeffffgggghhhh";
const USER: &str = "019a0000-0000-7000-8000-000000000000";

fn now() -> Now {
    Now::new(Timestamp::from_second(NOW.cast_signed()).unwrap(), TimeZone::UTC)
}

fn keys() -> KeyRing {
    let ring = json!({ "kid": "k2", "key": KEY, "previous": { "kid": "k1", "key": OLD_KEY },
        "next": { "kid": "k3", "key": NEXT_KEY } });
    serde_json::from_value(ring).unwrap()
}

fn claims() -> Value {
    json!({ "user_id": USER, "role": "user", "iss": "badge", "iat": NOW, "exp": NOW + 1200 })
}

fn header() -> Value {
    json!({ "typ": "JWT", "alg": "HS256", "type": "jwt", "kid": "k2" })
}

/// A token put together by hand, so that this does not test the crate with itself.
fn make(header: &Value, claims: &Value, key: &str) -> String {
    make_of(&header.to_string(), &claims.to_string(), key)
}

/// The same, of text that need not be JSON.
fn make_of(header: &str, claims: &str, key: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    sign_text(&message, key)
}

fn sign_text(message: &str, key: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(message).finalize();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}

fn with(mut base: Value, name: &str, value: Value) -> Value {
    base[name] = value;
    base
}

fn without(mut base: Value, name: &str) -> Value {
    base.as_object_mut().unwrap().remove(name);
    base
}

fn fault(token: &str) -> Option<TokenFault> {
    match verify(&keys(), token, "badge", &now()) {
        Ok(_) => None,
        Err(Error::Token(fault)) => Some(fault),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_we_sign_we_accept() {
    let ours = json!({ "sub": USER, "jti": "1", "epoch": 3 });
    let mut claims = claims();
    claims.as_object_mut().unwrap().extend(ours.as_object().unwrap().clone());
    let token = sign(&keys(), &serde_json::from_value(claims).unwrap()).unwrap();
    let bearer = Bearer { user_id: USER.parse().unwrap(), role: Role::User, epoch: 3 };
    assert_eq!(verify(&keys(), &token, "badge", &now()).unwrap(), bearer);
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!(header, json!({ "typ": "JWT", "alg": "HS256", "type": "jwt", "kid": "k2" }));
}

#[test]
fn a_token_of_the_old_service_is_of_the_first_epoch() {
    let token = make(&without(header(), "kid"), &claims(), KEY);
    assert_eq!(verify(&keys(), &token, "badge", &now()).unwrap().epoch, 0);
}

#[test]
fn each_fault_is_told_by_its_kind() {
    use TokenFault::{Expired, Unacceptable, Unverified};
    let good = make(&header(), &claims(), KEY);
    let unsigned = good.rsplit_once('.').unwrap().0.to_owned();
    for (what, token, expected) in [
        ("good", good.clone(), None),
        ("of the old service, without kid", make(&without(header(), "kid"), &claims(), KEY), None),
        ("signed by the key before", make(&with(header(), "kid", json!("k1")), &claims(), OLD_KEY), None),
        ("signed by the key after", make(&with(header(), "kid", json!("k3")), &claims(), NEXT_KEY), None),
        ("the key before, unnamed", make(&without(header(), "kid"), &claims(), OLD_KEY), None),
        ("expired", make(&header(), &with(claims(), "exp", json!(NOW - 1)), KEY), Some(Expired)),
        ("expires now", make(&header(), &with(claims(), "exp", json!(NOW)), KEY), Some(Expired)),
        ("expired and foreign", make(&header(), &with(claims(), "exp", json!(1)), "x"), Some(Unverified)),
        ("foreign key", make(&header(), &claims(), "another key of thirty-two bytes!"), Some(Unverified)),
        ("foreign kid", make(&with(header(), "kid", json!("k9")), &claims(), KEY), Some(Unverified)),
        ("kid of the other key", make(&with(header(), "kid", json!("k1")), &claims(), KEY), Some(Unverified)),
        ("no signature", unsigned.clone(), Some(Unverified)),
        ("empty signature", format!("{unsigned}."), Some(Unverified)),
        ("tampered", good.replacen("eyJ", "eyK", 1), Some(Unverified)),
        ("four parts", format!("{good}.x"), Some(Unverified)),
        ("garbage", "a.b.c".to_owned(), Some(Unverified)),
        ("empty", String::new(), Some(Unverified)),
        ("huge", "a".repeat(5000), Some(Unverified)),
        ("exp is text", make(&header(), &with(claims(), "exp", json!("soon")), KEY), Some(Unverified)),
        ("claims are a list", make(&header(), &json!([1]), KEY), Some(Unverified)),
        ("no user", make(&header(), &without(claims(), "user_id"), KEY), Some(Unverified)),
        ("no exp", make(&header(), &without(claims(), "exp"), KEY), Some(Unacceptable)),
        ("nbf ahead", make(&header(), &with(claims(), "nbf", json!(NOW + 5)), KEY), Some(Unacceptable)),
        ("nbf now", make(&header(), &with(claims(), "nbf", json!(NOW)), KEY), None),
        ("nbf passed", make(&header(), &with(claims(), "nbf", json!(NOW - 5)), KEY), None),
        ("aud", make(&header(), &with(claims(), "aud", json!("x")), KEY), Some(Unacceptable)),
        ("foreign iss", make(&header(), &with(claims(), "iss", json!("x")), KEY), Some(Unacceptable)),
        ("no iss", make(&header(), &without(claims(), "iss"), KEY), Some(Unacceptable)),
        ("no type", make(&without(header(), "type"), &claims(), KEY), Some(Unacceptable)),
        ("HS512", make(&with(header(), "alg", json!("HS512")), &claims(), KEY), Some(Unacceptable)),
        (
            "alg none",
            format!("{}.", make(&with(header(), "alg", json!("none")), &claims(), KEY).rsplit_once('.').unwrap().0),
            Some(Unacceptable),
        ),
        ("alg made up", make(&with(header(), "alg", json!("HS1")), &claims(), KEY), Some(Unacceptable)),
        ("alg RS256", make(&with(header(), "alg", json!("RS256")), &claims(), KEY), Some(Unacceptable)),
    ] {
        assert_eq!(fault(&token), expected, "{what}");
    }
}

const ATTACKER: &str = "a key of the attacker, and of more than thirty-two bytes";

#[test]
fn no_other_algorithm_is_accepted_whatever_it_is_signed_with() {
    for alg in [
        "RS256", "RS384", "RS512", "PS256", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS384", "HS512", "none",
        "None", "NONE", "nOnE", "hs256", "HS256 ", "", "HS256\0", "dir", "A256GCM",
    ] {
        let signed = make(&with(header(), "alg", json!(alg)), &claims(), KEY);
        let unsigned = format!("{}.", signed.rsplit_once('.').unwrap().0);
        for token in [signed, unsigned] {
            assert_eq!(fault(&token), Some(TokenFault::Unacceptable), "{alg}");
        }
    }
    for alg in [json!(null), json!(1), json!(["HS256"]), json!({})] {
        let token = make(&with(header(), "alg", alg.clone()), &claims(), KEY);
        assert_eq!(fault(&token), Some(TokenFault::Unverified), "{alg}");
    }
}

#[test]
fn a_token_does_not_say_what_it_is_to_be_verified_with() {
    let jwk = json!({ "kty": "oct", "alg": "HS256", "kid": "k2", "k": URL_SAFE_NO_PAD.encode(ATTACKER) });
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://attacker.example/keys.json")),
        ("x5u", json!("https://attacker.example/chain.pem")),
        ("x5c", json!([URL_SAFE_NO_PAD.encode(ATTACKER)])),
        ("kid", json!("../../../dev/null")),
        ("kid", json!("k2' OR '1'='1")),
        ("kid", json!("")),
        ("kid", json!(2)),
        ("kid", json!(["k2"])),
        ("kid", json!({ "k2": "k2" })),
    ] {
        for key in [ATTACKER, ""] {
            let token = make(&with(header(), name, value.clone()), &claims(), key);
            assert_eq!(fault(&token), Some(TokenFault::Unverified), "{name} {value}");
        }
    }
}

#[test]
fn times_that_are_no_numbers_of_seconds_are_refused() {
    use TokenFault::{Expired, Unacceptable, Unverified};
    for (name, value, expected) in [
        ("exp", "\"1800001200\"", Some(Unverified)),
        ("exp", "true", Some(Unverified)),
        ("exp", "[1800001200]", Some(Unverified)),
        ("exp", "{}", Some(Unverified)),
        ("exp", "1e999", Some(Unverified)),
        ("exp", "NaN", Some(Unverified)),
        ("exp", "Infinity", Some(Unverified)),
        ("exp", "0x7fffffff", Some(Unverified)),
        ("exp", "null", Some(Unacceptable)),
        ("exp", "0", Some(Expired)),
        ("exp", "-1", Some(Expired)),
        ("exp", "-1e308", Some(Expired)),
        ("exp", "1799999999.999", Some(Expired)),
        // RFC 7519, section 2: a NumericDate may have a fraction. Only who has the key can sign a far one.
        ("exp", "1800000000.5", None),
        ("exp", "18446744073709551616", None),
        ("nbf", "\"1\"", Some(Unverified)),
        ("nbf", "1800000000.5", Some(Unacceptable)),
        ("nbf", "1e308", Some(Unacceptable)),
        ("aud", "[]", Some(Unacceptable)),
        ("iss", "[\"badge\"]", Some(Unverified)),
        ("iss", "\"badge \"", Some(Unacceptable)),
        ("iss", "\"Badge\"", Some(Unacceptable)),
        ("role", "\"root\"", Some(Unverified)),
    ] {
        let claims = without(claims(), name).to_string();
        let claims = format!("{},\"{name}\":{value}}}", claims.trim_end_matches('}'));
        assert_eq!(fault(&make_of(&header().to_string(), &claims, KEY)), expected, "{name}: {value}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    use TokenFault::{Unacceptable, Unverified};
    let good = make(&header(), &claims(), KEY);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = message.split_once('.').unwrap();
    let twice = |object: &Value, name: &str| {
        let text = object.to_string();
        format!("{},\"{name}\":{}}}", text.trim_end_matches('}'), object[name])
    };
    // 32 bytes leave two bits of the last character unused: another character, the same bytes.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let other = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let raw = format!("{}.{}", URL_SAFE_NO_PAD.encode(with(header(), "b64", json!(false)).to_string()), claims());
    for (what, token, expected) in [
        ("alg twice", make_of(&twice(&header(), "alg"), &claims().to_string(), KEY), Unverified),
        ("kid twice", make_of(&twice(&header(), "kid"), &claims().to_string(), KEY), Unverified),
        ("exp twice", make_of(&header().to_string(), &twice(&claims(), "exp"), KEY), Unverified),
        ("role twice", make_of(&header().to_string(), &twice(&claims(), "role"), KEY), Unverified),
        (
            "b64 and crit",
            make(&with(with(header(), "b64", json!(false)), "crit", json!(["b64"])), &claims(), KEY),
            Unacceptable,
        ),
        ("crit of nothing", make(&with(header(), "crit", json!([])), &claims(), KEY), Unacceptable),
        ("crit that is no list", make(&with(header(), "crit", json!("exp")), &claims(), KEY), Unverified),
        ("claims that are not encoded", sign_text(&raw, KEY), Unverified),
        ("unused bits", format!("{message}.{}{other}", &signature[..signature.len() - 1]), Unverified),
        ("padding", format!("{good}="), Unverified),
        ("padded header", sign_text(&format!("{head}=.{body}"), KEY), Unverified),
        ("the other alphabet", sign_text(&format!("{head}.{body}+/"), KEY), Unverified),
        ("space before", format!(" {good}"), Unverified),
        ("line break inside", sign_text(&format!("{head}.\n{body}"), KEY), Unverified),
        ("a dot of another script", good.replacen('.', "。", 1), Unverified),
        ("invisible", format!("{good}\u{200b}"), Unverified),
        ("encrypted, five parts", format!("{head}.{body}.{signature}.{body}.{signature}"), Unverified),
        ("two tokens", format!("{good},{good}"), Unverified),
        (
            "JSON serialization",
            json!({ "protected": head, "payload": body, "signature": signature }).to_string(),
            Unverified,
        ),
        ("a byte order mark", make_of(&format!("\u{feff}{}", header()), &claims().to_string(), KEY), Unverified),
        ("something behind the header", make_of(&format!("{}x", header()), &claims().to_string(), KEY), Unverified),
    ] {
        assert_eq!(fault(&token), Some(expected), "{what}");
    }
}

#[test]
fn a_long_token_is_not_even_looked_at() {
    for size in [LONGEST_TOKEN, 8 * 1024, 64 * 1024] {
        let token = make(&with(header(), "x", json!("x".repeat(size))), &claims(), KEY);
        assert_eq!(fault(&token), Some(TokenFault::Unverified), "{size}");
    }
}

#[test]
fn the_longest_token_is_looked_at() {
    // Base64 has no text of every length, so the claims are padded too.
    let fitting = |length| {
        (0..3).find_map(|pad| {
            let claims = with(claims(), "y", json!("y".repeat(pad)));
            let token = |size: usize| make(&with(header(), "x", json!("x".repeat(size))), &claims, KEY);
            (2000..3000).map(token).find(|token| token.len() == length)
        })
    };
    assert_eq!(fault(&fitting(LONGEST_TOKEN).unwrap()), None);
    assert_eq!(fault(&fitting(LONGEST_TOKEN + 1).unwrap()), Some(TokenFault::Unverified));
}
