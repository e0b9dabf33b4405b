//! Keeps web pages of other sites away from the local servers.
//!
//! A page of another site cannot read a reply, but it can send a request; and a host name that resolves to 127.0.0.1 (DNS
//! rebinding) makes it a page of the same origin. So the `Host` header must name this machine, and a request that may
//! change something must not come from another origin. Only browsers send `Origin` and `Sec-Fetch-Site`, so curl, tests
//! and functions pass.
//!
//! The API itself has no such guard: it holds nothing that its own rules do not protect, cookies of 127.0.0.1 are not sent
//! to another name, and a name in `/etc/hosts` is how cookies and CORS are tried.

use http::{HeaderValue, Request, StatusCode};

use crate::server::{self, Reply};

/// Names of this machine in a `Host` header.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// The reply to a request that a page of another site may have sent; `None` if the request passes.
pub(crate) fn refuse<B>(request: &Request<B>) -> Option<Reply> {
    let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    let refusal = check(request.method().as_str(), header).err()?;
    Some(server::message(StatusCode::FORBIDDEN, refusal))
}

/// Why a request with these headers is refused.
pub(crate) fn check<'a>(method: &str, header: impl Fn(&str) -> Option<&'a [u8]>) -> Result<(), &'static str> {
    // A value that is not text is no name of this machine.
    let text = |name: &str| header(name).map(|value| str::from_utf8(value).unwrap_or_default());
    let host = text("host");
    if host.is_some_and(|host| !is_loopback(host)) {
        return Err("only 127.0.0.1 and localhost are names of this server");
    }
    if method == "GET" || method == "HEAD" {
        return Ok(());
    }
    let is_own = |origin: &str| origin.strip_prefix("http://").is_some_and(|origin| Some(origin) == host);
    let is_same_origin = text("origin").is_none_or(is_own)
        && text("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    if is_same_origin { Ok(()) } else { Err("requests from pages of other sites are refused") }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    LOOPBACK.iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::refuse;

    fn passes(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/_stage/reset");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        refuse(&request.body(()).unwrap()).is_none()
    }

    #[test]
    fn only_names_of_this_machine_are_served() {
        for host in ["127.0.0.1:9600", "localhost:9600", "LOCALHOST", "[::1]:9600", "[::1]"] {
            assert!(passes("GET", &[("host", host)]), "{host}");
        }
        for host in ["evil.example:9600", "127.0.0.1.evil.example", "localhost.evil.example:9600", "127.0.0.1:x", ""] {
            assert!(!passes("GET", &[("host", host)]), "{host}");
        }
        assert!(passes("GET", &[]));
    }

    #[test]
    fn a_change_comes_from_the_console_or_from_no_page() {
        let here = ("host", "127.0.0.1:9600");
        assert!(passes("POST", &[here]));
        assert!(passes("POST", &[here, ("origin", "http://127.0.0.1:9600"), ("sec-fetch-site", "same-origin")]));
        for origin in ["https://evil.example", "http://127.0.0.1:9601", "http://localhost:9600", "null"] {
            assert!(!passes("POST", &[here, ("origin", origin)]), "{origin}");
            assert!(passes("GET", &[here, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!passes("PUT", &[here, ("sec-fetch-site", site)]), "{site}");
        }
        assert!(passes("PUT", &[here, ("sec-fetch-site", "none")]));
    }
}
