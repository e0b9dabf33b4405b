//! JSON web tokens over the wire, and with the library that the old service used.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use support::tree::read as read_file;
use support::{
    PREFIX, TEST_CODE, TEST_NUMBER, applicant, code, forge, root, send, with_app, with_settings, with_test_numbers,
};

#[tokio::test]
async fn a_token_enters_under_either_scheme_until_it_expires() {
    with_app(async |app| {
        let token = app.somebody().await.token;
        for scheme in ["jwt", "JWT", "Bearer", "bearer"] {
            assert_eq!(app.index_with(&format!("{scheme} {token}")).await.0, 0);
        }
        // Real time passes too, and `iat` is whole seconds; the second itself is tested where the clock stands still.
        app.advance(1150).await;
        assert_eq!(app.index_with(&format!("jwt {token}")).await.0, 0);
        app.advance(51).await;
        assert_eq!(app.index_with(&format!("jwt {token}")).await, (code::NO_AUTH, "token已失效".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn the_first_credential_that_is_good_counts() {
    with_app(async |app| {
        let (one, other) = (app.somebody().await, app.somebody().await);
        let (cookie, none) = (format!("__sid__={}", one.sid), format!("__sid__=00{}", "A".repeat(43)));
        let (jwt, old) = (format!("jwt {}", other.token), format!("Bearer {}", one.token));
        let caller = async |headers: &[(&str, &str)]| {
            let reply = app.send("GET", "/user/index", headers, "").await;
            (reply.code, app.log(&reply.request_id).await[0]["user_id"].clone())
        };
        assert_eq!(caller(&[("authorization", &jwt), ("cookie", &cookie)]).await, (0, json!(other.user_id)));
        assert_eq!(caller(&[("authorization", &jwt), ("cookie", &none)]).await, (0, json!(other.user_id)));
        app.advance(1201).await;
        for bad in ["Bearer undefined", "jwt a.b.c", &old, &jwt] {
            let headers = [("authorization", bad), ("cookie", cookie.as_str())];
            assert_eq!(caller(&headers).await, (0, json!(one.user_id)), "{bad}");
            let headers = [("authorization", bad), ("cookie", none.as_str())];
            assert_eq!(caller(&headers).await, (code::NO_AUTH, Value::Null), "{bad}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_says_who_it_is_of_and_is_another_one_each_time() {
    with_app(async |app| {
        let (one, other) = (app.somebody().await, app.somebody().await);
        let [first, second] = [&one, &other].map(|who| {
            let claims = who.token.split('.').nth(1).unwrap();
            serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
        });
        assert_eq!((&first["sub"], &first["user_id"]), (&json!(one.user_id), &json!(one.user_id)));
        assert_eq!((&first["epoch"], first["jti"].as_str().unwrap().len()), (&json!(0), 32));
        assert_ne!(first["jti"], second["jti"]);
    })
    .await;
}

/// Runs the old service's library, in one of its versions.
fn pyjwt(library: Option<&str>, args: &[&str]) -> String {
    let python = root().join(".tools/venv/bin/python");
    let mut command = Command::new(&python);
    command.arg(root().join("infra/local/tests/interop/pyjwt.py")).args(args).env("PYTHONDONTWRITEBYTECODE", "1");
    match library {
        Some(folder) => command.env("PYTHONPATH", root().join(folder)),
        None => command.env_remove("PYTHONPATH"),
    };
    let output = command.output().unwrap_or_else(|_| panic!("no {}: type `make tools`", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn tokens_of_both_pyjwts_are_accepted_and_they_accept_ours() {
    // PyJWT asks the machine's clock and refuses what is signed later than now, so the clock is not moved.
    with_settings(with_test_numbers, async |app| {
        app.post("/user/register", &applicant(TEST_NUMBER, TEST_CODE)).await;
        let attempt = json!({ "phone": TEST_NUMBER, "veri_code": TEST_CODE });
        let somebody = app.post("/user/login", &attempt).await.signed_in();
        let key = app.key("jwt");
        for (library, version) in [(Some(".tools/pyjwt1"), "1.7.1"), (None, "2.")] {
            assert!(pyjwt(library, &["version"]).starts_with(version));
            let claims: Value = serde_json::from_str(&pyjwt(library, &["decode", &key, &somebody.token])).unwrap();
            assert_eq!((&claims["user_id"], &claims["role"]), (&json!(somebody.user_id), &json!("user")));
            let exp = claims["exp"].as_u64().unwrap();
            let theirs =
                json!({ "user_id": somebody.user_id, "role": "admin", "iss": claims["iss"], "iat": 1, "exp": exp });
            let token = pyjwt(library, &["encode", &key, &theirs.to_string()]);
            app.add_secret(&token);
            assert_eq!(app.index_with(&format!("jwt {token}")).await.0, 0, "{version}");
            for (claims, header, msg) in [
                (with(&theirs, "exp", json!(1)), Value::Null, "token已失效"),
                (with(&theirs, "exp", Value::Null), Value::Null, "非法的token"),
                (with(&theirs, "iss", json!("x")), Value::Null, "非法的token"),
                (with(&theirs, "aud", json!("x")), Value::Null, "非法的token"),
                (with(&theirs, "nbf", json!(exp)), Value::Null, "非法的token"),
                (theirs.clone(), json!({ "typ": "JWT", "alg": "HS512", "type": "jwt" }), "非法的token"),
                (theirs.clone(), json!({ "typ": "JWT", "alg": "none", "type": "jwt" }), "非法的token"),
                (theirs.clone(), json!({ "typ": "JWT", "alg": "HS256", "type": "other" }), "非法的token"),
                (theirs.clone(), json!({ "typ": "JWT", "alg": "HS256", "type": "jwt", "kid": "x" }), "token认证失败"),
            ] {
                let (claims, header) = (claims.to_string(), header.to_string());
                let mut args = vec!["encode", key.as_str(), claims.as_str()];
                if header != "null" {
                    args.push(&header);
                }
                let token = pyjwt(library, &args);
                assert_eq!(app.index_with(&format!("jwt {token}")).await, (code::NO_AUTH, msg.to_owned()), "{args:?}");
            }
            let foreign = pyjwt(library, &["encode", "another key of at least thirty-two bytes", &theirs.to_string()]);
            assert_eq!(app.index_with(&format!("jwt {foreign}")).await, (code::NO_AUTH, "token认证失败".to_owned()));
        }
    })
    .await;
}

#[tokio::test]
async fn a_forged_token_opens_nothing() {
    with_app(async |app| {
        let somebody = app.somebody().await;
        let key = app.key("jwt");
        let parts: Vec<_> = somebody.token.split('.').collect();
        let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        let (header, claims) = (read(parts[0]), read(parts[1]));
        let admin = with(&claims, "role", json!("admin"));
        let with_header = |name: &str, value: Value| forge(&with(&header, name, value), &claims, &key);
        let with_claim = |name: &str, value: Value| forge(&header, &with(&claims, name, value), &key);
        let unsigned = |alg: &str| {
            let token = forge(&with(&header, "alg", json!(alg)), &admin, "");
            format!("{}.", token.rsplit_once('.').unwrap().0)
        };
        let foreign = "a key of the attacker, and of more than thirty-two bytes";
        let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(foreign) });
        assert_eq!(app.index_with(&format!("jwt {}", forge(&header, &claims, &key))).await.0, 0, "the forge works");

        let (expired, unverified, unacceptable) = ("token已失效", "token认证失败", "非法的token");
        for (what, token, msg) in [
            ("none", unsigned("none"), unacceptable),
            ("None", unsigned("None"), unacceptable),
            ("nOnE", unsigned("nOnE"), unacceptable),
            ("none, signed", with_header("alg", json!("none")), unacceptable),
            ("RS256", with_header("alg", json!("RS256")), unacceptable),
            ("ES256", with_header("alg", json!("ES256")), unacceptable),
            ("HS384", with_header("alg", json!("HS384")), unacceptable),
            ("HS512", with_header("alg", json!("HS512")), unacceptable),
            ("crit", with_header("crit", json!(["exp"])), unacceptable),
            (
                "b64",
                forge(&with(&with(&header, "b64", json!(false)), "crit", json!(["b64"])), &claims, &key),
                unacceptable,
            ),
            ("foreign kid", with_header("kid", json!("k9")), unverified),
            ("kid that is no text", with_header("kid", json!(1)), unverified),
            ("own key", forge(&with(&header, "jwk", jwk), &admin, foreign), unverified),
            (
                "another user",
                format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(admin.to_string()), parts[2]),
                unverified,
            ),
            ("no exp", with_claim("exp", Value::Null), unacceptable),
            ("exp as text", with_claim("exp", json!("99999999999")), unverified),
            ("exp below zero", with_claim("exp", json!(-1)), expired),
            ("nbf ahead", with_claim("nbf", json!(99_999_999_999_u64)), unacceptable),
            ("another iss", with_claim("iss", json!("badge2")), unacceptable),
            ("padding", format!("{}=", somebody.token), unverified),
            ("two in one", format!("{0},jwt {0}", somebody.token), unverified),
            ("6 KB", with_header("x", json!("x".repeat(6 * 1024))), unverified),
        ] {
            assert_eq!(app.index_with(&format!("jwt {token}")).await, (code::NO_AUTH, msg.to_owned()), "{what}");
        }
        // An HTTP API refuses these; other event sources pass them on.
        let mut event: Value = serde_json::from_str(&read_file("infra/local/events/user_index.json")).unwrap();
        event["headers"]["accept-language"] = json!("zh");
        for size in [8 * 1024, 64 * 1024] {
            let authorization = format!("jwt {}", with_header("x", json!("x".repeat(size))));
            let headers = [("authorization", authorization.as_str())];
            assert_eq!(send("GET", &app.url(&format!("{PREFIX}/user/index")), &headers, "").await.status, 431);
            event["headers"]["authorization"] = json!(authorization);
            let response = app.invoke_function("user_index", &event).await;
            let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
            assert_eq!((&body["code"], &body["msg"]), (&json!(code::NO_AUTH), &json!(unverified)), "{size} bytes");
        }
        // API Gateway joins headers of one name with a comma.
        let jwt = format!("jwt {}", somebody.token);
        let twice = [("authorization", jwt.as_str()), ("authorization", jwt.as_str())];
        assert_eq!(app.send("GET", "/user/index", &twice, "").await.code, code::NO_AUTH);
        // A token opens nothing that wants a session.
        assert_eq!(app.send("POST", "/user/logout", &[("authorization", &jwt)], "").await.code, code::NOT_LOGIN);
    })
    .await;
}

fn with(base: &Value, name: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[name] = value;
    changed
}
