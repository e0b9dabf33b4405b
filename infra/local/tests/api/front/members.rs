//! Events with two members for one thing, of which one is empty, and with text that is not ASCII: emulators and clients
//! write both.

use serde_json::{Value, json};

use super::event::{FRONTS, Front, Sent};
use super::{now_ms, read};
use support::{code, with_app};

/// What a member holds that holds nothing.
fn nothing() -> [Value; 2] {
    [json!({}), Value::Null]
}

#[tokio::test]
async fn of_two_members_for_headers_the_filled_one_is_read() {
    with_app(async |app| {
        let somebody = app.somebody().await;
        let (session, token) = (format!("__sid__={}", somebody.sid), format!("Bearer {}", somebody.token));
        for (front, empty, filled) in [
            (Front::RestApi, "multiValueHeaders", "headers"),
            (Front::RestApi, "headers", "multiValueHeaders"),
            (Front::LoadBalancer, "multiValueHeaders", "headers"),
            (Front::LoadBalancerLists, "headers", "multiValueHeaders"),
        ] {
            for nothing in nothing() {
                let index = async |name: &str, value: &str| {
                    let mut event = front.event(&Sent::get("/user/index").header(name, value), now_ms());
                    event[empty] = nothing.clone();
                    assert!(event[filled].is_object());
                    read(front, app.invoke_function("user_index", &event).await)
                };
                let case = format!("{front:?}: {empty} is {nothing}");
                assert_eq!(index("cookie", &session).await.code, 0, "{case}");
                assert_eq!(index("authorization", &token).await.code, 0, "{case}");
                let in_english = index("accept-language", "en").await;
                assert!(in_english.code == code::NOT_LOGIN && in_english.msg.is_ascii(), "{case}: {in_english:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn of_two_members_for_cookies_the_filled_one_is_read() {
    with_app(async |app| {
        let session = format!("__sid__={}", app.somebody().await.sid);
        for front in [Front::HttpApi, Front::FunctionUrl] {
            for (list, header) in [
                (json!([]), json!(session)),
                (Value::Null, json!(session)),
                (json!([session]), Value::Null),
                (json!([session]), json!("")),
            ] {
                let mut event = front.event(&Sent::get("/user/index"), now_ms());
                event["cookies"] = list.clone();
                let headers = event["headers"].as_object_mut().unwrap();
                match &header {
                    Value::Null => headers.remove("cookie"),
                    text => headers.insert("cookie".to_owned(), text.clone()),
                };
                let page = read(front, app.invoke_function("user_index", &event).await);
                let filled = [!list.as_array().is_none_or(Vec::is_empty), header == session];
                assert_eq!(page.code, 0, "{front:?}: list and header are filled: {filled:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn of_two_members_for_a_query_the_filled_one_is_read() {
    with_app(async |app| {
        let (_, two) = (app.somebody().await, app.somebody().await);
        let token = format!("Bearer {}", two.token);
        for (front, empty) in [
            (Front::RestApi, "multiValueQueryStringParameters"),
            (Front::RestApi, "queryStringParameters"),
            (Front::LoadBalancer, "multiValueQueryStringParameters"),
            (Front::LoadBalancerLists, "queryStringParameters"),
        ] {
            for nothing in nothing() {
                let sent = Sent::get("/user/index").header("authorization", &token);
                let mut event = front.event(&Sent { query: "limit=1", ..sent }, now_ms());
                event[empty] = nothing.clone();
                let page = read(front, app.invoke_function("user_index", &event).await);
                let users = page.data.as_array().map(Vec::len);
                assert_eq!((page.code, users), (0, Some(1)), "{front:?}: {empty} is {nothing}");
            }
        }
    })
    .await;
}

/// Lines of cookies in which those of another application are not ASCII.
fn lines(session: &str) -> [String; 3] {
    [format!("n=张; {session}"), format!("{session}; n=张"), format!("a=\u{e9}; {session}; b=\u{1f600}")]
}

#[tokio::test]
async fn text_that_is_not_ascii_in_cookies_and_headers_of_others_hides_no_session() {
    with_app(async |app| {
        let session = format!("__sid__={}", app.somebody().await.sid);
        for (front, line) in FRONTS.into_iter().flat_map(|front| lines(&session).map(|line| (front, line))) {
            let sent = Sent::get("/user/index").header("cookie", &line).header("x-name", "张三");
            let page = read(front, app.invoke_function("user_index", &front.event(&sent, now_ms())).await);
            assert_eq!(page.code, 0, "{front:?}: {page:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_emulator_passes_on_cookies_beside_one_that_is_not_ascii() {
    with_app(async |app| {
        let session = format!("__sid__={}", app.somebody().await.sid);
        for line in lines(&session) {
            let headers = [("cookie", line.as_str()), ("x-name", "张三")];
            assert_eq!(app.send("GET", "/user/index", &headers, "").await.code, 0, "as API Gateway does");
        }
    })
    .await;
}
