//! The SMS providers `aliyun` and `tencent`, each against a double that checks the signature by its documentation, and refuses
//! what is not signed with the key of the stage.

use std::collections::BTreeMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use support::{TestApp, TestAppBuilder, applicant, code, eventually};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    Aliyun,
    Tencent,
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
struct Request {
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// A provider on loopback. It ends with the test's runtime.
struct Double {
    url: String,
    /// Whose signatures are good; set once the app has made it.
    key: Arc<Mutex<String>>,
    taken: Arc<Mutex<Vec<Request>>>,
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().to_vec()
}

impl Request {
    /// What is between `name` and the next comma of the header `authorization`.
    fn part(&self, name: &str) -> &str {
        let authorization = &self.headers["authorization"];
        authorization.split_once(name).and_then(|(_, rest)| rest.split(',').next()).unwrap_or_default()
    }

    /// "Request syntax and signature method V3", and "Signature v3": both write a request down in the same way.
    fn canonical(&self) -> String {
        let signed = self.part("SignedHeaders=");
        let lower = |name: &str| {
            let value = self.headers[name].trim();
            if name == "x-tc-action" { value.to_lowercase() } else { value.to_owned() }
        };
        let lines: Vec<_> = signed.split(';').map(|name| format!("{name}:{}", lower(name))).collect();
        format!("POST\n/\n{}\n{}\n\n{signed}\n{}", self.query, lines.join("\n"), hex(&Sha256::digest(&self.body)))
    }

    fn is_signed(&self, api: Api, key: &str) -> bool {
        let request = hex(&Sha256::digest(self.canonical()));
        let expected = match api {
            Api::Aliyun => mac(key.as_bytes(), &format!("ACS3-HMAC-SHA256\n{request}")),
            Api::Tencent => {
                let (_, scope) = self.part("Credential=").split_once('/').unwrap();
                let mut signing = format!("TC3{key}").into_bytes();
                for part in scope.split('/') {
                    signing = mac(&signing, part);
                }
                let timestamp = &self.headers["x-tc-timestamp"];
                mac(&signing, &format!("TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{request}"))
            }
        };
        self.part("Signature=") == hex(&expected)
    }

    fn query(&self) -> BTreeMap<String, String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let decode = |text| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        pairs.map(|(name, value)| (decode(name), decode(value))).collect()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let (first, rest) = head.split_once("\r\n")?;
        let headers: BTreeMap<_, _> = rest
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        if body.len() == length {
            let target = first.split(' ').nth(1)?;
            let query = target.split_once('?').map_or("", |(_, query)| query);
            return Some(Request { query: query.to_owned(), headers, body: body.to_owned() });
        }
    }
}

impl Double {
    /// `result` is the provider's code for what is signed.
    async fn new(api: Api, result: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let double = Self { url, key: Arc::default(), taken: Arc::default() };
        let (key, taken) = (Arc::clone(&double.key), Arc::clone(&double.taken));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read(&mut stream).await else { continue };
                let is_signed = request.is_signed(api, &key.lock());
                let (status, body) = match (api, is_signed) {
                    (Api::Aliyun, false) => (400, json!({ "Code": "SignatureDoesNotMatch", "Message": "m" })),
                    (Api::Aliyun, true) => (200, json!({ "Code": result, "Message": "m", "BizId": "1" })),
                    (Api::Tencent, false) => {
                        let error = json!({ "Code": "AuthFailure.SignatureFailure", "Message": "m" });
                        (200, json!({ "Response": { "Error": error, "RequestId": "r" } }))
                    }
                    (Api::Tencent, true) => {
                        (200, json!({ "Response": { "SendStatusSet": [{ "Code": result, "Message": "m" }] } }))
                    }
                };
                if is_signed {
                    taken.lock().push(request);
                }
                let body = body.to_string();
                let head =
                    format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                drop(stream.write_all((head + &body).as_bytes()).await);
            }
        });
        double
    }

    async fn first(&self) -> Request {
        eventually("a message", async || self.taken.lock().first().cloned()).await
    }
}

/// Runs a test on an app that sends by this double.
async fn with_provider(api: Api, double: &Double, test: impl AsyncFnOnce(&TestApp)) {
    let (name, table) = match api {
        Api::Aliyun => ("aliyun", format!("[sms.aliyun]\nendpoint = \"{}\"\n", double.url)),
        Api::Tencent => ("tencent", format!("[sms.tencent]\nendpoint = \"{}\"\napp_id = \"1400006666\"\n", double.url)),
    };
    let settings = |settings: &str| {
        settings
            .replace("provider = \"http\"", &format!("provider = \"{name}\""))
            .replace("[cache]\n", &format!("{table}\n[cache]\n"))
    };
    TestAppBuilder::new().settings(settings).parameter("SmsUrl", "").run(test).await;
}

/// The lines of `send_sms`, once it has run.
async fn log(app: &TestApp) -> Value {
    let run = eventually("a run of send_sms", async || {
        app.inspect("invocations?function=send_sms").await.as_array().and_then(|runs| runs.first().cloned())
    });
    let run = run.await;
    serde_json::from_str(run["log"][0].as_str().unwrap_or_else(|| panic!("{run}"))).unwrap()
}

#[tokio::test]
async fn aliyun_gets_the_signature_name_the_template_and_its_places() {
    let double = Double::new(Api::Aliyun, "OK").await;
    with_provider(Api::Aliyun, &double, async |app| {
        app.key("sms").clone_into(&mut double.key.lock());
        let phone = app.phone();
        assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
        let request = double.first().await;
        let query = request.query();
        let places: Value = serde_json::from_str(&query["TemplateParam"]).unwrap();
        let code = places["code"].as_str().unwrap();
        app.add_secret(code);
        assert_eq!(places["minutes"], "5");
        assert_eq!((&*query["PhoneNumbers"], &*query["SignName"]), (&*format!("86{phone}"), "badge"));
        assert_eq!((&*query["TemplateCode"], query.len()), ("veri_code_zh", 5));
        let header = |name: &str| request.headers[name].as_str();
        assert_eq!((header("x-acs-action"), header("x-acs-version")), ("SendSms", "2017-05-25"));
        assert_eq!(app.post("/user/register", &applicant(&phone, code)).await.code, 0, "the code that was sent");
        assert_eq!(double.taken.lock().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn tencent_gets_the_application_the_template_and_its_places_in_order() {
    let double = Double::new(Api::Tencent, "Ok").await;
    with_provider(Api::Tencent, &double, async |app| {
        app.key("sms").clone_into(&mut double.key.lock());
        let phone = app.phone();
        assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
        let request = double.first().await;
        let message: Value = serde_json::from_str(&request.body).unwrap();
        let code = message["TemplateParamSet"][0].as_str().unwrap();
        app.add_secret(code);
        assert_eq!(message["TemplateParamSet"], json!([code, "5"]));
        assert_eq!(message["PhoneNumberSet"], json!([format!("+86{phone}")]));
        assert_eq!((&message["SmsSdkAppId"], &message["SignName"]), (&json!("1400006666"), &json!("badge")));
        assert_eq!(message["TemplateId"], "veri_code_zh");
        let header = |name: &str| request.headers[name].as_str();
        assert_eq!((header("x-tc-action"), header("x-tc-version")), ("SendSms", "2021-01-11"));
        assert_eq!(header("x-tc-region"), "ap-guangzhou");
        assert_eq!(app.post("/user/register", &applicant(&phone, code)).await.code, 0, "the code that was sent");
    })
    .await;
}

#[tokio::test]
async fn a_signature_with_another_key_is_refused_and_seen() {
    for (api, result) in [(Api::Aliyun, "SignatureDoesNotMatch"), (Api::Tencent, "AuthFailure.SignatureFailure")] {
        let double = Double::new(api, "OK").await;
        with_provider(api, &double, async |app| {
            "another key".clone_into(&mut double.key.lock());
            assert_eq!(app.post("/user/veri_code", &json!({ "phone": app.phone() })).await.code, 0);
            let line = log(app).await;
            assert_eq!((&line["level"], &line["code"]), (&json!("ERROR"), &json!(code::HTTP_ERROR)));
            let error = line["error"].as_str().unwrap();
            assert!(error.contains(&format!("refuses our key or account ({result})")), "{error}");
            assert!(double.taken.lock().is_empty());
        })
        .await;
    }
}

#[tokio::test]
async fn a_refusal_says_who_has_to_do_something() {
    for (api, result, sentence) in [
        (Api::Aliyun, "isv.BUSINESS_LIMIT_CONTROL", "a limit of the SMS provider was reached"),
        (Api::Aliyun, "isv.SMS_SIGNATURE_ILLEGAL", "has not approved this signature or template"),
        (Api::Tencent, "FailedOperation.PhoneNumberInBlacklist", "does not serve this number"),
    ] {
        let double = Double::new(api, result).await;
        with_provider(api, &double, async |app| {
            app.key("sms").clone_into(&mut double.key.lock());
            assert_eq!(app.post("/user/veri_code", &json!({ "phone": app.phone() })).await.code, 0);
            let line = log(app).await;
            let error = line["error"].as_str().unwrap_or_else(|| panic!("{line}"));
            assert!(error.contains(sentence) && error.contains(result), "{error}");
        })
        .await;
    }
}
