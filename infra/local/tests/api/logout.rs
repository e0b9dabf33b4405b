//! `POST /user/logout`.

use crate::bed::on_a_stage;

#[tokio::test]
async fn a_logout_ends_that_session_and_no_other() {
    on_a_stage(async |bed| {
        let (one, other) = (bed.somebody().await.sid, bed.somebody().await.sid);
        let (cookie, other) = (format!("__sid__={one}"), format!("__sid__={other}"));
        let reply = bed.send("POST", "/user/logout", &[("cookie", &cookie)], "").await;
        assert_eq!((reply.code, reply.data), (0, "".into()));
        assert_eq!(reply.cookie.as_deref(), Some("__sid__=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
        assert_eq!(bed.send("POST", "/user/logout", &[("cookie", &cookie)], "").await.code, 10006);
        assert_eq!(bed.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, 10006);
        assert_eq!(bed.send("GET", "/user/index", &[("authorization", &one)], "").await.code, 10006);
        assert_eq!(bed.send("GET", "/user/index", &[("cookie", &other)], "").await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_token_has_no_session_to_end() {
    on_a_stage(async |bed| {
        let somebody = bed.somebody().await;
        let jwt = format!("jwt {}", somebody.token);
        assert_eq!(bed.send("POST", "/user/logout", &[("authorization", &jwt)], "").await.code, 10006);
        let cookie = format!("__sid__={}", somebody.sid);
        let both = [("authorization", jwt.as_str()), ("cookie", cookie.as_str())];
        assert_eq!(bed.send("POST", "/user/logout", &both, "").await.code, 0);
    })
    .await;
}
