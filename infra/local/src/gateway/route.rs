//! Which route takes a request, chosen as API Gateway chooses for HTTP APIs.
//!
//! Source: Amazon API Gateway Developer Guide, "Create routes for HTTP APIs": the most specific match wins, a full
//! match before a greedy variable, `$default` last; `ANY` takes the methods that the path has no route for. Paths
//! are case-sensitive and a trailing slash makes another path.

use std::borrow::Cow;
use std::sync::Arc;

use crate::server::decode;
use crate::template::RouteKey;

/// All routes of the API, the most specific first. `T` is what a route leads to.
#[derive(Debug)]
pub(crate) struct RouteTable<T> {
    routes: Vec<Route<T>>,
    default: Option<Arc<Target<T>>>,
}

/// Where a route leads.
#[derive(Debug)]
pub(crate) struct Target<T> {
    /// The key as the event spells it: `POST /users/{id}`.
    pub(crate) key: Arc<str>,
    pub(crate) to: T,
}

/// A matching route, with the values of its path variables in the order of the path.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) target: Arc<Target<T>>,
    pub(crate) parameters: Vec<(Arc<str>, String)>,
}

#[derive(Debug)]
struct Route<T> {
    /// `None` is ANY.
    method: Option<String>,
    segments: Vec<Segment>,
    target: Arc<Target<T>>,
}

/// One part of a path; the order is from specific to general.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Variable(Arc<str>),
    Greedy(Arc<str>),
}

impl<T> RouteTable<T> {
    pub(crate) fn new(routes: impl IntoIterator<Item = (RouteKey, T)>) -> Self {
        let mut table = Self { routes: Vec::new(), default: None };
        for (key, to) in routes {
            let target = Arc::new(Target { key: key.to_string().into(), to });
            match key {
                RouteKey::Default => table.default = Some(target),
                RouteKey::Path { method, path } => {
                    let segments = path[1..].split('/').map(Segment::parse).collect();
                    let method = Some(method).filter(|method| method != "ANY");
                    table.routes.push(Route { method, segments, target });
                }
            }
        }
        table.routes.sort_by_key(Route::rank);
        table
    }

    /// The route for a method and a path that is still percent-encoded.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Found<T>> {
        let segments: Vec<Cow<'_, str>> = path.strip_prefix('/')?.split('/').map(decode).collect();
        let route = self.routes.iter().find(|route| route.takes(method, &segments));
        match (route, &self.default) {
            (Some(route), _) => {
                Some(Found { target: Arc::clone(&route.target), parameters: route.parameters(&segments) })
            }
            (None, Some(default)) => Some(Found { target: Arc::clone(default), parameters: Vec::new() }),
            (None, None) => None,
        }
    }
}

impl<T> Route<T> {
    fn takes(&self, method: &str, path: &[Cow<'_, str>]) -> bool {
        if self.method.as_deref().is_some_and(|own| own != method) {
            return false;
        }
        let greedy = matches!(self.segments.last(), Some(Segment::Greedy(_)));
        if if greedy { path.len() < self.segments.len() } else { path.len() != self.segments.len() } {
            return false;
        }
        self.segments.iter().zip(path).all(|(segment, part)| match segment {
            Segment::Literal(text) => text == part,
            Segment::Variable(_) | Segment::Greedy(_) => !part.is_empty(),
        })
    }

    fn parameters(&self, path: &[Cow<'_, str>]) -> Vec<(Arc<str>, String)> {
        let mut parameters = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Literal(_) => {}
                Segment::Variable(name) => parameters.push((Arc::clone(name), path[index].clone().into_owned())),
                Segment::Greedy(name) => parameters.push((Arc::clone(name), path[index..].join("/"))),
            }
        }
        parameters
    }

    /// Sorts from specific to general: full before greedy, literal before variable, a method before ANY.
    fn rank(&self) -> (bool, Vec<u8>, bool) {
        let ranks: Vec<u8> = self.segments.iter().map(Segment::rank).collect();
        (ranks.last() == Some(&2), ranks, self.method.is_none())
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Self::Greedy(name.into()),
                None => Self::Variable(name.into()),
            },
            None => Self::Literal(text.to_owned()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Variable(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RouteTable;
    use crate::template::RouteKey;

    fn table(keys: &[&str]) -> RouteTable<()> {
        RouteTable::new(keys.iter().map(|key| {
            let key = match key.split_once(' ') {
                Some((method, path)) => RouteKey::Path { method: method.to_owned(), path: path.to_owned() },
                None => RouteKey::Default,
            };
            (key, ())
        }))
    }

    fn find(keys: &[&str], method: &str, path: &str) -> Option<String> {
        table(keys).find(method, path).map(|found| found.target.key.to_string())
    }

    /// The example of the developer guide's page on routes.
    const PETS: &[&str] =
        &["$default", "ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/dog/{id}", "GET /pets/dog/1", "POST /pets"];

    #[test]
    fn the_most_specific_route_wins() {
        for (method, path, key) in [
            ("GET", "/pets/dog/1", "GET /pets/dog/1"),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
            ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
            ("POST", "/test/5", "ANY /{proxy+}"),
            ("GET", "/pets", "ANY /{proxy+}"),
            ("GET", "/", "$default"),
        ] {
            assert_eq!(find(PETS, method, path).as_deref(), Some(key), "{method} {path}");
        }
    }

    #[test]
    fn an_exact_method_beats_any() {
        let keys = ["ANY /{stage}/login", "POST /{stage}/login"];
        assert_eq!(find(&keys, "POST", "/local/login").as_deref(), Some("POST /{stage}/login"));
        assert_eq!(find(&keys, "GET", "/local/login").as_deref(), Some("ANY /{stage}/login"));
    }

    #[test]
    fn case_and_trailing_slash_make_another_path() {
        let keys = ["GET /{stage}/login"];
        assert_eq!(find(&keys, "GET", "/local/Login"), None);
        assert_eq!(find(&keys, "GET", "/local/login/"), None);
        assert_eq!(find(&keys, "GET", "//login"), None);
    }

    #[test]
    fn variables_are_decoded() {
        let found = table(&["GET /{stage}/{rest+}"]).find("GET", "/a%20b/c/d%C3%A9").unwrap();
        let parameters: Vec<_> = found.parameters.iter().map(|(name, value)| (&**name, value.as_str())).collect();
        assert_eq!(parameters, [("stage", "a b"), ("rest", "c/dé")]);
    }
}
