//! The same functions behind every event source of AWS: one request, as each of them describes it, has one outcome.

mod event;
mod members;
mod odd;
mod recorded;
mod times;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use self::event::{FRONTS, Front, Sent};
use support::{TestApp, applicant, code, with_app, with_settings};

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

    /// Adds the credentials in it to what no log may contain.
    fn add_secrets(&self, app: &TestApp) {
        let sid = self.cookie.as_ref().and_then(|_| self.session().strip_prefix("__sid__="));
        for secret in [sid.filter(|sid| !sid.is_empty()), self.data["token"].as_str()].into_iter().flatten() {
            app.add_secret(secret);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a front has the time of the machine")]
fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Sends a request by a front.
async fn send(app: &TestApp, front: Front, function: &str, sent: &Sent<'_>) -> Answer {
    send_at(app, front, function, sent, now_ms()).await
}

/// The same, at a time of the front's own.
async fn send_at(app: &TestApp, front: Front, function: &str, sent: &Sent<'_>, now_ms: u64) -> Answer {
    let answer = read(front, app.invoke_function(function, &front.event(sent, now_ms)).await);
    answer.add_secrets(app);
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
        // The session's cookie, and the device's.
        Value::Array(list) if takes_lists && name == "set-cookie" && list.len() == 2 => {
            assert!(list[1].as_str().unwrap().starts_with("__did__="), "{list:?}");
            list[0].as_str().map(str::to_owned)
        }
        Value::String(text) if !takes_lists => Some(text),
        other => panic!("{front:?}: {name} is {other}"),
    };
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
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
    with_app(async |app| {
        for front in FRONTS {
            let phone = app.phone();
            let code = async |nth| {
                let sent =
                    send(app, front, "veri_code", &Sent::post("/user/veri_code", json!({ "phone": phone }))).await;
                assert_eq!((sent.code, &sent.data["expires_in"]), (0, &json!(300)), "{front:?}: {sent:?}");
                let code = app.messages(&phone, nth).await[0]["code"].as_str().unwrap().to_owned();
                app.add_secret(&code);
                code
            };
            let applicant = applicant(&phone, &code(1).await);
            let user = send(app, front, "register", &Sent::post("/user/register", applicant)).await;
            assert_eq!(user.code, 0, "{front:?}: {user:?}");
            // Events made here keep the machine's time, and yet the cool-down is over: it is the life of a key.
            app.advance(61).await;

            let attempt = json!({ "phone": phone, "veri_code": code(2).await });
            let login = send(app, front, "login", &Sent::post("/user/login", attempt)).await;
            assert_eq!((login.code, &login.data["user_id"]), (0, &user.data["user_id"]), "{front:?}: {login:?}");

            let by_session = Sent::get("/user/index").header("cookie", "theme=dark").header("cookie", login.session());
            let token = format!("jwt {}", login.data["token"].as_str().unwrap());
            for by in [&by_session, &Sent::get("/user/index").header("authorization", &token)] {
                let page = send(app, front, "user_index", by).await;
                assert_eq!((page.code, &page.data[0]["id"]), (0, &user.data["user_id"]), "{front:?}: {page:?}");
            }

            let leave = Sent::post("/user/logout", Value::Null).header("cookie", login.session());
            let gone = send(app, front, "logout", &leave).await;
            assert_eq!((gone.code, gone.session()), (0, "__sid__="), "{front:?}");
            assert_eq!(send(app, front, "user_index", &by_session).await.code, code::NOT_LOGIN, "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_is_refused_by_every_front() {
    with_app(async |app| {
        let large = json!({ "x": "a".repeat(64 * 1024) });
        for front in FRONTS {
            for (function, method, path, code) in [
                ("veri_code", "POST", "/user/veri_code", code::PARAMS_INVALID),
                ("register", "POST", "/user/register", code::PARAMS_INVALID),
                ("login", "POST", "/user/login", code::PARAMS_INVALID),
                ("logout", "POST", "/user/logout", code::NOT_LOGIN),
                ("user_index", "GET", "/user/index", code::NOT_LOGIN),
            ] {
                let sent = Sent { method, path, ..Sent::default() };
                let refused = send(app, front, function, &sent).await;
                assert_eq!((refused.code, refused.cookie), (code, None), "{front:?}: {function}");
                let in_english = send(app, front, function, &sent.clone().header("accept-language", "en")).await;
                assert!(in_english.msg.is_ascii() && !refused.msg.is_ascii(), "{front:?}: {in_english:?}");
                let sent = Sent { body: large.clone(), ..sent };
                assert_eq!(
                    send(app, front, function, &sent).await.code,
                    code::PAYLOAD_TOO_LARGE,
                    "{front:?}: {function}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_function_knows_its_method_whatever_the_front_lets_through() {
    with_app(async |app| {
        for front in FRONTS {
            for (function, method, path) in [
                ("veri_code", "GET", "/user/veri_code"),
                ("register", "PUT", "/user/register"),
                ("login", "GET", "/user/login"),
                ("logout", "GET", "/user/logout"),
                ("user_index", "POST", "/user/index"),
            ] {
                let refused = send(app, front, function, &Sent { method, path, ..Sent::default() }).await;
                let expected = format!("Method {method} not allowed for URL /local/iwc/badge{path}");
                assert_eq!((refused.code, refused.msg), (code::METHOD_NOT_ALLOWED, expected), "{front:?}: {function}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn where_no_route_has_the_stage_in_it_the_path_has() {
    with_app(async |app| {
        for front in [Front::FunctionUrl, Front::LoadBalancer, Front::LoadBalancerLists] {
            for path in ["/prod/iwc/badge/user/login", "/iwc/badge/user/login", "/", "//local"] {
                let mut event = front.event(&Sent::post("/user/login", json!({})), now_ms());
                event[if front == Front::FunctionUrl { "rawPath" } else { "path" }] = path.into();
                let refused = read(front, app.invoke_function("login", &event).await);
                assert_eq!(
                    (refused.code, refused.msg),
                    (code::NOT_FOUND, format!("Requested URL {path} not found")),
                    "{front:?}"
                );
            }
        }
        // A REST API may have a resource with our stage in it, or one that takes every path.
        for (resource, stage, code) in [
            ("/{stage}/iwc/badge/user/login", json!({ "stage": "local" }), code::PARAMS_INVALID),
            ("/{stage}/iwc/badge/user/login", json!({ "stage": "prod" }), code::NOT_FOUND),
            ("/{proxy+}", json!({ "proxy": "iwc/badge/user/login" }), code::PARAMS_INVALID),
        ] {
            let mut event = Front::RestApi.event(&Sent::post("/user/login", json!({})), now_ms());
            event["resource"] = resource.into();
            event["pathParameters"] = stage;
            assert_eq!(read(Front::RestApi, app.invoke_function("login", &event).await).code, code, "{event}");
        }
    })
    .await;
}

#[tokio::test]
async fn requests_without_a_function_differ_only_behind_event_sources_with_routes() {
    with_app(async |app| {
        for front in FRONTS {
            let wrong_method = send(app, front, "fallback", &Sent::get("/user/login")).await;
            let knows_routes = matches!(front, Front::HttpApi | Front::RestApi);
            assert_eq!(
                wrong_method.code,
                if knows_routes { code::METHOD_NOT_ALLOWED } else { code::NOT_FOUND },
                "{front:?}"
            );
            let mut event = front.event(&Sent::get("/nowhere"), now_ms());
            if knows_routes {
                event["requestContext"]["routeKey"] = "$default".into();
                event["resource"] = "/{proxy+}".into();
            }
            let nowhere = read(front, app.invoke_function("fallback", &event).await);
            let expected = "Requested URL /local/iwc/badge/nowhere not found".to_owned();
            assert_eq!((nowhere.code, nowhere.msg), (code::NOT_FOUND, expected), "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_is_the_one_that_the_front_saw() {
    for front in FRONTS {
        with_settings(with_sends_per_ip(3), async |app| {
            let ask = async |n: u32, address: &str| {
                let (phone, stated) = (format!("1380013{n:04}"), format!("198.51.100.{n}"));
                let sent = Sent::post("/user/veri_code", json!({ "phone": phone })).from(address);
                send(app, front, "veri_code", &sent.header("x-forwarded-for", &stated)).await.code
            };
            for n in 0..3 {
                assert_eq!(ask(n, "203.0.113.7").await, 0, "{front:?}");
            }
            assert_eq!(ask(3, "203.0.113.7").await, code::TOO_MANY_REQUESTS, "{front:?}");
            assert_eq!(ask(3, "203.0.113.8").await, 0, "{front:?}: another address is another count");
        })
        .await;
    }
}

#[tokio::test]
async fn a_load_balancer_may_tell_the_port_and_must_tell_the_address() {
    with_settings(with_sends_per_ip(2), async |app| {
        let ask = async |n: u32, address: &str| {
            let sent = Sent::post("/user/veri_code", json!({ "phone": format!("1380013{n:04}") })).from(address);
            send(app, Front::LoadBalancer, "veri_code", &sent).await.code
        };
        assert_eq!((ask(0, "203.0.113.7:4711").await, ask(1, "203.0.113.7:4712").await), (0, 0));
        assert_eq!(ask(2, "203.0.113.7").await, code::TOO_MANY_REQUESTS);
        let (one, other) = ("[2001:db8:1:2::1]:4711", "2001:db8:1:2::2");
        assert_eq!(
            (ask(3, one).await, ask(4, other).await, ask(5, "[2001:db8:1:2::3]:1").await),
            (0, 0, code::TOO_MANY_REQUESTS)
        );
        // Requests without an address share one count.
        assert_eq!((ask(6, "").await, ask(7, "nobody").await, ask(8, "").await), (0, 0, code::TOO_MANY_REQUESTS));
    })
    .await;
}

#[tokio::test]
async fn a_query_is_decoded_once_by_every_front() {
    with_app(async |app| {
        let (one, two) = (app.somebody().await, app.somebody().await);
        let authorization = format!("Bearer {}", two.token);
        for front in FRONTS {
            let index = async |query: &str| {
                let sent = Sent::get("/user/index").header("authorization", &authorization);
                send(app, front, "user_index", &Sent { query, ..sent }).await
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
            assert_eq!((refused.code, refused.msg.as_str()), (code::PARAMS_INVALID, "limit参数无效"), "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_comes_as_text_or_as_base64() {
    with_app(async |app| {
        for front in FRONTS {
            let mut event = front.event(&Sent::post("/user/login", Value::Null), now_ms());
            event["isBase64Encoded"] = true.into();
            // {"phone": "1"}
            event["body"] = "eyJwaG9uZSI6ICIxIn0=".into();
            let refused = read(front, app.invoke_function("login", &event).await);
            assert_eq!(
                (refused.code, refused.msg.as_str()),
                (code::PARAMS_INVALID, "veri_code参数有缺失"),
                "{front:?}"
            );
            event["body"] = "{".into();
            let refused = read(front, app.invoke_function("login", &event).await);
            assert_eq!((refused.code, refused.msg.as_str()), (code::BAD_REQUEST, "Bad Request"), "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_time_is_the_fronts_if_it_tells_one() {
    with_app(async |app| {
        let authorization = format!("jwt {}", app.somebody().await.token);
        let sent = Sent::get("/user/index").header("authorization", &authorization);
        for front in FRONTS {
            // Twenty minutes after the token was made, and the minute that the stage's clock was moved by.
            let late = send_at(app, front, "user_index", &sent, now_ms() + 1_300_000).await;
            let tells_none = matches!(front, Front::LoadBalancer | Front::LoadBalancerLists);
            assert_eq!(late.code, if tells_none { 0 } else { code::NO_AUTH }, "{front:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_no_request_is_a_bad_one() {
    with_app(async |app| {
        for event in [
            json!({}),
            json!([]),
            json!({ "Records": [{ "EventSource": "aws:sns" }] }),
            json!({ "requestContext": {}, "rawPath": "/local/iwc/badge/user/login" }),
            json!({ "requestContext": { "connectionId": "id", "eventType": "CONNECT" } }),
        ] {
            let answer = read(Front::HttpApi, app.invoke_function("login", &event).await);
            assert_eq!((answer.code, answer.msg.as_str()), (code::BAD_REQUEST, "Bad Request"), "{event}");
        }
    })
    .await;
}
