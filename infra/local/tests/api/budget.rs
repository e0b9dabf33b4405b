//! Round trips and capacity units per request, as the functions count them, against the budget of the design.

use serde_json::{Value, json};

use crate::bed::{Bed, Reply, applicant, on_a_stage};

/// Steps in sequence, Redis, DynamoDB and other calls, read and write units.
type Spent = (u64, u64, u64, u64, f64, f64);

async fn spent(bed: &Bed, reply: &Reply) -> Spent {
    let line: Value = bed.log(&reply.request_id).await.remove(0);
    let (count, units) =
        (|name: &str| line["spent"][name].as_u64().unwrap(), |name: &str| line["spent"][name].as_f64().unwrap());
    let calls = line["calls"].as_array().map_or(0, Vec::len) as u64;
    assert_eq!(calls, count("redis") + count("dynamodb") + count("http"), "each call is told: {line}");
    (count("steps"), count("redis"), count("dynamodb"), count("http"), units("read_units"), units("write_units"))
}

#[tokio::test]
async fn requests_stay_within_the_budget() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let sent = bed.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!(spent(bed, &sent).await, (2, 3, 0, 1, 0.0, 0.0), "veri_code");
        let code = bed.messages(&phone, 1).await[0]["code"].as_str().unwrap().to_owned();

        let made = bed.post("/user/register", &applicant(&phone, &code)).await;
        assert_eq!(spent(bed, &made).await, (2, 3, 1, 0, 0.0, 2.0), "register");
        bed.advance(61).await;

        let code = bed.code(&phone, 2).await;
        let login = bed.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        assert_eq!(spent(bed, &login).await, (2, 4, 1, 0, 1.0, 0.0), "login");
        let somebody = login.signed_in();

        let page = bed.send("GET", "/user/index", &[("authorization", &somebody.sid)], "").await;
        assert_eq!(spent(bed, &page).await, (2, 1, 1, 0, 0.5, 0.0), "index by session");
        let jwt = format!("jwt {}", somebody.token);
        let page = bed.send("GET", "/user/index", &[("authorization", &jwt)], "").await;
        assert_eq!(spent(bed, &page).await, (1, 0, 1, 0, 0.5, 0.0), "index by token");

        let out = bed.send("POST", "/user/logout", &[("authorization", &somebody.sid)], "").await;
        assert_eq!(spent(bed, &out).await, (1, 1, 0, 0, 0.0, 0.0), "logout");
    })
    .await;
}

#[tokio::test]
async fn what_can_be_refused_without_a_backend_is() {
    on_a_stage(async |bed| {
        let nothing = (0, 0, 0, 0, 0.0, 0.0);
        for (method, path, authorization, body) in [
            ("POST", "/user/veri_code", "", "{}"),
            ("POST", "/user/register", "", "x"),
            ("POST", "/user/login", "", r#"{"phone": "1", "veri_code": "1"}"#),
            ("POST", "/user/logout", "", ""),
            ("POST", "/user/logout", "not-a-session", ""),
            ("GET", "/user/index", "", ""),
            ("GET", "/user/index", "jwt a.b.c", ""),
            ("GET", "/user/nothing", "", ""),
            ("PUT", "/user/login", "", ""),
        ] {
            let reply = bed.send(method, path, &[("authorization", authorization)], body).await;
            assert_ne!(reply.code, 0);
            assert_eq!(spent(bed, &reply).await, nothing, "{method} {path} {authorization}");
        }
    })
    .await;
}
