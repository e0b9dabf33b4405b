//! `POST /user/logout`.

use support::{code, with_app};

#[tokio::test]
async fn a_logout_ends_that_session_and_no_other() {
    with_app(async |app| {
        let (one, other) = (app.somebody().await.sid, app.somebody().await.sid);
        let (cookie, other) = (format!("__sid__={one}"), format!("__sid__={other}"));
        let reply = app.send("POST", "/user/logout", &[("cookie", &cookie)], "").await;
        assert_eq!((reply.code, reply.data), (0, "".into()));
        assert_eq!(reply.cookie.as_deref(), Some("__sid__=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
        assert_eq!(app.send("POST", "/user/logout", &[("cookie", &cookie)], "").await.code, code::NOT_LOGIN);
        assert_eq!(app.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, code::NOT_LOGIN);
        assert_eq!(app.send("GET", "/user/index", &[("authorization", &one)], "").await.code, code::NOT_LOGIN);
        assert_eq!(app.send("GET", "/user/index", &[("cookie", &other)], "").await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_token_has_no_session_to_end() {
    with_app(async |app| {
        let somebody = app.somebody().await;
        let jwt = format!("jwt {}", somebody.token);
        assert_eq!(app.send("POST", "/user/logout", &[("authorization", &jwt)], "").await.code, code::NOT_LOGIN);
        let cookie = format!("__sid__={}", somebody.sid);
        let both = [("authorization", jwt.as_str()), ("cookie", cookie.as_str())];
        assert_eq!(app.send("POST", "/user/logout", &both, "").await.code, 0);
    })
    .await;
}
