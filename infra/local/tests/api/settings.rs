//! Settings that cannot work stop the cold start, and the log says which.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use support::{TestApp, TestAppBuilder, root, send, with_settings};

/// A request to a function that does not start; what its log says.
async fn refusal_to_start(app: &TestApp) -> String {
    let url = format!("{}/local/iwc/badge/user/login", app.emulator.url());
    let answer = send("POST", &url, &[], "{}").await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (500, &br#"{"message":"Internal Server Error"}"#[..]));
    let invocations = app.inspect("invocations?function=login").await;
    assert_eq!(invocations[0]["outcome"], "init_error");
    invocations[0]["log"].to_string()
}

#[tokio::test]
async fn a_setting_that_cannot_work_stops_the_cold_start_by_name() {
    for (from, to, key) in [
        ("time_zone", "tiem_zone = \"x\"\ntime_zone", "tiem_zone"),
        ("tries = 5", "tries = 0", "veri_code.tries"),
        ("ttl_secs = 86400", "ttl_secs = \"a day\"", "ttl_secs"),
        ("[secrets]", "[secrets]\nother = \"x\"", "other"),
        ("badge/local/jwt", "badge/local/absent", "badge/local/absent"),
        ("badge/local/veri_code", "badge/local/gone", "badge/local/gone"),
        ("验证码{code}", "验证码", "sms.texts"),
    ] {
        let change = |settings: &str| {
            assert!(settings.contains(from), "{from}");
            settings.replacen(from, to, 1)
        };
        with_settings(change, async |app| {
            let log = refusal_to_start(app).await;
            assert!(log.contains(key), "{log}");
        })
        .await;
    }
}

/// A package has no others.
#[tokio::test]
async fn settings_of_a_package_come_before_those_that_they_were_made_of() {
    let builder = TestAppBuilder::new();
    let mut pack = Command::new("python3");
    pack.arg(root().join("infra/deploy/pack.py")).args(["--settings", "."]).current_dir(builder.folder());
    assert!(pack.status().unwrap().success());
    let packed = builder.folder().join("conf/local.json");
    let app = builder.settings(|settings| settings.replacen("tries = 5", "tries = 0", 1)).start().await;
    app.emulator.check_settings().await.unwrap();
    let settings = fs::read_to_string(&packed).unwrap();
    fs::write(&packed, settings.replacen("\"tries\": 5", "\"trys\": 5", 1)).unwrap();
    let error = app.emulator.check_settings().await.unwrap_err().to_string();
    assert!(error.contains("conf/local.json: line ") && error.contains("(trys): unknown field `trys`"), "{error}");
}

#[tokio::test]
async fn a_weak_key_stops_the_cold_start_by_name() {
    let weak = json!({ "kid": "k1", "key": "only thirty-one bytes long key!" }).to_string();
    let secret = json!({ "value": weak, "version": "1", "created": 0 });
    let builder = TestAppBuilder::new();
    fs::create_dir(builder.folder().join("state")).unwrap();
    let secrets: Value = json!({ "badge/local/jwt": secret });
    fs::write(builder.folder().join("state/secrets.json"), secrets.to_string()).unwrap();
    builder
        .run(async |app| {
            let log = refusal_to_start(app).await;
            assert!(log.contains("badge/local/jwt") && log.contains("32 bytes") && !log.contains("thirty"), "{log}");
        })
        .await;
}

/// Like `make run`, which says on the terminal what is wrong, and where.
#[tokio::test]
async fn an_emulator_names_the_file_and_the_line_of_a_setting_that_cannot_work() {
    for (setting, says) in [("trys = 5", "conf/local.toml: line {line} (trys)"), ("tries = 0", "veri_code.tries must")]
    {
        let change = |settings: &str| settings.replacen("tries = 5", setting, 1);
        let app = TestAppBuilder::new().settings(change).start().await;
        let settings = fs::read_to_string(app.repository.file("conf/local.toml")).unwrap();
        let line = 1 + settings.lines().position(|line| line == setting).unwrap();
        let error = app.emulator.check_settings().await.unwrap_err().to_string();
        assert!(error.contains(&says.replace("{line}", &line.to_string())), "{error}");
    }
    TestAppBuilder::new().start().await.emulator.check_settings().await.unwrap();
}
