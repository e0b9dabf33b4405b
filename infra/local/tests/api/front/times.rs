//! Times of requests that cannot be: emulators of AWS write seconds for milliseconds, or nothing at all.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::event::{Front, Sent};
use super::{Answer, now_ms, read, send};
use support::{TestApp, applicant, with_app};

/// Sends a request whose event has another time, or none.
async fn send_with_time(app: &TestApp, front: Front, function: &str, sent: &Sent<'_>, time: Option<i64>) -> Answer {
    let mut event = front.event(sent, now_ms());
    let context = event["requestContext"].as_object_mut().unwrap();
    let name = if front == Front::RestApi { "requestTimeEpoch" } else { "timeEpoch" };
    let before = match time {
        Some(time) => context.insert(name.to_owned(), time.into()),
        None => context.remove(name),
    };
    assert!(before.is_some(), "{front:?} has no {name}");
    let answer = read(front, app.invoke_function(function, &event).await);
    answer.add_secrets(app);
    answer
}

#[tokio::test]
async fn a_request_of_an_impossible_time_is_one_of_now() {
    with_app(async |app| {
        let now_s = i64::try_from(now_ms() / 1000).unwrap();
        let times = [Some(now_s), Some(0), Some(-1), Some(i64::MIN), Some(i64::MAX), None];
        for (front, time) in [Front::HttpApi, Front::RestApi, Front::FunctionUrl]
            .into_iter()
            .flat_map(|front| times.map(|time| (front, time)))
        {
            let phone = app.phone();
            let ask = async |nth| {
                let sent = Sent::post("/user/veri_code", json!({ "phone": phone }));
                let answer = send_with_time(app, front, "veri_code", &sent, time).await;
                assert_eq!(answer.code, 0, "{front:?} at {time:?}: {answer:?}");
                let code = app.messages(&phone, nth).await[0]["code"].as_str().unwrap().to_owned();
                app.add_secret(&code);
                code
            };
            let mut body = applicant(&phone, &ask(1).await);
            let now = Timestamp::from_millisecond(i64::try_from(now_ms()).unwrap()).unwrap();
            let today = now.to_zoned(TimeZone::get("Asia/Shanghai").unwrap()).date();
            body["birth_day"] = today.to_string().into();
            let user = send_with_time(app, front, "register", &Sent::post("/user/register", body), time).await;
            assert_eq!(user.code, 0, "{front:?} at {time:?}: born today, {user:?}");
            app.advance(61).await;

            let attempt = json!({ "phone": phone, "veri_code": ask(2).await });
            let login = send_with_time(app, front, "login", &Sent::post("/user/login", attempt), time).await;
            let token = format!("jwt {}", login.data["token"].as_str().unwrap());
            let by_token = Sent::get("/user/index").header("authorization", &token);
            let page = send(app, front, "user_index", &by_token).await;
            assert_eq!(page.code, 0, "{front:?} at {time:?}: the token is good now, {page:?}");
            let page = send_with_time(app, front, "user_index", &by_token, time).await;
            assert_eq!(page.code, 0, "{front:?} at {time:?}: the token is good at that time, {page:?}");
            assert_eq!(page.data[0]["birth_day"], Value::Null, "others do not see it");
        }
    })
    .await;
}
