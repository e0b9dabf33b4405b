//! The way to the cache: TLS, and signing in with IAM, as `ElastiCache` has it.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use support::{TestApp, TestAppBuilder, code, root};

/// What stands before Redis in `ElastiCache`: it speaks TLS, and it takes user names and passwords. Whether a password is
/// good is asked of botocore, by the test.
struct Front {
    address: String,
    /// Its own certificate, in PEM.
    certificate: String,
    signed_in: Arc<Mutex<Vec<(String, String)>>>,
    target: watch::Sender<String>,
    /// While it is cut, there is nobody.
    cut: watch::Sender<bool>,
}

impl Front {
    async fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let signed_in = Arc::<Mutex<Vec<_>>>::default();
        let (target, targets) = watch::channel(String::new());
        let (cut, cuts) = watch::channel(false);
        let seen = Arc::clone(&signed_in);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen, target) = (acceptor.clone(), Arc::clone(&seen), targets.borrow().clone());
                let mut cuts = cuts.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        _ = cuts.wait_for(|is_cut| *is_cut) => {}
                        // Clients that go away or do not like the certificate are their own business.
                        _ = serve(acceptor, stream, &seen, &target) => {}
                    }
                });
            }
        });
        Self { address, certificate: made.cert.pem(), signed_in, target, cut }
    }

    fn signed_in(&self) -> Vec<(String, String)> {
        self.signed_in.lock().clone()
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    seen: &Mutex<Vec<(String, String)>>,
    target: &str,
) -> std::io::Result<()> {
    let mut client = acceptor.accept(stream).await?;
    let mut server = TcpStream::connect(target).await?;
    let mut read = Vec::new();
    let (words, length) = loop {
        if client.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
        if let Some(first) = first_command(&read) {
            break first;
        }
    };
    let mut rest = read.as_slice();
    if let [command, user, password] = words.as_slice()
        && command == "AUTH"
    {
        seen.lock().push((user.clone(), password.clone()));
        client.write_all(b"+OK\r\n").await?;
        rest = &read[length..];
    }
    server.write_all(rest).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The first command and its length, once all of it is there.
///
/// Source: Redis serialization protocol specification, "Arrays", "Bulk strings".
fn first_command(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let mut at = 0;
    let line = |at: &mut usize| {
        let end = *at + bytes[*at..].windows(2).position(|pair| pair == b"\r\n")?;
        let text = std::str::from_utf8(&bytes[*at..end]).unwrap();
        *at = end + 2;
        Some(text)
    };
    let count: usize = line(&mut at)?.strip_prefix('*').unwrap().parse().unwrap();
    let mut words = Vec::new();
    for _ in 0..count {
        let length: usize = line(&mut at)?.strip_prefix('$').unwrap().parse().unwrap();
        words.push(String::from_utf8(bytes.get(at..at + length)?.to_vec()).unwrap());
        at += length + 2;
    }
    (at <= bytes.len()).then_some((words, at))
}

/// Runs a test on an app whose functions reach the cache through a front.
async fn behind_a_front(trusted: bool, kind: &str, test: impl AsyncFnOnce(&TestApp, &Front)) {
    let front = Front::new().await;
    let url = format!("rediss://{}", front.address);
    let mut builder =
        TestAppBuilder::new().parameter("CacheUrl", &url).parameter("CacheUser", "badge").settings(|settings| {
            let settings = settings.replace("kind = \"serverless\"", &format!("kind = \"{kind}\""));
            settings.replace(r#"window = "1m", max = 60"#, r#"window = "1m", max = 10000"#)
        });
    if trusted {
        let file = builder.folder().join("authority.pem");
        fs::write(&file, &front.certificate).unwrap();
        builder = builder.variable("CACHE_CA_FILE", file.to_str().unwrap());
    }
    builder
        .run(async |app| {
            front.target.send_replace(app.emulator.cache_url().strip_prefix("redis://").unwrap().to_owned());
            test(app, &front).await;
        })
        .await;
}

/// The password that botocore makes for the moment of another one.
fn of_botocore(kind: &str, cache: &str, date: &str) -> String {
    let seconds = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).unwrap().in_tz("UTC").unwrap();
    let output = Command::new(root().join(".tools/venv/bin/python"))
        .arg(root().join("infra/local/tests/interop/elasticache.py"))
        .args(["badge", cache, kind, "us-east-1", &seconds.timestamp().as_second().to_string()])
        // The variables of every function.
        .args(["ASIALOCALSTAGE000000", "local", "local"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|error| panic!("{error}: type `make tools`"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn date(password: &str) -> String {
    password.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Date=")).unwrap().to_owned()
}

#[tokio::test]
async fn each_connection_signs_in_with_a_password_made_for_it() {
    for (setting, kind) in [("serverless", "serverlesscache"), ("replication_group", "replicationgroup")] {
        behind_a_front(true, setting, async |app, front| {
            let somebody = app.somebody().await;
            let session = [("authorization", somebody.sid.as_str())];
            assert_eq!(app.send("GET", "/user/index", &session, "").await.code, 0);
            let before = front.signed_in();
            assert!(!before.is_empty());
            // Passwords count in seconds.
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(1100) {
                assert_eq!(app.send("GET", "/user/index", &session, "").await.code, 0);
            }
            let state = app.inspect("state").await;
            let sandboxes = state["functions"].as_array().unwrap().iter().map(|one| one["sandboxes"].as_u64().unwrap());
            let sandboxes = usize::try_from(sandboxes.sum::<u64>()).unwrap();
            assert!(front.signed_in().len() <= sandboxes, "a connection that works is reused");
            front.cut.send_replace(true);
            assert_eq!(app.send("GET", "/user/index", &session, "").await.code, code::REDIS_ERROR);
            front.cut.send_replace(false);
            assert_eq!(app.send("GET", "/user/index", &session, "").await.code, 0, "with the next call");
            let after = front.signed_in();
            let newest = date(&after.last().unwrap().1);
            assert!(before.iter().all(|(_, password)| date(password) < newest), "{newest}");
            for (user, password) in after {
                assert_eq!(user, "badge");
                assert_eq!(password, of_botocore(kind, "badge-local", &date(&password)));
                app.add_secret(&password);
                app.add_secret(password.rsplit_once('=').unwrap().1);
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_cache_with_an_unknown_certificate_is_not_used() {
    behind_a_front(false, "serverless", async |app, front| {
        let reply = app.post("/user/veri_code", &json!({ "phone": app.phone() })).await;
        assert_eq!(reply.code, code::REDIS_ERROR);
        assert_eq!(front.signed_in(), [], "no password for a stranger");
        let lines = app.log(&reply.request_id).await;
        let says_why = |line: &Value| line["error"].as_str().is_some_and(|error| error.contains("certificate"));
        assert!(lines.iter().any(says_why), "{lines:?}");
    })
    .await;
}
