//! JSON web tokens as an attacker or another service makes them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::app::TestApp;

impl TestApp {
    /// Code and message of `GET /user/index` with that header `authorization`.
    pub async fn index_with(&self, authorization: &str) -> (i64, String) {
        let reply = self.send("GET", "/user/index", &[("authorization", authorization)], "").await;
        assert_eq!(reply.cookie, None);
        (reply.code, reply.msg)
    }
}

/// A token that is signed with HMAC-SHA-256, whatever its header says.
#[must_use]
pub fn forge(header: &Value, claims: &Value, key: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(&message).finalize();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}
