//! What Amazon SNS receives when it is the SMS provider, and what its refusals lead to.

use serde_json::{Value, json};

use support::{Form, QueryReply, QueryService, TestApp, TestAppBuilder, applicant, code, eventually, query_error};

/// The form of the Amazon SNS API Reference (2010-03-31), `Publish`.
fn taken() -> QueryReply {
    let id = "<MessageId>567910cd-659e-55d4-8ccb-5aaf14679dc0</MessageId>";
    let meta = "<ResponseMetadata><RequestId>d74b8436-ae13-5ab4-a9ff-ce54dfea72a0</RequestId></ResponseMetadata>";
    let body = format!("<PublishResult>{id}</PublishResult>{meta}");
    (200, format!("<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">{body}</PublishResponse>"))
}

/// Runs a test on an app that sends by this SNS, and has no `SMS_URL`.
async fn with_sns(service: &QueryService, signature: &str, test: impl AsyncFnOnce(&TestApp)) {
    let by_sns = |settings: &str| {
        settings
            .replace("provider = \"http\"", "provider = \"sns\"")
            .replace("signature = \"badge\"", &format!("signature = \"{signature}\""))
    };
    let builder = TestAppBuilder::new().variable("AWS_ENDPOINT_URL_SNS", &service.url).settings(by_sns);
    builder.parameter("SmsUrl", "").run(test).await;
}

async fn ask_for_code(app: &TestApp) -> String {
    let phone = app.phone();
    assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
    phone
}

/// What `send_sms` did, newest first, as soon as it did so much.
async fn runs(app: &TestApp, count: usize) -> Vec<Value> {
    loop {
        let runs = app.inspect("invocations?function=send_sms").await.as_array().unwrap().clone();
        if runs.len() >= count {
            return runs;
        }
        tokio::task::yield_now().await;
    }
}

/// The message's attributes by name; the protocol numbers them in any order.
fn attributes(form: &Form) -> Vec<(&str, &str, &str)> {
    let field = |entry: usize, name: &str| form.get(&format!("MessageAttributes.entry.{entry}.{name}"));
    let entry =
        |entry| Some((field(entry, "Name")?, field(entry, "Value.DataType")?, field(entry, "Value.StringValue")?));
    let mut found: Vec<_> = (1..).map_while(entry).map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    found.sort_unstable();
    found
}

#[tokio::test]
async fn a_code_goes_to_the_phone_by_one_signed_publish() {
    let service = QueryService::new(|_, _| taken()).await;
    with_sns(&service, "badge", async |app| {
        let phone = ask_for_code(app).await;
        let asked = service.received_at_least(1).await.remove(0);
        let text = &asked.form["Message"];
        let code: String = text.chars().filter(char::is_ascii_digit).take(6).collect();
        app.add_secret(&code);
        assert_eq!(*text, format!("【badge】验证码{code}，5分钟内有效，请勿告诉他人。"));
        assert_eq!(
            (&*asked.form["Action"], &*asked.form["Version"], &*asked.form["PhoneNumber"]),
            ("Publish", "2010-03-31", &*format!("+86{phone}"))
        );
        let expected =
            [("AWS.SNS.SMS.SMSType", "String", "Transactional"), ("AWS.SNS.SMS.SenderID", "String", "badge")];
        assert_eq!(attributes(&asked.form), expected);
        assert_eq!(asked.form.len(), 4 + 3 * expected.len(), "nothing else: {:?}", asked.form.keys());
        let authorization = &asked.authorization;
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 "), "{authorization}");
        assert!(authorization.contains("/us-east-1/sns/aws4_request"), "{authorization}");
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0, "the code that was sent");
    })
    .await;
}

#[tokio::test]
async fn a_signature_that_is_no_name_of_a_sender_stands_in_the_text_alone() {
    let service = QueryService::new(|_, _| taken()).await;
    with_sns(&service, "徽章", async |app| {
        ask_for_code(app).await;
        let asked = service.received_at_least(1).await.remove(0);
        assert!(asked.form["Message"].starts_with("【徽章】"));
        assert_eq!(attributes(&asked.form), [("AWS.SNS.SMS.SMSType", "String", "Transactional")]);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_seen_with_its_reason_and_ends_in_the_dead_letters() {
    let message = "Phone number +8613800138000 is opted out";
    let service = QueryService::new(move |_, _| query_error(400, "OptedOut", message)).await;
    with_sns(&service, "badge", async |app| {
        ask_for_code(app).await;
        let runs = runs(app, 3).await;
        for run in &runs {
            let line: Value = serde_json::from_str(run["log"][0].as_str().unwrap()).unwrap();
            assert_eq!((&line["level"], &line["code"]), (&json!("ERROR"), &json!(code::HTTP_ERROR)));
            let error = line["error"].as_str().unwrap();
            assert!(error.contains("OptedOut: Phone number … is opted out"), "{error}");
        }
        let entry = eventually("a dead letter", async || app.dead_letters().await.first().cloned()).await;
        assert!(entry["reason"].to_string().contains("OptedOut"), "{entry}");
        assert_eq!((runs.len(), service.received().len()), (3, 3), "one try for each delivery");
    })
    .await;
}

#[tokio::test]
async fn what_sns_throttled_is_sent_by_the_next_delivery() {
    let throttled = |_: &Form, before| match before {
        0 => query_error(429, "Throttled", "Rate exceeded"),
        _ => taken(),
    };
    let service = QueryService::new(throttled).await;
    with_sns(&service, "badge", async |app| {
        ask_for_code(app).await;
        let runs = runs(app, 2).await;
        assert_eq!((&runs[0]["outcome"], &runs[1]["outcome"]), (&json!("ok"), &json!("error")), "newest first");
        let asked = service.received();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].form["Message"], asked[1].form["Message"]);
        assert_eq!(app.inspect("dead_letters").await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_task_that_is_delivered_twice_is_published_once() {
    let service = QueryService::new(|_, _| taken()).await;
    with_sns(&service, "badge", async |app| {
        app.control("PUT", "faults", r#"{"invoke": {"mode": "duplicate", "rate": 1}}"#).await;
        ask_for_code(app).await;
        let runs = runs(app, 2).await;
        assert!(runs.iter().all(|run| run["outcome"] == "ok"), "{runs:?}");
        assert_eq!(service.received().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_provider_http_does_not_start_without_its_address() {
    TestAppBuilder::new()
        .parameter("SmsUrl", "")
        .run(async |app| {
            ask_for_code(app).await;
            let run = runs(app, 1).await.remove(0);
            assert_eq!(run["outcome"], "init_error");
            assert!(run["log"].to_string().contains("SMS_URL"), "{run}");
        })
        .await;
}
