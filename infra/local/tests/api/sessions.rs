//! Sessions over time and in several cookies.

use serde_json::json;

use support::{TEST_CODE, TEST_NUMBER, TestApp, applicant, code, with_app, with_settings, with_test_numbers};

/// A session id that the service could have given, and has not.
fn unknown() -> String {
    format!("00{}", "A".repeat(43))
}

async fn index(app: &TestApp, cookie: &str) -> i64 {
    app.send("GET", "/user/index", &[("cookie", cookie)], "").await.code
}

#[tokio::test]
async fn a_session_ends_at_its_age_however_often_it_is_used() {
    // Two days instead of thirty.
    with_settings(
        |settings| settings.replace("max_age_secs = 2592000", "max_age_secs = 172800"),
        async |app| {
            let cookie = format!("__sid__={}", app.somebody().await.sid);
            for _ in 0..2 {
                app.advance(82_800).await;
                assert_eq!(index(app, &cookie).await, 0);
            }
            // Unused it would live for another 20 hours.
            app.advance(7_300).await;
            assert_eq!(index(app, &cookie).await, code::NOT_LOGIN);
        },
    )
    .await;
}

#[tokio::test]
async fn every_cookie_of_the_name_is_tried() {
    with_app(async |app| {
        let sid = app.somebody().await.sid;
        let unknown = unknown();
        for cookie in [
            format!("__sid__=x; __sid__={sid}"),
            format!("__sid__={unknown}; a=b; __sid__={sid}"),
            format!("__sid__={sid}; __sid__={unknown}"),
            format!("__sid__={unknown}; __sid__=; __sid__={}; __sid__={sid}", unknown.replace('A', "B")),
        ] {
            assert_eq!(index(app, &cookie).await, 0, "{}", cookie.matches("__sid__").count());
        }
        // Ids that could be ours are looked at, 32 of them.
        let others = ('0'..='9').chain('a'..='v');
        let planted: Vec<_> = others.map(|c| format!("__sid__={}", unknown.replace('A', &c.to_string()))).collect();
        assert_eq!(index(app, &format!("{}; __sid__={sid}", planted[..31].join("; "))).await, 0);
        assert_eq!(index(app, &format!("{}; __sid__={sid}", planted.join("; "))).await, code::NOT_LOGIN);
    })
    .await;
}

#[tokio::test]
async fn a_logout_ends_every_session_that_comes_with_it() {
    with_app(async |app| {
        let (one, two, three) = (app.somebody().await.sid, app.somebody().await.sid, app.somebody().await.sid);
        let cookies = format!("__sid__=x; __sid__={one}; __sid__={two}");
        let reply = app.send("POST", "/user/logout", &[("cookie", &cookies), ("authorization", &three)], "").await;
        assert_eq!((reply.code, reply.sid()), (0, None));
        for sid in [one, two, three] {
            assert_eq!(index(app, &format!("__sid__={sid}")).await, code::NOT_LOGIN);
        }
        assert_eq!(app.send("POST", "/user/logout", &[("cookie", &cookies)], "").await.code, code::NOT_LOGIN);
    })
    .await;
}

#[tokio::test]
async fn a_login_ends_the_session_that_it_comes_with() {
    with_app(async |app| {
        let (before, bare, other) = (app.somebody().await.sid, app.somebody().await.sid, app.somebody().await.sid);
        let phone = app.phone();
        app.register(&phone).await;
        let right = app.code(&phone, 2).await;
        let cookie = format!("__sid__={before}");
        let headers = [("cookie", cookie.as_str()), ("authorization", bare.as_str())];
        let wrong = json!({ "phone": phone, "veri_code": support::other_than(&right) }).to_string();
        assert_eq!(app.send("POST", "/user/login", &headers, wrong).await.code, code::VERI_CODE_WRONG);
        assert_eq!(index(app, &cookie).await, 0, "a refused login ends nothing");
        let attempt = json!({ "phone": phone, "veri_code": right }).to_string();
        let login = app.send("POST", "/user/login", &headers, attempt).await;
        assert_eq!(login.code, 0);
        for ended in [&cookie, &format!("__sid__={bare}")] {
            assert_eq!(index(app, ended).await, code::NOT_LOGIN);
        }
        for lives in [other, login.sid().unwrap()] {
            assert_eq!(index(app, &format!("__sid__={lives}")).await, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn the_cookie_is_set_at_login_and_once_an_hour() {
    with_app(async |app| {
        let sid = app.somebody().await.sid;
        let cookie = format!("__sid__={sid}");
        let renewed = async || app.send("GET", "/user/index", &[("cookie", &cookie)], "").await.sid();
        assert_eq!(renewed().await, None);
        app.advance(3_500).await;
        assert_eq!(renewed().await, None);
        app.advance(101).await;
        assert_eq!(renewed().await, Some(sid));
        assert_eq!(renewed().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_user_has_a_hundred_sessions_and_the_oldest_end() {
    with_settings(with_test_numbers, async |app| {
        app.post("/user/register", &applicant(TEST_NUMBER, TEST_CODE)).await;
        let mut cookies = Vec::new();
        for _ in 0..101 {
            let attempt = json!({ "phone": TEST_NUMBER, "veri_code": TEST_CODE });
            cookies.push(format!("__sid__={}", app.post("/user/login", &attempt).await.sid().unwrap()));
            // Within one second they are of the same age.
            if cookies.len() == 1 {
                app.advance(2).await;
            }
        }
        assert_eq!(index(app, &cookies[0]).await, code::NOT_LOGIN);
        for cookie in [&cookies[1], &cookies[50], &cookies[100]] {
            assert_eq!(index(app, cookie).await, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_of_an_earlier_release_still_opens_and_is_not_renewed() {
    with_app(async |app| {
        let somebody = app.somebody().await;
        let sid = format!("3f{}", "B".repeat(43));
        // `printf '3f%s' BB…B | sha256sum`
        let key = "iwc:{3f}:session:2214faf1bf4607b60eaa1d7bd908831cb59b48f35b6866426458a090e9d05a93";
        let value = json!({ "user_id": somebody.user_id, "role": "user" }).to_string().replace('"', "\\\"");
        assert_eq!(app.redis(&[&format!("SET {key} \"{value}\" EX 86400")]).await, "+OK");
        let cookie = format!("__sid__={sid}");
        app.advance(80_000).await;
        assert_eq!(index(app, &cookie).await, 0);
        app.advance(6_500).await;
        assert_eq!(index(app, &cookie).await, code::NOT_LOGIN);
    })
    .await;
}
