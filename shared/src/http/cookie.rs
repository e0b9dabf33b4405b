//! The cookies of the session and of the known device.

use crate::config;
use crate::models::device::DEVICE_TTL_SECS;
use crate::models::session_id::SessionId;

/// Name of the session's cookie, kept from the old service.
pub(super) const NAME: &str = "__sid__";

/// Name of the cookie of a known device.
pub(super) const DEVICE: &str = "__did__";

/// The value of the `Set-Cookie` header that gives a browser its session.
pub(crate) fn session_cookie(session: &SessionId, settings: &config::Session) -> String {
    set_cookie(NAME, session.as_str(), settings.ttl_secs, settings)
}

/// The value of the `Set-Cookie` header that makes a browser forget its session.
pub(crate) fn expired_cookie(settings: &config::Session) -> String {
    set_cookie(NAME, "", 0, settings)
}

/// The value of the `Set-Cookie` header that makes a browser a known device.
pub(crate) fn device_cookie(token: &str, settings: &config::Session) -> String {
    set_cookie(DEVICE, token, DEVICE_TTL_SECS, settings)
}

/// RFC 6265, section 4.1.
fn set_cookie(name: &str, value: &str, max_age_secs: u64, settings: &config::Session) -> String {
    let secure = if settings.cookie_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={max_age_secs}; HttpOnly; SameSite=Lax{secure}")
}

/// The values of a cookie in `Cookie` headers, the most specific first (RFC 6265, section 5.4). Quotes around a value are
/// not part of it (section 4.1.1 allows them, and Java's `CookieManager` sends them).
pub(super) fn values<'a>(lines: impl Iterator<Item = &'a str>, name: &str) -> impl Iterator<Item = &'a str> {
    lines.flat_map(|line| line.split(';')).filter_map(move |pair| {
        let (key, value) = pair.trim().split_once('=')?;
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        (key == name).then_some(bare.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_hardened() {
        let settings = |cookie_secure| config::Session { ttl_secs: 86_400, max_age_secs: 86_400, cookie_secure };
        assert_eq!(
            set_cookie(NAME, "x", 86_400, &settings(true)),
            "__sid__=x; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(expired_cookie(&settings(false)), "__sid__=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        assert_eq!(
            device_cookie("x", &settings(true)),
            "__did__=x; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure"
        );
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let first = |lines: &[&'static str]| values(lines.iter().copied(), NAME).next();
        assert_eq!(first(&["a__sid__=1", "__sid__=2", "__sid__=3"]), Some("2"));
        assert_eq!(first(&["x=1; __sid__=2"]), Some("2"));
        assert_eq!(first(&["__sid__"]), None);
        assert_eq!(first(&["__sid__=\"2\""]), Some("2"));
    }
}
