//! The rights that `infra/template.yaml` gives the cache's user: enough for every function, and no more.

use serde_json::json;

use crate::bed::{Bed, applicant, on_a_stage, root};

/// Everything, as the local stage's own errands need it.
const ALL: &str = "on ~* +@all";

/// From now on whoever does not sign in, as functions here do not, has these rights.
async fn give(bed: &Bed, rights: &str) {
    let give = format!("ACL SETUSER default reset nopass {rights}");
    assert_eq!(bed.tell_cache(&["AUTH operator any", &give]).await, "+OK");
}

#[tokio::test]
async fn the_rights_of_the_caches_user_are_enough_and_no_more() {
    let template = std::fs::read_to_string(root().join("infra/template.yaml")).unwrap();
    let line = template.lines().find_map(|line| line.trim().strip_prefix("AccessString: ")).unwrap();
    let rights = line.trim_matches('"');
    on_a_stage(async |bed| {
        assert_eq!(bed.tell_cache(&["ACL SETUSER operator on nopass ~* +@all"]).await, "+OK");
        give(bed, rights).await;
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        assert_eq!(bed.post("/user/register", &applicant(&phone, &code)).await.code, 0);
        give(bed, ALL).await;
        bed.advance(61).await;
        give(bed, rights).await;
        let user = bed.log_in(&phone).await;
        let wrong = json!({ "phone": phone, "veri_code": "000000" });
        assert_eq!(bed.post("/user/login", &wrong).await.code, 11003, "a wrong code is judged too");
        let headers = [("authorization", user.sid.as_str())];
        assert_eq!(bed.send("GET", "/user/index", &headers, "").await.code, 0);
        assert_eq!(bed.send("POST", "/user/logout", &headers, "").await.code, 0);
        for job in ["daily", "deployed"] {
            assert_eq!(bed.door("POST", &format!("schedules/{job}"), "{}").await["outcome"], "ok", "{job}");
        }
        for command in ["FLUSHALL", "KEYS *", "CONFIG GET maxmemory", "ACL LIST"] {
            assert!(bed.tell_cache(&[command]).await.starts_with("-NOPERM"), "{command}");
        }
        give(bed, ALL).await;
    })
    .await;
}
