//! The doors to what is stored: they spell the service's names out once more, and these tests hold them to what functions
//! really write.

use serde_json::{Value, json};

use crate::bed::{Bed, applicant, on_a_stage, other_than};

impl Bed {
    async fn standing(&self, phone: &str) -> Value {
        self.door("GET", &format!("limits?phone={phone}&ip=127.0.0.1"), "").await
    }
}

fn row<'a>(standing: &'a Value, name: &str) -> &'a Value {
    standing["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()
}

#[tokio::test]
async fn users_are_listed_newest_first_and_found_by_phone() {
    on_a_stage(async |bed| {
        let (one, other) = (bed.phone(), bed.phone());
        let (first, second) = (bed.register(&one).await, bed.register(&other).await);
        let page = bed.door("GET", "users?limit=1", "").await;
        assert_eq!((&page["users"][0]["id"], &page["next"]), (&json!(second), &json!(second)));
        let page = bed.door("GET", &format!("users?limit=1&before={second}"), "").await;
        assert_eq!((&page["users"][0]["id"], &page["next"]), (&json!(first), &Value::Null));
        for phone in [one.clone(), format!("%2B86{one}"), format!("86{one}")] {
            let found = bed.door("GET", &format!("users?phone={phone}"), "").await;
            assert_eq!(found["users"][0]["id"], first, "{phone}");
        }
        assert_eq!(bed.door("GET", "users?phone=13700000000", "").await["users"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_session_is_shown_without_its_id_and_ended() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let user_id = bed.register(&phone).await;
        let signed_in = bed.log_in(&phone).await;
        let cookie = format!("__sid__={}", signed_in.sid);
        let question = format!("sessions?phone={phone}&user_id={user_id}");
        let sessions = bed.door("GET", &question, "").await;
        assert_eq!((sessions.as_array().unwrap().len(), &sessions[0]["role"]), (1, &json!("user")));
        assert!((1..=86_400_000).contains(&sessions[0]["ends_in_ms"].as_i64().unwrap()), "{sessions}");
        assert!(!sessions.to_string().contains(&signed_in.sid));
        assert_eq!(bed.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, 0);

        let wish = json!({ "phone": phone, "hash": sessions[0]["hash"] });
        bed.door("POST", "sessions/end", &wish.to_string()).await;
        assert_eq!(bed.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, 10006);
        assert_eq!(bed.door("GET", &question, "").await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn every_row_of_the_limits_counts_what_functions_have_counted() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        let wrong = json!({ "phone": phone, "veri_code": other_than(&code) });
        assert_eq!(bed.post("/user/login", &wrong).await.code, 11003);
        let standing = bed.standing(&phone).await;
        for row in standing["rows"].as_array().unwrap() {
            let expected = if row["name"] == "budget" { 0.045 } else { 1.0 };
            assert_eq!(row["count"], expected, "{row}");
            assert_eq!(row["wait_ms"].as_i64().unwrap() > 0, row["name"] == "cool_down", "{row}");
            let is_range = ["prefix", "block", "area"].iter().any(|key| row["key"] == *key);
            assert_eq!(row["debt"], if is_range { json!(1) } else { Value::Null }, "{row}");
        }
        assert_eq!((&standing["code"]["tries"], &standing["code"]["used"]), (&json!(1), &Value::Null));
        assert_eq!(
            (&standing["last"]["function"], &standing["last"]["code"]),
            (&json!("badge-local-login"), &json!(11003))
        );

        let applicant = applicant(&phone, &code);
        assert_eq!(bed.post("/user/register", &applicant).await.code, 0);
        let standing = bed.standing(&phone).await;
        assert_eq!(standing["code"]["used"], "claim");
        assert_eq!(row(&standing, "sends_per_prefix")["debt"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_explained_and_ends_with_a_reset() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        bed.code(&phone, 1).await;
        let refused = bed.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!(refused.code, 11005);
        let standing = bed.standing(&phone).await;
        assert_eq!(standing["last"]["request_id"], refused.request_id);
        let wait_ms = row(&standing, "cool_down")["wait_ms"].as_i64().unwrap();
        let told_ms = refused.data["retry_after"].as_i64().unwrap() * 1_000;
        assert!(wait_ms <= told_ms && wait_ms > told_ms - 30_000, "{wait_ms} ms of {told_ms}");

        let wish = json!({ "phone": phone, "name": "cool_down" }).to_string();
        assert_eq!(bed.door("POST", "limits/reset", &wish).await, json!({ "forgotten": 1 }));
        assert_eq!(bed.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
        let wish = json!({ "phone": phone, "ip": "127.0.0.1" }).to_string();
        bed.door("POST", "limits/reset", &wish).await;
        for row in bed.standing(&phone).await["rows"].as_array().unwrap() {
            assert_eq!(row["count"], 0.0, "{row}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_description_of_the_api_is_json_in_its_own_order() {
    on_a_stage(async |bed| {
        let url = format!("{}/_stage/api", bed.stage.url());
        let answer = crate::client::send("GET", &url, &[], "".into()).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["paths"]["/user/login"]["post"]["operationId"], "login");
        let place = |path: &str| text.find(&format!("\"{path}\":{{")).unwrap();
        assert!(place("/user/veri_code") < place("/user/register") && place("/user/register") < place("/user/login"));
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
                let code = bed.send(&method, path, &[], "{}").await.code;
                assert!(!matches!(code, 51404 | 51405), "{method} {path} is not served");
            }
        }
    })
    .await;
}
