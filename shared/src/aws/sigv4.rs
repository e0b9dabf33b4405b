//! Signature Version 4, for requests whose body is at hand.
//!
//! Every request to DynamoDB is signed. By its SDK, signing was 31 % of the instructions of a `GetItem`: `aws-sigv4` signs
//! everything that AWS ever took. This does what our requests need, byte for byte as `aws-sigv4` does, which a test holds.
//! Source: AWS Identity and Access Management User Guide, "Create a signed AWS API request".

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::config::Credentials;
use crate::hex;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs for one service of one region.
pub(crate) struct Signer {
    credentials: Credentials,
    region: String,
    service: &'static str,
    /// Good for one day. Making one takes four rounds of HMAC, as much as the rest of a signature.
    key: Mutex<Option<(String, Hmac<Sha256>)>>,
}

/// What is signed of a POST, beside its time and the credentials.
pub(crate) struct Post<'a> {
    /// Name and, if it is not the scheme's own, port, as the header `host` has them.
    pub(crate) host: &'a str,
    /// As the request line has it. No part of it is `.` or `..`.
    pub(crate) path: &'a str,
    /// In small letters and in the order of the alphabet, none of them named `host` or `x-amz-date`, or like the token.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// The headers that a signature adds.
pub(crate) struct Signature {
    pub(crate) date: String,
    pub(crate) authorization: String,
}

impl Signer {
    pub(crate) fn new(credentials: Credentials, region: String, service: &'static str) -> Self {
        Self { credentials, region, service, key: Mutex::default() }
    }

    /// Of a session's credentials: what goes into the header `x-amz-security-token`.
    pub(crate) fn token(&self) -> Option<&str> {
        self.credentials.session_token.as_deref()
    }

    /// Signs a POST; it is good for five minutes from `at` on.
    pub(crate) fn sign(&self, post: &Post<'_>, at: Timestamp) -> Signature {
        let date = stamp(at);
        let own = [("host", post.host), ("x-amz-date", &date), ("x-amz-security-token", self.token().unwrap_or(""))];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        let mut headers: Vec<_> = post.headers.iter().copied().chain(own).collect();
        headers.sort_unstable_by_key(|(name, _)| *name);
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");

        let mut canonical = String::with_capacity(1024);
        canonical.push_str("POST\n");
        encode(&mut canonical, post.path, true);
        canonical.push_str("\n\n");
        for (name, value) in headers {
            canonical.extend([name, ":", value.trim(), "\n"]);
        }
        canonical.extend(["\n", &names, "\n"]);
        hex::push(&mut canonical, &Sha256::digest(post.body));

        let (scope, signature) = self.signature(&date, &canonical);
        let id = &self.credentials.access_key_id;
        let authorization =
            format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
        Signature { date, authorization }
    }

    /// The query of a GET of `/` that is signed in its address, for as long as `good_for`. `query` needs no encoding.
    pub(crate) fn presign(&self, host: &str, query: &[(&str, &str)], good_for: Duration, at: Timestamp) -> String {
        let date = stamp(at);
        let credential = format!("{}/{}", self.credentials.access_key_id, self.scope(&date));
        let good_for = good_for.as_secs().to_string();
        let own = [
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &date),
            ("X-Amz-Expires", &good_for),
            ("X-Amz-SignedHeaders", "host"),
            ("X-Amz-Security-Token", self.token().unwrap_or("")),
        ];
        let all = query.iter().chain(&own).filter(|(_, value)| !value.is_empty());
        let mut pairs: Vec<_> = all.map(|(name, value)| pair(name, value)).collect();
        let text = pairs.join("&");
        pairs.sort_unstable();
        let mut canonical = format!("GET\n/\n{}\nhost:{host}\n\nhost\n", pairs.join("&"));
        hex::push(&mut canonical, &Sha256::digest(b""));
        let (_, signature) = self.signature(&date, &canonical);
        format!("{text}&X-Amz-Signature={signature}")
    }

    fn scope(&self, date: &str) -> String {
        format!("{}/{}/{}/aws4_request", &date[..8], self.region, self.service)
    }

    fn signature(&self, date: &str, canonical: &str) -> (String, String) {
        let scope = self.scope(date);
        let mut text = format!("{ALGORITHM}\n{date}\n{scope}\n");
        hex::push(&mut text, &Sha256::digest(canonical));
        (scope, hex::of(&self.key(&date[..8]).chain_update(text).finalize().into_bytes()))
    }

    /// The key of a day.
    fn key(&self, day: &str) -> Hmac<Sha256> {
        let mut kept = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, key)) if of == day => key.clone(),
            _ => {
                let first = format!("AWS4{}", self.credentials.secret_access_key);
                let words = [day, &self.region, self.service, "aws4_request"];
                let key = words
                    .iter()
                    .fold(mac(first.as_bytes()), |key, word| mac(&key.chain_update(word).finalize().into_bytes()));
                kept.insert((day.to_owned(), key)).1.clone()
            }
        }
    }
}

/// HMAC with a key of any length (RFC 2104, section 2).
fn mac(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    Hmac::new(&block.into())
}

/// `20261125T094100Z`
fn stamp(at: Timestamp) -> String {
    let at = TimeZone::UTC.to_datetime(at);
    let (year, month, day) = (at.year(), at.month(), at.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second())
}

fn pair(name: &str, value: &str) -> String {
    let mut pair = format!("{name}=");
    encode(&mut pair, value, false);
    pair
}

/// Encodes as RFC 3986 does, section 2.3. A path is encoded a second time, and its slashes are not.
fn encode(to: &mut String, text: &str, is_path: bool) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') || (is_path && byte == b'/') {
            to.push(char::from(byte));
        } else {
            let _ = write!(to, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials as SdkCredentials;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4;
    use proptest::prelude::*;

    use super::*;

    const HOST: &str = "dynamodb.eu-central-1.amazonaws.com";

    /// What `aws-sigv4` makes of the same.
    fn of_aws(credentials: &Credentials, service: &str, post: &Post<'_>, at: Timestamp) -> http::Request<()> {
        let Credentials { access_key_id, secret_access_key, session_token } = credentials.clone();
        let identity = SdkCredentials::new(access_key_id, secret_access_key, session_token, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name(service)
            .time(at.into())
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let url = format!("https://{}{}", post.host, post.path);
        let body = SignableBody::Bytes(post.body);
        let signable = SignableRequest::new("POST", &url, post.headers.iter().copied(), body).unwrap();
        let (instructions, _signature) = sign(signable, &params).unwrap().into_parts();
        let mut request = http::Request::post(url).body(()).unwrap();
        instructions.apply_to_request_http1x(&mut request);
        request
    }

    fn credentials(secret: &str, token: Option<&str>) -> Credentials {
        Credentials {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: token.map(str::to_owned),
        }
    }

    fn assert_same(signer: &Signer, post: &Post<'_>, at: Timestamp) {
        let expected = of_aws(&signer.credentials, signer.service, post, at);
        let signature = signer.sign(post, at);
        assert_eq!(signature.authorization, expected.headers()["authorization"]);
        assert_eq!(signature.date, expected.headers()["x-amz-date"]);
    }

    #[test]
    fn a_signature_is_that_of_aws_sigv4() {
        let typed = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.GetItem")];
        let event = [("content-type", "application/json"), ("x-amz-invocation-type", "Event")];
        for (secret, token) in
            [("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None), ("s", Some("IQoJb3JpZ2luX2VjE+/=and ~more"))]
        {
            for (service, path, headers) in [
                ("dynamodb", "/", &typed),
                ("lambda", "/2015-03-31/functions/badge-test-send_sms%3Alive/invocations", &event),
            ] {
                let signer = Signer::new(credentials(secret, token), "eu-central-1".to_owned(), service);
                // Twice on one day, with its key; then on others.
                for second in [1_800_000_000, 1_800_000_001, 951_782_399, 951_782_400] {
                    for body in ["", "{}", "{\"名\": \"张三\"}"] {
                        let post = Post { host: HOST, path, headers, body: body.as_bytes() };
                        assert_same(&signer, &post, Timestamp::from_second(second).unwrap());
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn so_is_any_other(
            path in "(/[A-Za-z0-9:%$_~-]{1,12}){1,4}", value in "[ -~]{0,20}", secret in "[!-~]{1,100}",
            body in any::<Vec<u8>>(), second in 0_i64..4_000_000_000
        ) {
            let signer = Signer::new(credentials(&secret, Some("token")), "eu-central-1".to_owned(), "lambda");
            let path = path.replace('%', "%3A");
            // Spaces in a row become one; no header of ours has them.
            let value = value.replace("  ", "-");
            let headers = [("content-type", "text/plain"), ("x-amz-target", value.as_str())];
            let post = Post { host: "localhost:8000", path: &path, headers: &headers, body: &body };
            assert_same(&signer, &post, Timestamp::from_second(second).unwrap());
        }
    }
}
