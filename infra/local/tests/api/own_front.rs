//! A front of our own before the API (`infra/front.yaml`): what comes past it, and whose address counts.

use serde_json::json;
use support::{TestApp, TestAppBuilder, code, with_settings};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// One code for each address within its window.
fn one_send_by_address(settings: &str) -> String {
    settings.replace("window = \"10m\", max = 60", "window = \"10m\", max = 1")
}

/// Requests a code for a new phone; the code of the reply.
async fn send_code(app: &TestApp, headers: &[(&str, &str)]) -> i64 {
    app.send("POST", "/user/veri_code", headers, json!({ "phone": app.phone() }).to_string()).await.code
}

#[tokio::test]
async fn behind_a_front_of_our_own_its_word_for_the_address_counts() {
    // The emulator resolves no reference to a secret, so the key is written out.
    let with_key = |template: &str| {
        let changed = template.replacen("FRONT_KEYS: !If", &format!("FRONT_KEYS: {KEY}\n        OTHER: !If"), 1);
        assert_ne!(changed, template);
        changed
    };
    let builder = TestAppBuilder::new().settings(one_send_by_address).template(with_key);
    builder
        .run(async |app| {
            let by_front = |address| [("x-front-key", KEY), ("x-front-address", address)];
            assert_eq!(send_code(app, &by_front("198.51.100.1")).await, code::OK);
            assert_eq!(send_code(app, &by_front("198.51.100.1")).await, code::TOO_MANY_REQUESTS);
            assert_eq!(send_code(app, &by_front("198.51.100.2")).await, code::OK);
            // Who does not know the key gets nowhere, whatever it calls itself.
            for headers in [&[][..], &[("x-front-address", "198.51.100.3")], &[("x-front-key", &KEY[1..])]] {
                assert_eq!(send_code(app, headers).await, code::CROSS_SITE, "{headers:?}");
            }
            let past = app.send("GET", "/user/index", &[], "").await;
            assert_eq!(past.code, code::CROSS_SITE, "{past:?}");
            app.add_secret(KEY);
        })
        .await;
}

#[tokio::test]
async fn without_a_front_of_our_own_no_header_names_the_address() {
    with_settings(one_send_by_address, async |app| {
        assert_eq!(send_code(app, &[]).await, code::OK);
        for header in ["x-front-address", "x-forwarded-for", "cloudfront-viewer-address", "true-client-ip", "forwarded"]
        {
            let headers = [(header, "198.51.100.1"), ("x-front-key", KEY)];
            assert_eq!(send_code(app, &headers).await, code::TOO_MANY_REQUESTS, "{header}");
        }
    })
    .await;
}
