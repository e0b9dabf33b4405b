//! Events as each front makes them. The files beside this one are recorded; what a request has of its own is written
//! into them here.

use serde_json::{Map, Value, json};

use support::PREFIX;

/// Whatever stands between a client and a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    /// API Gateway, payload format 2.0.
    HttpApi,
    /// API Gateway, payload format 1.0.
    RestApi,
    FunctionUrl,
    LoadBalancer,
    /// One whose target group has multi-value headers.
    LoadBalancerLists,
}

pub(crate) const FRONTS: [Front; 5] =
    [Front::HttpApi, Front::RestApi, Front::FunctionUrl, Front::LoadBalancer, Front::LoadBalancerLists];

/// What a client sends. The path is that behind the prefix.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// As it stands in the URL.
    pub(crate) query: &'a str,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) body: Value,
    /// The client's address; a documentation address if it does not matter.
    pub(crate) address: Option<&'a str>,
}

impl<'a> Sent<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: "GET", path, ..Self::default() }
    }

    pub(crate) fn post(path: &'a str, body: Value) -> Self {
        Self { method: "POST", path, body, ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn from(mut self, address: &'a str) -> Self {
        self.address = Some(address);
        self
    }

    fn body(&self) -> Value {
        if self.body.is_null() { Value::Null } else { self.body.to_string().into() }
    }

    /// `X-Forwarded-For` as it arrives: what the client wrote into it, and behind that its address.
    fn forwarded_for(&self) -> String {
        let stated = self.headers.iter().filter(|(name, _)| *name == "x-forwarded-for").map(|(_, value)| *value);
        stated.chain([self.address()]).collect::<Vec<_>>().join(", ")
    }

    fn address(&self) -> &str {
        self.address.unwrap_or("192.0.2.1")
    }

    fn cookies(&self) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(name, _)| *name == "cookie");
        lines.flat_map(|(_, line)| line.split("; ")).collect()
    }
}

impl Front {
    /// The event, stamped with a time by those fronts that do it.
    pub(crate) fn event(self, sent: &Sent<'_>, now_ms: u64) -> Value {
        let path = format!("{PREFIX}{}", sent.path);
        let mut event: Value = serde_json::from_str(match self {
            Self::HttpApi => include_str!("http_api.json"),
            Self::RestApi => include_str!("rest_api.json"),
            Self::FunctionUrl => include_str!("function_url.json"),
            Self::LoadBalancer => include_str!("load_balancer.json"),
            Self::LoadBalancerLists => include_str!("load_balancer_lists.json"),
        })
        .unwrap();
        match self {
            Self::HttpApi | Self::FunctionUrl => {
                let http = &mut event["requestContext"]["http"];
                http["method"] = sent.method.into();
                http["path"] = path.as_str().into();
                http["sourceIp"] = sent.address().into();
                event["rawPath"] = path.into();
                event["rawQueryString"] = sent.query.into();
                event["requestContext"]["timeEpoch"] = now_ms.into();
                if !sent.query.is_empty() {
                    let joined = values(sent.query, true).into_iter().map(|(name, all)| (name, all.join(",").into()));
                    event["queryStringParameters"] = joined.collect::<Map<_, _>>().into();
                }
                let mut headers = event["headers"].take();
                for (name, value) in sent.headers.iter().filter(|(name, _)| *name != "cookie") {
                    headers[name] = (*value).into();
                }
                headers["x-forwarded-for"] = sent.forwarded_for().into();
                if !sent.cookies().is_empty() {
                    event["cookies"] = sent.cookies().into();
                }
                if self == Self::HttpApi {
                    let route = format!("{} /{{stage}}/iwc/badge{}", sent.method, sent.path);
                    event["requestContext"]["routeKey"] = route.as_str().into();
                    event["routeKey"] = route.into();
                    event["pathParameters"] = json!({ "stage": "local" });
                } else if !sent.cookies().is_empty() {
                    headers["cookie"] = sent.cookies().join("; ").into();
                }
                event["headers"] = headers;
            }
            Self::RestApi => {
                // The API has our stage's name as its own stage, which is no part of its resources.
                let resource = path.strip_prefix("/local").unwrap();
                for key in ["resource", "path"] {
                    event[key] = resource.into();
                }
                event["pathParameters"] = Value::Null;
                let context = &mut event["requestContext"];
                context["resourcePath"] = resource.into();
                context["path"] = path.as_str().into();
                context["stage"] = "local".into();
                context["identity"]["sourceIp"] = sent.address().into();
                context["httpMethod"] = sent.method.into();
                context["requestTimeEpoch"] = now_ms.into();
                event["httpMethod"] = sent.method.into();
                self.write_headers(&mut event, sent);
                self.write_query(&mut event, sent);
            }
            Self::LoadBalancer | Self::LoadBalancerLists => {
                event["httpMethod"] = sent.method.into();
                event["path"] = path.into();
                self.write_headers(&mut event, sent);
                self.write_query(&mut event, sent);
            }
        }
        event["body"] = sent.body();
        event
    }

    /// What of headers a front writes as lists, and what as texts, where the last one stands for all.
    fn write_headers(self, event: &mut Value, sent: &Sent<'_>) {
        let forwarded_for = sent.forwarded_for();
        let own = sent.headers.iter().filter(|(name, _)| *name != "x-forwarded-for");
        for (name, value) in own.chain([&("x-forwarded-for", forwarded_for.as_str())]) {
            // A REST API leaves names as clients write them, a load balancer makes them small.
            let name = if self == Self::RestApi { capital(name) } else { (*name).to_owned() };
            if self != Self::LoadBalancerLists {
                event["headers"][&name] = (*value).into();
            }
            if self != Self::LoadBalancer {
                let list = &mut event["multiValueHeaders"][&name];
                match list.as_array_mut().filter(|_| name != "x-forwarded-for" && name != "X-Forwarded-For") {
                    Some(list) => list.push((*value).into()),
                    None => *list = json!([value]),
                }
            }
        }
    }

    fn write_query(self, event: &mut Value, sent: &Sent<'_>) {
        let values = values(sent.query, self == Self::RestApi);
        let lists = values.iter().map(|(name, all)| (name.clone(), all.clone().into())).collect::<Map<_, _>>();
        let last = values.iter().map(|(name, all)| (name.clone(), all.last().unwrap().clone().into()));
        let last = last.collect::<Map<_, _>>();
        let null_if_empty = |map: Map<String, Value>| if map.is_empty() { Value::Null } else { map.into() };
        match self {
            Self::RestApi => {
                event["queryStringParameters"] = null_if_empty(last);
                event["multiValueQueryStringParameters"] = null_if_empty(lists);
            }
            Self::LoadBalancer => event["queryStringParameters"] = last.into(),
            _ => event["multiValueQueryStringParameters"] = lists.into(),
        }
    }
}

/// `authorization` as `Authorization`, `x-forwarded-for` as `X-Forwarded-For`.
fn capital(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// Names and values of a query, decoded or as they stand.
fn values(query: &str, is_decoded: bool) -> Vec<(String, Vec<String>)> {
    let raw = query.split('&').filter_map(|pair| pair.split_once('='));
    let raw = raw.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pairs: Vec<_> =
        if is_decoded { form_urlencoded::parse(query.as_bytes()).into_owned().collect() } else { raw.collect() };
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in pairs {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => all.push((name, vec![value])),
        }
    }
    all
}
