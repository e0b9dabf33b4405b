//! Who may come in: whatever runs on this machine, but no page of somebody else's that a browser on it shows.
//!
//! A page of another site cannot read a reply, but it can send a request; and a name that it has made to lead here (DNS
//! rebinding) makes it a page of this site. So the name that is asked for must be one of this machine, and a request that
//! changes something must not come from elsewhere. Only browsers say where a request comes from, so that curl and tests
//! need not say anything.

use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, header};

use super::wish::Refusal;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Names of this machine, as a `Host` header writes them.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

pub(super) fn check(head: &Parts) -> Result<(), Refusal> {
    let host = text(&head.headers, &header::HOST);
    if host.is_some_and(|host| !is_loopback(host)) {
        return Err(Refusal::Foreign("the doors answer to 127.0.0.1 and localhost alone"));
    }
    if head.method == Method::GET || head.method == Method::HEAD {
        return Ok(());
    }
    let is_ours = |origin: &str| origin.strip_prefix("http://").is_some_and(|origin| Some(origin) == host);
    let comes_from_here = text(&head.headers, &header::ORIGIN).is_none_or(is_ours)
        && text(&head.headers, &FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
    if comes_from_here { Ok(()) } else { Err(Refusal::Foreign("no page of another site may change the stage")) }
}

/// What is not text is nobody's name.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
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

    use super::check;

    fn may(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/_stage/reset");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0).is_ok()
    }

    #[test]
    fn only_names_of_this_machine_lead_here() {
        for host in ["127.0.0.1:9600", "localhost:9600", "LOCALHOST", "[::1]:9600", "[::1]"] {
            assert!(may("GET", &[("host", host)]), "{host}");
        }
        for host in ["evil.example:9600", "127.0.0.1.evil.example", "localhost.evil.example:9600", "127.0.0.1:x", ""] {
            assert!(!may("GET", &[("host", host)]), "{host}");
        }
        assert!(may("GET", &[]));
    }

    #[test]
    fn a_change_comes_from_the_console_or_from_no_page() {
        let here = ("host", "127.0.0.1:9600");
        assert!(may("POST", &[here]));
        assert!(may("POST", &[here, ("origin", "http://127.0.0.1:9600"), ("sec-fetch-site", "same-origin")]));
        for origin in ["https://evil.example", "http://127.0.0.1:9601", "http://localhost:9600", "null"] {
            assert!(!may("POST", &[here, ("origin", origin)]), "{origin}");
            assert!(may("GET", &[here, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!may("PUT", &[here, ("sec-fetch-site", site)]), "{site}");
        }
        assert!(may("PUT", &[here, ("sec-fetch-site", "none")]));
    }
}
