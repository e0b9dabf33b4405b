//! From an event to a [`Request`], and from a response to the shape of its front, by `lambda_http`.

use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use ::http::request::Parts;
use ::http::{HeaderName, Response};
use jiff::Timestamp;
use lambda_http::request::RequestContext;
use lambda_http::{
    Adapter, Body, Context, IntoResponse, LambdaEvent, RequestExt, Service, TransformResponse, service_fn,
};
use lambda_runtime::Diagnostic;

use super::front::FrontEvent;
use super::own_front::Passage;
use crate::clock::wall_timestamp;
use crate::config::Config;
use crate::error::{Cause, catch_unwind};
use crate::http::{FrontInfo, Request, joined};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// 9 September 2001 in milliseconds since the Unix epoch: what is less was not meant in milliseconds.
const FIRST_MILLIS: i64 = 1_000_000_000_000;

/// A response before `lambda_http` gives it the shape of a front.
pub(super) struct FrontResponse(pub(super) Response<Body>);

/// The body is text already. The implementation of `lambda_http` finds that out by the content type, decodes the text
/// by the tables of `encoding_rs`, and copies it twice.
impl IntoResponse for FrontResponse {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0))
    }
}

/// Answers an event by `answer`, or by `refuse` what cannot be read, in the shape of its front.
pub(super) fn dispatch<F>(
    event: LambdaEvent<FrontEvent>,
    config: &Arc<Config>,
    mut answer: impl FnMut(Request) -> F,
    refuse: impl FnOnce(&str, Cause) -> FrontResponse,
) -> TransformResponse<'static, FrontResponse, Diagnostic>
where
    F: Future<Output = Result<FrontResponse, Diagnostic>> + Send + 'static,
{
    let LambdaEvent { payload: FrontEvent { origin, request }, context } = event;
    let request_id = context.request_id.clone();
    let service = service_fn(|request| answer(read(request, Arc::clone(config))));
    // The conversion panics at a host, a path or a body that it cannot read.
    let answering =
        request.and_then(|request| catch_unwind(|| Adapter::from(service).call(LambdaEvent::new(request, context))));
    answering.unwrap_or_else(|cause| TransformResponse::Response(origin, refuse(&request_id, cause).into_response()))
}

/// The request of an event, for tests.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn request_of(event: &str, config: &Arc<Config>) -> Result<Request, Cause> {
    let mut outcome = None;
    let empty = || FrontResponse(Response::new(Body::Empty));
    let payload = serde_json::from_str(event).map_err(|cause| Cause::of(&cause))?;
    let answer = |request| ready((Ok(empty()), outcome = Some(request)).0);
    let mut refusal = None;
    let refuse = |_: &str, cause| (empty(), refusal = Some(cause)).0;
    drop(dispatch(LambdaEvent::new(payload, Context::default()), config, answer, refuse));
    outcome.ok_or_else(|| refusal.unwrap_or_else(|| Cause::new("neither answered nor refused")))
}

/// The request that `lambda_http` has read.
fn read(request: lambda_http::Request, config: Arc<Config>) -> Request {
    let (mut head, body) = request.into_parts();
    let mut front = front_info(&mut head);
    match Passage::take(&mut head.headers, config.front_keys()) {
        Passage::Direct => {}
        Passage::ByFront(address) => front.source_ip = address.to_string(),
        Passage::Past => front.is_past_own_front = true,
    }
    let request_id = head.extensions.remove::<Context>().map(|context| context.request_id).unwrap_or_default();
    let body = match body {
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
    Request::new(::http::Request::from_parts(head, body), front, request_id, config)
}

fn front_info(head: &mut Parts) -> FrontInfo {
    let (path, route, source_ip, time_epoch_ms) = match head.extensions.remove::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            let route = context.route_key.as_deref().and_then(|key| key.split_once(' '));
            (None, route.map(|(_, path)| path.to_owned()), context.http.source_ip, context.time_epoch)
        }
        // `path` lacks the API's own stage, which clients have to write; that of the context has it.
        Some(RequestContext::ApiGatewayV1(context)) => {
            (context.path, context.resource_path, context.identity.source_ip, context.request_time_epoch)
        }
        _ => (None, None, joined(&head.headers, FORWARDED_FOR).map(|hops| last_hop(&hops)), 0),
    };
    let path = path.unwrap_or_else(|| head.raw_http_path().to_owned());
    // `{proxy+}` takes every path. HTTP APIs write the route `$default` into `resource` as if it were a path.
    let route = route.filter(|route| !route.contains("+}") && !route.ends_with("$default"));
    let stage_in_path = match route {
        Some(_) => head.path_parameters_ref().and_then(|parameters| parameters.first("stage")),
        None => Some(path.split('/').nth(1).unwrap_or_default()),
    };
    let stage_in_path = stage_in_path.map(str::to_owned);
    let query = head.query_string_parameters_ref().into_iter().flat_map(|query| query.iter());
    FrontInfo {
        stage_in_path,
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        source_ip: source_ip.unwrap_or_default(),
        is_past_own_front: false,
        time: time_of(time_epoch_ms).unwrap_or_else(wall_timestamp),
        path,
        route,
    }
}

/// The time that a front stamped on its event. Load balancers stamp none, and local emulators write 0 or seconds.
fn time_of(epoch_ms: i64) -> Option<Timestamp> {
    if epoch_ms < FIRST_MILLIS { None } else { Timestamp::from_millisecond(epoch_ms).ok() }
}

/// The address that a load balancer has appended. All before it is what the client sent, and so is all if the load
/// balancer is set to preserve the header.
fn last_hop(forwarded_for: &str) -> String {
    let hop = forwarded_for.rsplit(',').next().unwrap_or_default().trim();
    // With the attribute `routing.http.xff_client_port.enabled` the port is there too.
    hop.parse::<SocketAddr>().map_or_else(|_| hop.to_owned(), |address| address.ip().to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Deployed;

    fn config() -> Arc<Config> {
        let settings = include_str!("../../../conf/local.toml");
        Arc::new(Config::parse("local".to_owned(), settings, Deployed::default()).unwrap())
    }

    fn read(event: &Value) -> Result<Request, String> {
        request_of(&event.to_string(), &config()).map_err(|cause| cause.to_string())
    }

    fn http_api(changes: &Value) -> Value {
        changed(
            json!({
                "version": "2.0", "routeKey": "POST /{stage}/user/login",
                "rawPath": "/local/user/login", "rawQueryString": "", "pathParameters": { "stage": "local" },
                "headers": { "host": "api.example", "accept-language": "en" },
                "requestContext": {
                    "routeKey": "POST /{stage}/user/login", "stage": "$default", "timeEpoch": 1_795_333_020_500_i64,
                    "http": { "method": "POST", "path": "/local/user/login", "sourceIp": "203.0.113.7" },
                },
                "isBase64Encoded": false,
            }),
            changes,
        )
    }

    fn rest_api(changes: &Value) -> Value {
        changed(
            json!({
                "resource": "/user/login", "path": "/user/login", "httpMethod": "POST",
                "headers": { "Host": "api.example", "Accept-Language": "en" },
                "multiValueHeaders": { "Host": ["api.example"], "Accept-Language": ["en"] },
                "queryStringParameters": null, "multiValueQueryStringParameters": null, "pathParameters": null,
                "requestContext": {
                    "resourcePath": "/user/login", "path": "/local/user/login", "stage": "local", "httpMethod": "POST",
                    "identity": { "sourceIp": "203.0.113.7" }, "requestTimeEpoch": 1_795_333_020_500_i64,
                },
                "body": null, "isBase64Encoded": false,
            }),
            changes,
        )
    }

    fn load_balancer(changes: &Value) -> Value {
        changed(
            json!({
                "requestContext": { "elb": { "targetGroupArn": "arn" } }, "httpMethod": "POST",
                "path": "/local/user/login", "queryStringParameters": {}, "isBase64Encoded": false, "body": "",
                "headers": {
                    "host": "api.example", "accept-language": "en", "x-forwarded-for": "198.51.100.1, 203.0.113.7",
                },
            }),
            changes,
        )
    }

    /// Each front's event of one request.
    fn events(of_all: &Value) -> [Value; 3] {
        [http_api(of_all), rest_api(of_all), load_balancer(of_all)]
    }

    fn changed(mut event: Value, changes: &Value) -> Value {
        for (name, value) in changes.as_object().unwrap() {
            match (&mut event[name], value) {
                (Value::Object(old), Value::Object(new)) => old.extend(new.clone()),
                (old, new) => *old = new.clone(),
            }
        }
        event
    }

    #[test]
    fn every_front_says_the_same_of_a_request() {
        let [first, others @ ..] = events(&json!({})).map(|event| read(&event).unwrap());
        assert_eq!(first.to_json()["network"], "203.0.113.7");
        assert!(first.has_route() && first.is_of_this_stage());
        for other in others {
            assert_eq!(other.to_json(), first.to_json());
            assert!(other.is_of_this_stage());
        }
    }

    #[test]
    fn the_word_of_a_front_of_our_own_counts_and_nobody_else_s() {
        let key = "0123456789abcdef0123456789abcdef";
        let mut deployed = Deployed::default();
        deployed.front_keys = vec![key.to_owned()];
        let settings = include_str!("../../../conf/local.toml");
        let with_front = Arc::new(Config::parse("local".to_owned(), settings, deployed).unwrap());
        for (headers, config, network, is_past) in [
            (json!({ "x-front-address": "198.51.100.1", "x-front-key": key }), &with_front, "198.51.100.1", false),
            (json!({ "x-front-address": "198.51.100.1", "x-front-key": "x" }), &with_front, "203.0.113.7", true),
            (json!({ "x-front-address": "198.51.100.1" }), &with_front, "203.0.113.7", true),
            (json!({ "x-front-address": "198.51.100.1", "x-front-key": key }), &config(), "203.0.113.7", false),
        ] {
            for event in [http_api(&json!({ "headers": headers })), rest_api(&json!({ "headers": headers }))] {
                let request = request_of(&event.to_string(), config).map_err(|cause| cause.to_string()).unwrap();
                assert_eq!(request.to_json()["network"], network, "{headers}");
                assert_eq!(request.is_past_own_front(), is_past, "{headers}");
            }
        }
    }

    #[test]
    fn a_bad_cookie_does_not_lose_the_others() {
        let cookie =
            |cookies: Value| read(&http_api(&json!({ "cookies": cookies }))).unwrap().to_json()["cookie"].take();
        assert_eq!(cookie(json!(["a=1", "b=\u{1}", "c=张", "__sid__=2"])), "a=1; c=张; __sid__=2");
    }

    #[test]
    fn an_empty_twin_does_not_hide_a_filled_one() {
        let headers = json!({ "cookie": "__sid__=2" });
        for event in [
            http_api(&json!({ "cookies": [], "headers": headers })),
            http_api(&json!({ "cookies": ["\u{1}"], "headers": headers })),
            http_api(&json!({ "headers": headers })),
            rest_api(&json!({ "multiValueHeaders": null, "headers": headers })),
            load_balancer(&json!({ "multiValueHeaders": {}, "headers": headers })),
            load_balancer(&json!({ "multiValueHeaders": headers, "headers": null })),
        ] {
            assert_eq!(read(&event).unwrap().to_json()["cookie"], "__sid__=2", "{event}");
        }
        let mut event = rest_api(&json!({ "headers": headers, "queryStringParameters": { "limit": "1" } }));
        event["multiValueHeaders"] = json!({});
        event["multiValueQueryStringParameters"] = json!({});
        let request = read(&event).unwrap().to_json();
        assert_eq!((&request["cookie"], &request["query"]), (&json!("__sid__=2"), &json!({ "limit": "1" })));
    }

    #[test]
    fn a_list_of_values_is_complete_and_not_doubled() {
        let headers = json!({ "Cookie": "b=2", "authorization": "jwt b", "idempotency-key": "only once" });
        let lists = json!({ "cookie": ["a=1", "b=2"], "Authorization": ["jwt a", "jwt b"] });
        for event in [rest_api, load_balancer] {
            let request = read(&event(&json!({ "headers": headers, "multiValueHeaders": lists }))).unwrap().to_json();
            assert_eq!((&request["cookie"], &request["authorization"]), (&json!("a=1,b=2"), &json!("jwt a,jwt b")));
            assert_eq!(request["key"], "only once");
        }
    }

    #[test]
    fn headers_that_are_not_ascii_refuse_no_request() {
        for event in events(&json!({ "headers": { "x-name": "张三", "accept-language": "en, é" } })) {
            assert_eq!(read(&event).unwrap().to_json()["english"], true, "{event}");
        }
    }

    #[test]
    fn a_query_is_decoded_once() {
        let expected = json!({ "a b": "1 + 1", "limit": "%31", "q": "\"<>" });
        let decoded = json!({ "a b": ["1 + 1"], "limit": ["0", "%31"], "q": ["\"<>"] });
        let raw = json!({ "a+b": ["1+%2B%201"], "l%69mit": ["0", "%2531"], "q": ["\"<>"] });
        for event in [
            http_api(&json!({ "rawQueryString": "a+b=1+%2B%201&limit=0&l%69mit=%2531&q=\"<>" })),
            rest_api(&json!({ "multiValueQueryStringParameters": decoded })),
            load_balancer(&json!({ "multiValueQueryStringParameters": raw, "queryStringParameters": null })),
        ] {
            // A load balancer's `queryStringParameters` is an object, if it is there.
            let mut event = event;
            event.as_object_mut().unwrap().retain(|name, value| name != "queryStringParameters" || !value.is_null());
            assert_eq!(read(&event).unwrap().to_json()["query"], expected, "{event}");
        }
    }

    #[test]
    fn the_path_is_as_the_client_wrote_it() {
        for path in ["/local/user/%6Cogin", "/local/a b", "/", "//local", "/..%2f..", "/张"] {
            let context = json!({ "path": path });
            for event in [
                http_api(&json!({ "rawPath": path })),
                rest_api(&json!({ "requestContext": context })),
                load_balancer(&context),
            ] {
                assert_eq!(read(&event).unwrap().path, path, "{event}");
            }
        }
    }

    #[test]
    fn the_stage_is_in_the_route_or_begins_the_path() {
        let route = |key: &str| json!({ "routeKey": key });
        for (event, has_route, is_ours) in [
            (http_api(&json!({ "pathParameters": { "stage": "prod" } })), true, false),
            (http_api(&json!({ "requestContext": route("$default") })), false, true),
            (http_api(&json!({ "requestContext": route("ANY /{proxy+}"), "rawPath": "/x/y" })), false, false),
            (
                rest_api(&json!({ "resource": "/{stage}/user/login", "pathParameters": { "stage": "prod" } })),
                true,
                false,
            ),
            (rest_api(&json!({ "resource": "/{proxy+}" })), false, true),
            (rest_api(&json!({ "resource": "/$default" })), false, true),
            (load_balancer(&json!({ "path": "/prod/user/login" })), false, false),
        ] {
            let request = read(&event).unwrap();
            assert_eq!((request.has_route(), request.is_of_this_stage()), (has_route, is_ours), "{event}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_is_none() {
        for (epoch_ms, is_time) in [
            (1_795_333_020_500, true),
            (FIRST_MILLIS, true),
            (1_795_333_020, false),
            (0, false),
            (-1, false),
            (i64::MAX, false),
        ] {
            assert_eq!(time_of(epoch_ms).is_some(), is_time, "{epoch_ms}");
            for (event, name) in [(http_api as fn(&Value) -> Value, "timeEpoch"), (rest_api, "requestTimeEpoch")] {
                let now = read(&event(&json!({ "requestContext": { name: epoch_ms } }))).unwrap().call.now;
                assert_eq!(i64::try_from(now.millis()) == Ok(epoch_ms), is_time, "{name}: {epoch_ms}");
            }
        }
    }

    #[test]
    fn a_load_balancer_may_say_the_port_and_must_say_the_address() {
        for (hops, address) in [
            ("198.51.100.1, 203.0.113.7:4711", "203.0.113.7"),
            ("[2001:db8:1:2::1]:4711", "2001:db8:1:2::1"),
            ("2001:db8:1:2::1", "2001:db8:1:2::1"),
            ("", ""),
            ("nobody", "nobody"),
        ] {
            assert_eq!(last_hop(hops), address);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let mut without_method = http_api(&json!({}));
        without_method["requestContext"]["http"].as_object_mut().unwrap().remove("method");
        for event in [
            json!({}),
            json!([]),
            json!({ "requestContext": {}, "rawPath": "/local/user/login" }),
            json!({ "requestContext": { "connectionId": "id", "eventType": "CONNECT" } }),
            without_method,
            http_api(&json!({ "requestContext": { "timeEpoch": "now" } })),
            http_api(&json!({ "headers": { "host": "a b" } })),
            load_balancer(&json!({ "headers": { "x-forwarded-proto": "a b" } })),
            rest_api(&json!({ "multiValueQueryStringParameters": { "limit": [] } })),
        ]
        .into_iter()
        .chain(events(&json!({ "body": "{", "isBase64Encoded": true })))
        {
            assert!(read(&event).is_err(), "{event}");
        }
        assert_eq!(request_of("{", &config()).err().map(|cause| cause.to_string()).as_deref(), Some("not JSON"));
    }
}
