//! What the SMS provider `http` receives.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use support::{TestAppBuilder, eventually};

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

/// A provider behind TLS, whose certificate an authority of its own has issued by way of another one, as public ones do.
/// Sends what it decrypts to `to`. Gives its port, and the authority's certificate in PEM.
async fn behind_tls(to: std::net::SocketAddr) -> (u16, String) {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params, KeyPair::generate().unwrap())
    };
    let (root, root_key) = authority("Root of no cloud");
    let (between, between_key) = authority("Between");
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let root = Issuer::new(root, root_key);
    let between_certificate = between.signed_by(&between_key, &root).unwrap();
    let between = Issuer::new(between, between_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &between).unwrap();
    let chain = vec![leaf.der().clone(), between_certificate.der().clone()];
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut client = acceptor.accept(stream).await?;
                let mut server = TcpStream::connect(to).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (port, root_pem)
}

#[tokio::test]
async fn a_provider_needs_a_chain_to_an_authority_that_is_trusted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, authority) = behind_tls(listener.local_addr().unwrap()).await;
    let url = format!("https://127.0.0.1:{port}/messages");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority).unwrap();
    let trusting = TestAppBuilder::new().variable("AWS_CA_BUNDLE", file.path().to_str().unwrap());
    trusting
        .parameter("SmsUrl", &url)
        .run(async |app| {
            let request = json!({ "phone": app.phone() });
            let (reply, (_, body)) = tokio::join!(app.post("/user/veri_code", &request), take(&listener));
            let message: Value = serde_json::from_str(&body).unwrap();
            app.add_secret(message["params"]["code"].as_str().unwrap());
            assert_eq!(reply.code, 0);
        })
        .await;
    TestAppBuilder::new()
        .parameter("SmsUrl", &url)
        .run(async |app| {
            assert_eq!(app.post("/user/veri_code", &json!({ "phone": app.phone() })).await.code, 0);
            let run = eventually("a refusal of the certificate", async || {
                app.inspect("invocations?function=send_sms").await.as_array().and_then(|runs| runs.first().cloned())
            });
            assert_eq!(run.await["outcome"], "error");
        })
        .await;
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
