//! The path of a request, as an HTTP API of API Gateway reads it.
//!
//! It decodes a path twice: after the first time it cuts the path at a `?` and refuses a `%` that begins no escape. AWS
//! does not document this. Source: recorded requests to live HTTP APIs, `vokerhttp/testdata/ingress-paths.json` in
//! `hotsock/voker`.

use crate::server::decode;

/// A path without what an HTTP API cuts off.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    /// Still percent-encoded, for the routes.
    pub(crate) encoded: &'a str,
    /// `rawPath` of the event.
    pub(crate) decoded: String,
}

impl<'a> Path<'a> {
    /// `None` if an HTTP API refuses the path.
    pub(crate) fn read(path: &'a str) -> Option<Self> {
        let question_mark = path.match_indices('%').find(|(at, _)| path[*at..].to_ascii_lowercase().starts_with("%3f"));
        let encoded = question_mark.map_or(path, |(at, _)| &path[..at]);
        let once = decode(encoded);
        let has_hex = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
        once.split('%').skip(1).all(has_hex).then(|| Self { encoded, decoded: decode(&once).into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn paths_are_read_as_live_http_apis_read_them() {
        for (sent, decoded) in [
            ("/capture/plain", Some("/capture/plain")),
            ("/capture/space%20value", Some("/capture/space value")),
            ("/capture/question%3Fvalue", Some("/capture/question")),
            ("/capture/question%3fvalue", Some("/capture/question")),
            ("/capture/percent%25done", None),
            ("/capture/hash%23value", Some("/capture/hash#value")),
            ("/capture/slash%2Fvalue", Some("/capture/slash/value")),
            ("/capture/unicode-%CE%BB-%E4%B8%96%E7%95%8C", Some("/capture/unicode-λ-世界")),
            ("/capture/literal%252Fvalue", Some("/capture/literal/value")),
            ("/capture/literal%253Fvalue", Some("/capture/literal?value")),
            ("/capture/literal%2525value", Some("/capture/literal%value")),
            ("/capture/%ff", Some("/capture/\u{fffd}")),
        ] {
            let path = Path::read(sent);
            assert_eq!(path.as_ref().map(|path| path.decoded.as_str()), decoded, "{sent}");
        }
        assert_eq!(Path::read("/a%3Fb").unwrap().encoded, "/a");
    }
}
