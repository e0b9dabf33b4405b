//! `[http]`: which web pages may call the API.

use serde::Deserialize;

use super::error::{SettingError, require};

/// `[http]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Origins of fronts whose name functions do not see in `Host`.
    pub own_origins: Vec<String>,
    /// Origins of other sites whose pages may call the API, without cookies.
    pub cors_origins: Vec<String>,
}

impl Http {
    pub(super) fn check(&self, stage: &str) -> Result<(), SettingError> {
        for (origins, key) in [(&self.own_origins, "http.own_origins"), (&self.cors_origins, "http.cors_origins")] {
            let are_origins = origins.iter().all(|origin| is_origin(origin, stage == "local"));
            require(
                are_origins,
                key,
                "must be origins as browsers send them: https://, a name, and a port unless it is 443",
            )?;
        }
        Ok(())
    }
}

/// Whether a browser could send this `Origin` (RFC 6454, section 6.2): lower case, no path, no default port.
fn is_origin(text: &str, may_be_plain: bool) -> bool {
    let (rest, default_port) = match text.strip_prefix("https://") {
        Some(rest) => (rest, ":443"),
        None if may_be_plain => (text.strip_prefix("http://").unwrap_or_default(), ":80"),
        None => return false,
    };
    let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':' | '[' | ']');
    !rest.is_empty() && rest.chars().all(is_known) && !rest.ends_with(default_port)
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for origin in ["https://app.example", "https://app.example:8443", "https://[2001:db8::1]"] {
            assert!(is_origin(origin, false), "{origin}");
        }
        assert!(is_origin("http://127.0.0.1:8080", true));
        for text in [
            "",
            "*",
            "null",
            "https://",
            "https://*.example",
            "https://app.example/",
            "https://App.example",
            concat!("https://app.example", ":443"),
            "http://app.example",
            "app.example",
        ] {
            assert!(!is_origin(text, false), "{text}");
        }
    }
}
