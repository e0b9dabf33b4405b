//! The same functions behind every front that AWS has for them: one request, as each of them tells of it, has one outcome.

mod event;
mod members;
mod odd;
mod recorded;
mod times;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use self::event::{FRONTS, Front, Sent};
use crate::bed::{Bed, applicant, on_a_stage, on_a_stage_with};
use crate::client;

/// A reply, once it was seen to have the shape of its front.
#[derive(Debug)]
struct Answer {
    code: i64,
    msg: String,
    data: Value,
    next: Value,
    cookie: Option<String>,
}

impl Answer {
    /// `__sid__=…`, as a client sends it back.
    fn session(&self) -> &str {
        self.cookie.as_ref().unwrap().split(';').next().unwrap()
    }

    /// Lets the stage's logs be searched for the credentials in it.
    fn keep_secrets(&self, bed: &Bed) {
        let sid = self.cookie.as_ref().and_then(|_| self.session().strip_prefix("__sid__="));
        for secret in [sid.filter(|sid| !sid.is_empty()), self.data["token"].as_str()].into_iter().flatten() {
            bed.keep_secret(secret);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a front has the time of the machine")]
fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Hands a function an event, as Lambda does it for a front that waits for the answer.
pub(crate) async fn invoke(bed: &Bed, function: &str, event: &Value) -> Value {
    let aws_url = bed.door("GET", "state", "").await["aws_url"].as_str().unwrap().to_owned();
    let url = format!("{aws_url}/2015-03-31/functions/badge-local-{function}:live/invocations");
    let authorization = "AWS4-HMAC-SHA256 Credential=A/1/r/lambda/aws4_request, SignedHeaders=host, Signature=0";
    let answer = client::send("POST", &url, &[("authorization", authorization)], event.to_string().into()).await;
    assert_eq!(answer.headers.get("x-amz-function-error"), None, "{:?}", answer.body);
    serde_json::from_slice(&answer.body).unwrap()
}

/// Sends a request by a front.
async fn send(bed: &Bed, front: Front, function: &str, sent: &Sent<'_>) -> Answer {
    send_at(bed, front, function, sent, now_ms()).await
}

/// The same, at a time of the front's own.
async fn send_at(bed: &Bed, front: Front, function: &str, sent: &Sent<'_>, now_ms: u64) -> Answer {
    let answer = read(front, invoke(bed, function, &front.event(sent, now_ms)).await);
    answer.keep_secrets(bed);
    answer
}

/// Looks whether an answer has what its front wants and nothing else, and takes it apart.
fn read(front: Front, mut answer: Value) -> Answer {
    let takes_lists = matches!(front, Front::RestApi | Front::LoadBalancerLists);
    let is_load_balancer = matches!(front, Front::LoadBalancer | Front::LoadBalancerLists);
    let (texts, lists) = (answer["headers"].take(), answer["multiValueHeaders"].take());
    let (mut headers, other) = if takes_lists { (lists, texts) } else { (texts, lists) };
    // A front reads one of both. The other may be there and empty; a load balancer may get the same twice.
    let is_same = is_load_balancer && as_texts(&other) == as_texts(&headers);
    assert!(is_same || other.as_object().is_none_or(Map::is_empty), "{front:?}: {other}");
    let mut header = |name: &str| match headers.as_object_mut().unwrap().remove(name)? {
        Value::Array(list) if takes_lists && list.len() == 1 => list[0].as_str().map(str::to_owned),
        Value::String(text) if !takes_lists => Some(text),
        other => panic!("{front:?}: {name} is {other}"),
    };
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert!(header("x-request-id").is_some());
    let in_headers = header("set-cookie");
    assert_eq!(headers, json!({}), "{front:?}");

    let mut fields = answer.as_object().unwrap().clone();
    let mut field = |name: &str| fields.remove(name).unwrap_or_default();
    assert_eq!((field("statusCode"), field("isBase64Encoded")), (json!(200), json!(false)));
    let in_list = field("cookies");
    let line = if is_load_balancer { json!("200 OK") } else { Value::Null };
    assert_eq!(field("statusDescription"), line, "{front:?}");
    let cookie = if matches!(front, Front::HttpApi | Front::FunctionUrl) {
        assert_eq!(in_headers, None, "{front:?}");
        in_list.as_array().and_then(|list| list.first()).map(|cookie| cookie.as_str().unwrap().to_owned())
    } else {
        assert_eq!(in_list, Value::Null, "{front:?}");
        in_headers
    };
    let mut body: Value = serde_json::from_str(field("body").as_str().unwrap()).unwrap();
    let _ = (field("headers"), field("multiValueHeaders"));
    assert!(fields.is_empty(), "{front:?}: {fields:?}");
    Answer {
        code: body["code"].as_i64().unwrap(),
        msg: body["msg"].as_str().unwrap().to_owned(),
        data: body["data"].take(),
        next: body["next"].take(),
        cookie,
    }
}

/// Headers with one value each, whether as a text or as a list.
fn as_texts(headers: &Value) -> Option<Vec<(&str, &str)>> {
    let all = headers.as_object()?.iter();
    all.map(|(name, value)| Some((name.as_str(), value.as_str().or(value[0].as_str())?))).collect()
}

/// The settings with so many sends by address.
fn with_sends_per_ip(max: u32) -> impl FnOnce(&str) -> String {
    move |settings| settings.replace("window = \"10m\", max = 60", &format!("window = \"10m\", max = {max}"))
}

#[tokio::test]
async fn somebody_comes_in_and_goes_by_every_front() {
    on_a_stage(async |bed| {
        for front in FRONTS {
            let phone = bed.phone();
            let code = async |nth| {
                let sent =
                    send(bed, front, "veri_code", &Sent::post("/user/veri_code", json!({ "phone": phone }))).await;
                assert_eq!((sent.code, &sent.data["expires_in"]), (0, &json!(300)), "{front:?}: {sent:?}");
                let code = bed.messages(&phone, nth).await[0]["code"].as_str().unwrap().to_owned();
                bed.keep_secret(&code);
                code
            };
            let applicant = applicant(&phone, &code(1).await);
            let user = send(bed, front, "register", &Sent::post("/user/register", applicant)).await;
            assert_eq!(user.code, 0, "{front:?}: {user:?}");
            // Events made here keep the machine's time, and yet the cool-down is over: it is the life of a key.
            bed.advance(61).await;

            let attempt = json!({ "phone": phone, "veri_code": code(2).await });
            let login = send(bed, front, "login", &Sent::post("/user/login", attempt)).await;
            assert_eq!((login.code, &login.data["user_id"]), (0, &user.data["user_id"]), "{front:?}: {login:?}");

            let by_session = Sent::get("/user/index").header("cookie", "theme=dark").header("cookie", login.session());
            let token = format!("jwt {}", login.data["token"].as_str().unwrap());
            for by in [&by_session, &Sent::get("/user/index").header("authorization", &token)] {
                let page = send(bed, front, "user_index", by).await;
                assert_eq!((page.code, &page.data[0]["id"]), (0, &user.data["user_id"]), "{front:?}: {page:?}");
            }

            let leave = Sent::post("/user/logout", Value::Null).header("cookie", login.session());
            let gone = send(bed, front, "logout", &leave).await;
            assert_eq!((gone.code, gone.session()), (0, "__sid__="), "{front:?}");
            assert_eq!(send(bed, front, "user_index", &by_session).await.code, 10006, "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_is_refused_by_every_front() {
    on_a_stage(async |bed| {
        let large = json!({ "x": "a".repeat(64 * 1024) });
        for front in FRONTS {
            for (function, method, path, code) in [
                ("veri_code", "POST", "/user/veri_code", 11001),
                ("register", "POST", "/user/register", 11001),
                ("login", "POST", "/user/login", 11001),
                ("logout", "POST", "/user/logout", 10006),
                ("user_index", "GET", "/user/index", 10006),
            ] {
                let sent = Sent { method, path, ..Sent::default() };
                let refused = send(bed, front, function, &sent).await;
                assert_eq!((refused.code, refused.cookie), (code, None), "{front:?}: {function}");
                let in_english = send(bed, front, function, &sent.clone().header("accept-language", "en")).await;
                assert!(in_english.msg.is_ascii() && !refused.msg.is_ascii(), "{front:?}: {in_english:?}");
                let sent = Sent { body: large.clone(), ..sent };
                assert_eq!(send(bed, front, function, &sent).await.code, 51413, "{front:?}: {function}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_function_knows_its_method_whatever_the_front_lets_through() {
    on_a_stage(async |bed| {
        for front in FRONTS {
            for (function, method, path) in [
                ("veri_code", "GET", "/user/veri_code"),
                ("register", "PUT", "/user/register"),
                ("login", "GET", "/user/login"),
                ("logout", "GET", "/user/logout"),
                ("user_index", "POST", "/user/index"),
            ] {
                let refused = send(bed, front, function, &Sent { method, path, ..Sent::default() }).await;
                let expected = format!("Method {method} not allowed for URL /local/iwc/badge{path}");
                assert_eq!((refused.code, refused.msg), (51405, expected), "{front:?}: {function}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn where_no_route_has_the_stage_in_it_the_path_has() {
    on_a_stage(async |bed| {
        for front in [Front::FunctionUrl, Front::LoadBalancer, Front::LoadBalancerLists] {
            for path in ["/prod/iwc/badge/user/login", "/iwc/badge/user/login", "/", "//local"] {
                let mut event = front.event(&Sent::post("/user/login", json!({})), now_ms());
                event[if front == Front::FunctionUrl { "rawPath" } else { "path" }] = path.into();
                let refused = read(front, invoke(bed, "login", &event).await);
                assert_eq!(
                    (refused.code, refused.msg),
                    (51404, format!("Requested URL {path} not found")),
                    "{front:?}"
                );
            }
        }
        // A REST API may have a resource with our stage in it, or one that takes every path.
        for (resource, stage, code) in [
            ("/{stage}/iwc/badge/user/login", json!({ "stage": "local" }), 11001),
            ("/{stage}/iwc/badge/user/login", json!({ "stage": "prod" }), 51404),
            ("/{proxy+}", json!({ "proxy": "iwc/badge/user/login" }), 11001),
        ] {
            let mut event = Front::RestApi.event(&Sent::post("/user/login", json!({})), now_ms());
            event["resource"] = resource.into();
            event["pathParameters"] = stage;
            assert_eq!(read(Front::RestApi, invoke(bed, "login", &event).await).code, code, "{event}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_no_function_takes_is_told_apart_by_fronts_that_know_routes() {
    on_a_stage(async |bed| {
        for front in FRONTS {
            let wrong_method = send(bed, front, "fallback", &Sent::get("/user/login")).await;
            let knows_routes = matches!(front, Front::HttpApi | Front::RestApi);
            assert_eq!(wrong_method.code, if knows_routes { 51405 } else { 51404 }, "{front:?}");
            let mut event = front.event(&Sent::get("/nowhere"), now_ms());
            if knows_routes {
                event["requestContext"]["routeKey"] = "$default".into();
                event["resource"] = "/{proxy+}".into();
            }
            let nowhere = read(front, invoke(bed, "fallback", &event).await);
            let expected = "Requested URL /local/iwc/badge/nowhere not found".to_owned();
            assert_eq!((nowhere.code, nowhere.msg), (51404, expected), "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_is_the_one_that_the_front_saw() {
    for front in FRONTS {
        on_a_stage_with(with_sends_per_ip(3), async |bed| {
            let ask = async |n: u32, address: &str| {
                let (phone, stated) = (format!("1380013{n:04}"), format!("198.51.100.{n}"));
                let sent = Sent::post("/user/veri_code", json!({ "phone": phone })).from(address);
                send(bed, front, "veri_code", &sent.header("x-forwarded-for", &stated)).await.code
            };
            for n in 0..3 {
                assert_eq!(ask(n, "203.0.113.7").await, 0, "{front:?}");
            }
            assert_eq!(ask(3, "203.0.113.7").await, 11005, "{front:?}");
            assert_eq!(ask(3, "203.0.113.8").await, 0, "{front:?}: another address is another count");
        })
        .await;
    }
}

#[tokio::test]
async fn a_load_balancer_may_tell_the_port_and_must_tell_the_address() {
    on_a_stage_with(with_sends_per_ip(2), async |bed| {
        let ask = async |n: u32, address: &str| {
            let sent = Sent::post("/user/veri_code", json!({ "phone": format!("1380013{n:04}") })).from(address);
            send(bed, Front::LoadBalancer, "veri_code", &sent).await.code
        };
        assert_eq!((ask(0, "203.0.113.7:4711").await, ask(1, "203.0.113.7:4712").await), (0, 0));
        assert_eq!(ask(2, "203.0.113.7").await, 11005);
        let (one, other) = ("[2001:db8:1:2::1]:4711", "2001:db8:1:2::2");
        assert_eq!((ask(3, one).await, ask(4, other).await, ask(5, "[2001:db8:1:2::3]:1").await), (0, 0, 11005));
        // Whoever comes without one shares a count with all such.
        assert_eq!((ask(6, "").await, ask(7, "nobody").await, ask(8, "").await), (0, 0, 11005));
    })
    .await;
}

#[tokio::test]
async fn a_query_is_decoded_once_by_every_front() {
    on_a_stage(async |bed| {
        let (one, two) = (bed.somebody().await, bed.somebody().await);
        let authorization = format!("Bearer {}", two.token);
        for front in FRONTS {
            let index = async |query: &str| {
                let sent = Sent::get("/user/index").header("authorization", &authorization);
                send(bed, front, "user_index", &Sent { query, ..sent }).await
            };
            // Encoded, and of two the last.
            let page = index("limit=2&limit=%31").await;
            assert_eq!(page.data.as_array().unwrap().len(), 1, "{front:?}: {page:?}");
            assert_eq!(page.data[0]["id"], two.user_id, "{front:?}");
            let cursor = page.next.as_str().unwrap();
            let encoded = cursor.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
            for cursor in [cursor, &encoded] {
                let page = index(&format!("cursor={cursor}")).await;
                assert_eq!((page.code, &page.data[0]["id"]), (0, &json!(one.user_id)), "{front:?}: {page:?}");
            }
            assert_eq!(index("l%69mit=1").await.data.as_array().unwrap().len(), 1, "{front:?}");
            // Encoded twice is not that number.
            let refused = index("limit=%2531").await;
            assert_eq!((refused.code, refused.msg.as_str()), (11001, "limit参数无效"), "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_comes_as_text_or_as_base64() {
    on_a_stage(async |bed| {
        for front in FRONTS {
            let mut event = front.event(&Sent::post("/user/login", Value::Null), now_ms());
            event["isBase64Encoded"] = true.into();
            // {"phone": "1"}
            event["body"] = "eyJwaG9uZSI6ICIxIn0=".into();
            let refused = read(front, invoke(bed, "login", &event).await);
            assert_eq!((refused.code, refused.msg.as_str()), (11001, "veri_code参数有缺失"), "{front:?}");
            event["body"] = "{".into();
            let refused = read(front, invoke(bed, "login", &event).await);
            assert_eq!((refused.code, refused.msg.as_str()), (51400, "Bad Request"), "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_time_is_the_fronts_if_it_tells_one() {
    on_a_stage(async |bed| {
        let authorization = format!("jwt {}", bed.somebody().await.token);
        let sent = Sent::get("/user/index").header("authorization", &authorization);
        for front in FRONTS {
            // Twenty minutes after the token was made, and the minute that the stage's clock was moved by.
            let late = send_at(bed, front, "user_index", &sent, now_ms() + 1_300_000).await;
            let tells_none = matches!(front, Front::LoadBalancer | Front::LoadBalancerLists);
            assert_eq!(late.code, if tells_none { 0 } else { 10005 }, "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_no_request_is_a_bad_one() {
    on_a_stage(async |bed| {
        for event in [
            json!({}),
            json!([]),
            json!({ "Records": [{ "EventSource": "aws:sns" }] }),
            json!({ "requestContext": {}, "rawPath": "/local/iwc/badge/user/login" }),
            json!({ "requestContext": { "connectionId": "id", "eventType": "CONNECT" } }),
        ] {
            let answer = read(Front::HttpApi, invoke(bed, "login", &event).await);
            assert_eq!((answer.code, answer.msg.as_str()), (51400, "Bad Request"), "{event}");
        }
    })
    .await;
}
