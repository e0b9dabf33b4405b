//! Whose page made a browser send a request.

use ::http::header::{HOST, ORIGIN};
use ::http::{HeaderMap, HeaderName};

use super::headers::joined;
use crate::config;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whose page made a browser send a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Site {
    /// One of our own, or none: only browsers send these headers.
    Own,
    /// One of `cors_origins`. It has a token or a bare session; cookies are neither read nor set for it.
    Cors,
    /// Any other.
    Foreign,
}

impl Site {
    /// By `Sec-Fetch-Site` (W3C, Fetch Metadata Request Headers), which no page can set; without it by `Origin` (RFC 6454).
    /// `is_local`: the stage has no TLS.
    pub(super) fn of(headers: &HeaderMap, settings: &config::Http, is_local: bool) -> Self {
        let origin = joined(headers, ORIGIN);
        let origin = origin.as_deref();
        let is_one_of = |origins: &[String]| origin.is_some_and(|origin| origins.iter().any(|known| known == origin));
        let is_own = match joined(headers, SEC_FETCH_SITE) {
            Some(site) => matches!(&*site, "same-origin" | "none"),
            None => {
                origin.is_none_or(|origin| is_of_host(origin, headers, is_local)) || is_one_of(&settings.own_origins)
            }
        };
        if is_own {
            Self::Own
        } else if is_one_of(&settings.cors_origins) {
            Self::Cors
        } else {
            Self::Foreign
        }
    }
}

/// Whether an origin is that of the host that the request was sent to.
fn is_of_host(origin: &str, headers: &HeaderMap, is_local: bool) -> bool {
    let Some(host) = joined(headers, HOST) else { return false };
    let (name, default_port) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(name), _) => (name, ":443"),
        (_, Some(name)) if is_local => (name, ":80"),
        _ => return false,
    };
    !name.is_empty() && host.strip_suffix(default_port).unwrap_or(&host).eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(headers: &[(&'static str, &str)], is_local: bool) -> Site {
        let settings = config::Http {
            own_origins: vec!["https://front.example".to_owned()],
            cors_origins: vec!["https://app.example".to_owned()],
        };
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, value.parse().unwrap());
        }
        Site::of(&all, &settings, is_local)
    }

    #[test]
    fn who_sends_neither_header_is_no_page() {
        assert_eq!(site(&[], false), Site::Own);
        assert_eq!(site(&[("host", "api.example")], false), Site::Own);
    }

    #[test]
    fn sec_fetch_site_decides() {
        let host = ("host", "api.example");
        for (fetch_site, origin, expected) in [
            ("same-origin", "https://evil.example", Site::Own),
            ("none", "null", Site::Own),
            ("cross-site", "https://api.example", Site::Foreign),
            ("cross-site", "https://front.example", Site::Foreign),
            ("cross-site", "https://evil.example", Site::Foreign),
            ("cross-site", "null", Site::Foreign),
            ("same-site", "https://api.example", Site::Foreign),
            ("same-site", "https://app.example", Site::Cors),
            ("cross-site", "https://app.example", Site::Cors),
            ("cross-site", "https://APP.example", Site::Foreign),
            ("", "https://api.example", Site::Foreign),
            ("Same-Origin", "https://api.example", Site::Foreign),
            ("same-origin,cross-site", "https://api.example", Site::Foreign),
        ] {
            let found = site(&[host, ("sec-fetch-site", fetch_site), ("origin", origin)], false);
            assert_eq!(found, expected, "{fetch_site} {origin}");
        }
        assert_eq!(site(&[host, ("sec-fetch-site", "cross-site")], false), Site::Foreign);
        let twice = [host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert_eq!(site(&twice, false), Site::Foreign);
    }

    #[test]
    fn without_it_an_origin_is_that_of_the_host_or_is_listed() {
        for (host, origin, is_local, expected) in [
            ("api.example", "https://api.example", false, Site::Own),
            ("API.example:443", "https://api.example", false, Site::Own),
            ("api.example:8443", "https://api.example:8443", false, Site::Own),
            ("api.example", "https://front.example", false, Site::Own),
            ("api.example", "https://app.example", false, Site::Cors),
            ("api.example", "http://api.example", false, Site::Foreign),
            ("127.0.0.1:9600", "http://127.0.0.1:9600", true, Site::Own),
            ("127.0.0.1:9600", "http://127.0.0.1:9601", true, Site::Foreign),
            ("127.0.0.1:9600", "http://localhost:9600", true, Site::Foreign),
            ("api.example", "https://api.example.evil.example", false, Site::Foreign),
            ("api.example", "https://api.example:8443", false, Site::Foreign),
            ("api.example", "null", false, Site::Foreign),
            ("api.example", "", false, Site::Foreign),
            ("", "https://", false, Site::Foreign),
        ] {
            assert_eq!(site(&[("host", host), ("origin", origin)], is_local), expected, "{host} {origin}");
        }
        assert_eq!(site(&[("origin", "https://api.example")], false), Site::Foreign, "no host");
        let twice = [("host", "api.example"), ("origin", "https://api.example"), ("origin", "https://api.example")];
        assert_eq!(site(&twice, false), Site::Foreign);
    }
}
