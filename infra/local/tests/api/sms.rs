//! What the SMS provider `http` receives.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use support::TestAppBuilder;

/// Takes one request, answers 200, and gives the head and the body.
async fn take(listener: &TcpListener) -> (String, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut text = Vec::new();
    loop {
        stream.read_buf(&mut text).await.unwrap();
        let read = String::from_utf8(text.clone()).unwrap();
        let Some((head, body)) = read.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            return (read.split_once("\r\n\r\n").unwrap().0.to_owned(), body.to_owned());
        }
    }
}

#[tokio::test]
async fn a_message_is_signed_as_standard_webhooks_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/messages", listener.local_addr().unwrap());
    TestAppBuilder::new()
        .parameter("SmsUrl", &url)
        .run(async |app| {
            let phone = app.phone();
            let request = json!({ "phone": phone });
            let (reply, (head, body)) = tokio::join!(app.post("/user/veri_code", &request), take(&listener));
            assert_eq!(reply.code, 0);
            let header = |name: &str| {
                let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}: ")));
                line.unwrap_or_else(|| panic!("no {name}: {head}")).split_once(": ").unwrap().1.to_owned()
            };
            let message: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(message["phone"], format!("+86{phone}"));
            assert_eq!((&message["template"], &message["params"]["minutes"]), (&json!("veri_code_zh"), &json!("5")));
            let code = message["params"]["code"].as_str().unwrap();
            app.add_secret(code);
            assert!(message["text"].as_str().unwrap().contains(code));
            let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
            assert_eq!(message["id"], id);
            let mac = Hmac::<Sha256>::new_from_slice(app.key("sms").as_bytes())
                .unwrap()
                .chain_update(format!("{id}.{timestamp}.{body}"))
                .finalize();
            assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac.into_bytes())));
        })
        .await;
}
