//! The credentials of a request.

use ::http::header::{AUTHORIZATION, COOKIE};
use ::http::{HeaderMap, HeaderName};

use super::cookie;
use super::headers::{joined, lines};
use crate::accounts::sessions::Credentials;
use crate::models::device::Device;
use crate::models::session_id::SessionId;

const X_DEVICE: HeaderName = HeaderName::from_static("x-device");

/// Cookies of one name that are looked at. A browser sends several for several paths and domains, and a neighbour under the same
/// domain can plant some; each session costs the cache a command.
const MOST_COOKIES: usize = 32;

/// Tokens of known devices, in `X-Device` and in the cookies, unless those are not read: those that could be ours.
pub(super) fn devices(headers: &HeaderMap, reads_cookies: bool) -> Vec<String> {
    let header = joined(headers, X_DEVICE);
    let header = header.as_deref().map(str::trim);
    let cookies =
        cookie::values(lines(headers, COOKIE), cookie::DEVICE).take(if reads_cookies { MOST_COOKIES } else { 0 });
    header.into_iter().chain(cookies).filter(|token| Device::read(token).is_some()).map(str::to_owned).collect()
}

/// What a request brings: a token in `Authorization`; the sessions of its cookies, unless they are not read; and a session
/// id that stands bare in `Authorization`, which is tried after them.
pub(super) fn credentials(headers: &HeaderMap, reads_cookies: bool) -> Credentials {
    let authorization = joined(headers, AUTHORIZATION);
    let authorization = authorization.as_deref().map(str::trim).unwrap_or_default();
    let token = scheme(authorization, "jwt").or_else(|| scheme(authorization, "bearer"));
    let cookies = cookie::values(lines(headers, COOKIE), cookie::NAME).filter_map(SessionId::parse);
    let cookies = cookies.take(if reads_cookies { MOST_COOKIES } else { 0 });
    let mut sessions: Vec<SessionId> = Vec::new();
    for session in cookies.chain(SessionId::parse(authorization)) {
        if !sessions.iter().any(|known| known.as_str() == session.as_str()) {
            sessions.push(session);
        }
    }
    Credentials { token: token.map(str::to_owned), sessions }
}

/// What follows the scheme, which is case-insensitive (RFC 9110, section 11.1).
fn scheme<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, rest) = authorization.split_once(' ')?;
    let rest = rest.trim();
    (scheme.eq_ignore_ascii_case(name) && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn schemes_are_known_in_any_case() {
        assert_eq!(scheme("jwt abc", "jwt"), Some("abc"));
        assert_eq!(scheme("BEARER  abc ", "bearer"), Some("abc"));
        for none in ["", "jwt", "jwt ", "jwtabc", "basic abc"] {
            assert_eq!(scheme(none, "jwt"), None, "{none}");
        }
    }

    #[test]
    fn a_bare_session_id_is_tried_after_the_cookies() {
        let ids: Vec<_> = (0..36).map(|_| SessionId::new("3f").unwrap()).collect();
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, format!("a=1; __sid__={}; __sid__=x", ids[0].as_str()).parse().unwrap());
        for id in &ids[..34] {
            headers.append(COOKIE, format!("__sid__={}", id.as_str()).parse().unwrap());
        }
        headers.append(AUTHORIZATION, format!(" {} ", ids[35].as_str()).parse().unwrap());
        let found = |reads_cookies| -> Vec<String> {
            let sessions = credentials(&headers, reads_cookies).sessions;
            sessions.iter().map(|id| id.as_str().to_owned()).collect()
        };
        // The first comes twice, and counts once among those that are looked at.
        let expected: Vec<_> = ids[..31].iter().chain([&ids[35]]).map(|id| id.as_str().to_owned()).collect();
        assert_eq!(found(true), expected);
        assert_eq!(found(false), [ids[35].as_str()]);
    }

    #[test]
    fn a_device_comes_in_a_header_or_a_cookie() {
        let token = |byte| URL_SAFE_NO_PAD.encode([byte; 64]);
        let of = |header: &str, cookie: &str, reads_cookies| {
            let headers = [(X_DEVICE, header.parse().unwrap()), (COOKIE, cookie.parse().unwrap())];
            devices(&headers.into_iter().collect(), reads_cookies)
        };
        let (one, other) = (token(1), token(2));
        let both = format!("__did__={other}");
        assert_eq!(of(&format!(" {one} "), &both, true), [one.clone(), other.clone()]);
        assert_eq!(of(&format!(" {one} "), &both, false), [one]);
        assert_eq!(of("undefined", &format!("a=1; __did__=x; __did__={other}"), true), [other]);
        assert_eq!(of("", "__did__=", true), [""; 0]);
    }

    #[test]
    fn a_token_is_not_taken_for_a_session() {
        let headers = [(AUTHORIZATION, "Bearer a.b.c".parse().unwrap())].into_iter().collect();
        let Credentials { token, sessions } = credentials(&headers, true);
        assert_eq!((token.as_deref(), sessions.len()), (Some("a.b.c"), 0));
    }
}
