//! The routes of accounts for life, as requests that can be sent again and again.

use serde_json::{Value, json};

use crate::{Reply, TestApp, code};

/// A request that can be sent again and again.
pub struct AccountCall {
    /// Its method.
    pub method: &'static str,
    /// Its path and query.
    pub path: String,
    /// Its body; empty of a GET.
    pub body: String,
    /// The header `authorization`.
    pub authorization: String,
    /// Its code when all is well.
    pub good: i64,
    /// Its code while the table fails.
    pub dynamodb: i64,
    /// The same of the cache.
    pub redis: i64,
}

impl AccountCall {
    /// Sends it.
    pub async fn send(&self, app: &TestApp) -> Reply {
        app.send(self.method, &self.path, &[("authorization", &self.authorization)], self.body.clone()).await
    }
}

/// Each route by each credential that it takes. `change_phone` and `delete` come with a code that was never sent.
pub async fn account_calls(app: &TestApp) -> Vec<AccountCall> {
    use code::{DB_ERROR, OK, REDIS_ERROR, VERI_CODE_WRONG};
    let (user, other) = (app.somebody().await, app.somebody().await);
    let phone = app.phone();
    app.register(&phone).await;
    app.change_rights(&phone, "promote").await;
    let admin = app.log_in(&phone).await;
    let targets = [app.register(&app.phone()).await, app.register(&app.phone()).await];
    let [token, admins_token] = [&user, &admin].map(|who| format!("jwt {}", who.token));
    let (sid, admins_sid) = (user.sid, admin.sid);
    let of_target = |path: &str| format!("/admin/{path}?id={}", targets[0]);
    let update = |nth: usize| json!({ "id": targets[nth], "end_sessions": true });
    let change = json!({ "phone": app.phone(), "veri_code": "123456", "old_veri_code": "123456" });
    let (user, none) = (|path: &str| format!("/user/{path}"), Value::Null);
    let table = [
        ("GET", user("me"), none.clone(), &sid, OK, DB_ERROR, REDIS_ERROR),
        // The row has the rights of now.
        ("GET", user("me"), none.clone(), &token, OK, DB_ERROR, OK),
        ("POST", user("update"), json!({ "city": "310100" }), &sid, OK, DB_ERROR, REDIS_ERROR),
        ("POST", user("update"), json!({ "city": "310200" }), &token, OK, DB_ERROR, OK),
        // No row is asked.
        ("POST", user("token"), none.clone(), &sid, OK, OK, REDIS_ERROR),
        ("GET", user("sessions"), none.clone(), &sid, OK, OK, REDIS_ERROR),
        ("GET", user("sessions"), none.clone(), &token, OK, DB_ERROR, REDIS_ERROR),
        ("POST", user("end_sessions"), json!({ "id": "0".repeat(66) }), &sid, OK, OK, REDIS_ERROR),
        ("POST", user("end_sessions"), json!({ "id": "0".repeat(66) }), &token, OK, OK, REDIS_ERROR),
        ("POST", user("end_sessions"), json!({ "others": true }), &other.sid, OK, DB_ERROR, REDIS_ERROR),
        ("GET", user("export"), none.clone(), &sid, OK, DB_ERROR, REDIS_ERROR),
        ("POST", user("change_phone"), change, &sid, VERI_CODE_WRONG, DB_ERROR, REDIS_ERROR),
        ("POST", user("delete"), json!({ "veri_code": "123456" }), &sid, VERI_CODE_WRONG, DB_ERROR, REDIS_ERROR),
        ("GET", of_target("user"), none.clone(), &admins_sid, OK, DB_ERROR, REDIS_ERROR),
        ("GET", of_target("user"), none.clone(), &admins_token, OK, DB_ERROR, REDIS_ERROR),
        ("POST", "/admin/update".to_owned(), update(0), &admins_sid, OK, DB_ERROR, REDIS_ERROR),
        ("POST", "/admin/update".to_owned(), update(1), &admins_token, OK, DB_ERROR, REDIS_ERROR),
        ("GET", of_target("audit"), none.clone(), &admins_sid, OK, DB_ERROR, REDIS_ERROR),
        ("GET", of_target("audit"), none, &admins_token, OK, DB_ERROR, REDIS_ERROR),
    ];
    let case =
        |(method, path, body, authorization, good, dynamodb, redis): (_, _, Value, &String, _, _, _)| AccountCall {
            method,
            path,
            body: if body.is_null() { String::new() } else { body.to_string() },
            authorization: authorization.clone(),
            good,
            dynamodb,
            redis,
        };
    table.into_iter().map(case).collect()
}
