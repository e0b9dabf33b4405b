//! One call of a function.

use crate::clock::Now;
use crate::models::language::Language;
use crate::models::network::Network;

/// What a decision may know of the call that it is made for.
#[derive(Clone)]
pub struct Call {
    /// The moment of the call, in the stage's time zone; the only time that decisions see.
    pub now: Now,
    /// Lambda's id of the call.
    pub request_id: String,
    /// The network that the call comes from.
    pub network: Network,
    /// The language in which the caller is spoken to.
    pub language: Language,
    /// What the client calls itself; see [`crate::models::client`].
    pub client: String,
    /// Tokens of known devices, as the client sent them: nothing in them is verified yet.
    pub devices: Vec<String>,
}

#[cfg(test)]
impl Call {
    /// A call for tests: half a second before midnight in Shanghai, from 203.0.113.7.
    pub(crate) fn sample() -> Self {
        let now =
            Now::new("2026-11-26T15:59:59.5Z".parse().unwrap(), jiff::tz::TimeZone::get("Asia/Shanghai").unwrap());
        let (request_id, client) = ("request-1".to_owned(), "curl/8.5.0".to_owned());
        Self {
            now,
            request_id,
            network: Network::of("203.0.113.7"),
            language: Language::Chinese,
            client,
            devices: Vec::new(),
        }
    }
}
