//! Keys are rotated while people sign up, sign in and come with tokens: nobody is refused for it.

use std::process::Output;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::process::Command;

use support::{TestApp, applicant, code, forge, root, with_app};

/// Longer than `rotate.py` waits for: what sandboxes keep, and the life of a token.
const LONG_ENOUGH_S: u64 = 1200 + 361;
/// What a sandbox has read is used for so long.
const KEPT_S: u64 = 300;

/// What `make rotate` does, for somebody who has no access to AWS.
async fn rotate(app: &TestApp, arguments: &[&str]) -> Output {
    let port = app.emulator.url().rsplit(':').next().unwrap();
    let mut command = Command::new(root().join(".tools/venv/bin/python"));
    command.arg(root().join("infra/deploy/rotate.py")).args(arguments);
    // Nothing of the machine's environment, which may hold real credentials.
    command.env_clear().env("PORT", port).env("AWS_DEFAULT_REGION", "us-east-1").env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    let output = command.output().await.unwrap_or_else(|error| panic!("{error}: type `make tools`"));
    for name in ["jwt", "veri_code", "sms"] {
        for text in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(text).contains(&app.key(name)));
        }
        app.add_secret(&app.key(name));
    }
    output
}

async fn rotate_well(app: &TestApp) {
    let output = rotate(app, &["local"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_rotations_refuse_no_token_and_no_code() {
    with_app(async |app| {
        let retired = app.key("jwt");
        // At first there is no next key: this publishes one, and nothing else changes.
        rotate_well(app).await;
        assert_eq!(app.key("jwt"), retired);
        for round in 2..4 {
            app.advance(LONG_ENOUGH_S).await;
            let (old_friend, newcomer, again) = (app.phone(), app.phone(), app.phone());
            app.register(&old_friend).await;
            let before = app.log_in(&old_friend).await.token;
            assert_eq!(kid(&before), format!("k{}", round - 1));
            // From here on `login` and `register` are about to look again, the others have just looked.
            app.advance(KEPT_S).await;
            assert_eq!(app.index_with(&format!("jwt {before}")).await.0, 0);
            let code = app.code(&old_friend, 3).await;
            let new_code = app.code(&newcomer, 1).await;
            let request = applicant(&again, &app.code(&again, 1).await);

            let (rotated, served) = tokio::join!(rotate(app, &["local"]), async {
                for _ in 0..20 {
                    assert_eq!(app.index_with(&format!("jwt {before}")).await.0, 0);
                }
                app.post("/user/register", &request).await
            });
            assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));

            // Codes of the key before, judged by those who know the new one; a token of the new key, judged by one who
            // has only heard that it will come.
            let attempt = json!({ "phone": old_friend, "veri_code": code });
            let after = app.post("/user/login", &attempt).await.signed_in().token;
            assert_eq!(kid(&after), format!("k{round}"));
            for token in [&before, &after] {
                assert_eq!(app.index_with(&format!("jwt {token}")).await.0, 0);
            }
            // The same code is sent again by those who have not heard.
            app.advance(61).await;
            assert_eq!(app.code(&newcomer, 2).await, new_code);
            assert_eq!(app.post("/user/register", &applicant(&newcomer, &new_code)).await.code, 0);
            // And so is a registration, by one who has.
            app.emulator.reload().await.unwrap();
            let repeated = app.post("/user/register", &request).await;
            assert_eq!((repeated.code, &repeated.data["user_id"]), (0, &served.data["user_id"]));
            // All have heard.
            app.advance(KEPT_S).await;
            for token in [&before, &after] {
                assert_eq!(app.index_with(&format!("jwt {token}")).await.0, 0);
            }
        }
        let claims = json!({ "user_id": "019a0000-0000-7000-8000-000000000000", "role": "admin", "iss": "badge",
            "iat": 1, "exp": 99_999_999_999_u64 });
        for header in [json!({ "alg": "HS256", "type": "jwt", "kid": "k1" }), json!({ "alg": "HS256", "type": "jwt" })]
        {
            let token = format!("jwt {}", forge(&header, &claims, &retired));
            assert_eq!(
                app.index_with(&token).await,
                (code::NO_AUTH, "token认证失败".to_owned()),
                "retired two rotations ago"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_rotation_that_would_refuse_somebody_is_refused_itself() {
    with_app(async |app| {
        app.somebody().await;
        rotate_well(app).await;
        let before = app.key("jwt");
        let early = rotate(app, &["local", "jwt"]).await;
        assert!(!early.status.success());
        assert!(String::from_utf8_lossy(&early.stderr).contains("again in"), "nobody has heard of the next key");
        app.advance(361).await;
        assert!(rotate(app, &["local", "jwt"]).await.status.success());
        let after = app.key("jwt");
        assert_ne!(after, before);
        app.advance(361).await;
        assert!(!rotate(app, &["local", "jwt"]).await.status.success(), "tokens of the key before are still valid");
        assert_eq!(app.key("jwt"), after);
        assert!(rotate(app, &["--force", "local", "jwt"]).await.status.success(), "unless somebody means it");
        assert_ne!(app.key("jwt"), after);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_says_what_is_missing() {
    with_app(async |app| {
        app.somebody().await;
        for (arguments, said) in [
            (&["nowhere"][..], "there is no stage nowhere"),
            (&["local", "jwtt"], "names no secret jwtt"),
            (&["test"], "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ] {
            let output = rotate(app, arguments).await;
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && text.contains(said) && !text.contains("Traceback"), "{text}");
        }
    })
    .await;
}
