//! What the signatures of the providers' APIs are made of.

use hmac::Mac;
use percent_encoding::utf8_percent_encode;
use sha2::{Digest, Sha256};

use crate::aws::UNRESERVED;
use crate::mac::hmac_sha256;

/// SHA-256, in hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> String {
    const_hex::encode(Sha256::digest(bytes))
}

/// HMAC-SHA-256.
pub(super) fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac_sha256(key).chain_update(text).finalize().into_bytes().to_vec()
}

/// A query whose names are in their order already.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let encode = |text| utf8_percent_encode(text, UNRESERVED);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// A request as both providers write it down before they sign it: method, path, query, headers, their names, the body's hash.
/// Names of headers are in lower case and in their order.
pub(super) fn canonical_request(query: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("POST\n/\n{query}\n{}\n\n{}\n{}", lines.join("\n"), names(headers), hash(body))
}

/// The names of the signed headers.
pub(super) fn names(headers: &[(&str, &str)]) -> String {
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    names.join(";")
}

/// The host of an address, with its port if it has one, as the header `host` names it.
pub(super) fn host(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest).trim_end_matches('/')
}
