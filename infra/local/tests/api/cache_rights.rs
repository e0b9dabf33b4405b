//! The rights that `infra/template.yaml` gives the cache's user: enough for every function, and no more.

use serde_json::json;

use support::{TestApp, applicant, code, root, with_app};

/// All rights, which the emulator itself needs.
const ALL: &str = "on ~* +@all";

/// Sets the rights of the default user, which functions have here.
async fn give(app: &TestApp, rights: &str) {
    let give = format!("ACL SETUSER default reset nopass {rights}");
    assert_eq!(app.redis(&["AUTH operator any", &give]).await, "+OK");
}

#[tokio::test]
async fn the_rights_of_the_caches_user_are_enough_and_no_more() {
    let template = std::fs::read_to_string(root().join("infra/template.yaml")).unwrap();
    let line = template.lines().find_map(|line| line.trim().strip_prefix("AccessString: ")).unwrap();
    let rights = line.trim_matches('"');
    with_app(async |app| {
        assert_eq!(app.redis(&["ACL SETUSER operator on nopass ~* +@all"]).await, "+OK");
        give(app, rights).await;
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0);
        give(app, ALL).await;
        app.advance(61).await;
        give(app, rights).await;
        let user = app.log_in(&phone).await;
        let wrong = json!({ "phone": phone, "veri_code": "000000" });
        assert_eq!(app.post("/user/login", &wrong).await.code, code::VERI_CODE_WRONG, "a wrong code is judged too");
        let headers = [("authorization", user.sid.as_str())];
        assert_eq!(app.send("GET", "/user/index", &headers, "").await.code, 0);
        assert_eq!(app.send("POST", "/user/logout", &headers, "").await.code, 0);
        for job in ["daily", "deployed"] {
            assert_eq!(app.control("POST", &format!("schedules/{job}"), "{}").await["outcome"], "ok", "{job}");
        }
        for command in ["FLUSHALL", "KEYS *", "CONFIG GET maxmemory", "ACL LIST"] {
            assert!(app.redis(&[command]).await.starts_with("-NOPERM"), "{command}");
        }
        give(app, ALL).await;
    })
    .await;
}
