//! The job `cache_watch` against `ministack`, an emulator of AWS that knows nothing of this service: its replies are
//! those of somebody else who has read AWS's documentation.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use support::{TestApp, TestAppBuilder, root, send};

/// Where the emulator says that every cache is. Nobody speaks to it.
const HOST: &str = "cache.example";
const CACHE_URL: &str = "rediss://cache.example:6379";

/// A running emulator, which is killed when it is dropped.
struct Emulator {
    url: String,
    _process: Child,
    _folder: TempDir,
}

impl Emulator {
    /// It gets its port already open, so the first request waits there until the emulator has come up.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(root().join(".tools/venv/bin/python"));
        command.args(["-m", "hypercorn", "ministack.app:app", "--bind", "fd://0", "--workers", "0"]);
        command.env_clear().env("GATEWAY_PORT", port.to_string()).env("TMPDIR", folder.path());
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("REDIS_HOST", HOST);
        command.stdin(OwnedFd::from(listener)).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.kill_on_drop(true).spawn().unwrap_or_else(|error| panic!("{error}: type `make tools`"));
        Self { url: format!("http://127.0.0.1:{port}"), _process: process, _folder: folder }
    }

    /// A call to the account and the region that functions of a stage are in.
    async fn call(&self, form: &str) {
        let signature = "AWS4-HMAC-SHA256 Credential=a/20261122/us-east-1/elasticache/aws4_request, \
                         SignedHeaders=host, Signature=0";
        let headers = [("authorization", signature), ("content-type", "application/x-www-form-urlencoded")];
        let body = format!("Version=2015-02-02&{form}");
        let answer = send("POST", &format!("{}/", self.url), &headers, body).await;
        assert_eq!(answer.status, 200, "{form}: {:?}", answer.body);
    }

    /// Makes a serverless cache of that name.
    async fn create(&self, name: &str) {
        let form =
            format!("Action=CreateServerlessCache&ServerlessCacheName={name}&Engine=valkey&MajorEngineVersion=8");
        self.call(&form).await;
    }

    /// An app whose functions call the emulator of AWS, and find their cache at `url`.
    fn builder(&self, url: &str) -> TestAppBuilder {
        TestAppBuilder::new().variable("AWS_ENDPOINT_URL_ELASTICACHE", &self.url).parameter("CacheUrl", url)
    }
}

/// The log line of a run that went well at the first attempt.
async fn look(app: &TestApp, time: &str) -> Value {
    let fired = app.control("POST", "schedules/cache_watch", json!({ "time": time })).await;
    assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("ok"), &json!(1)), "{fired}");
    serde_json::from_str(fired["log"][0].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_serverless_cache_of_the_emulator_is_missing_until_it_is_made() {
    let emulator = Emulator::start();
    emulator.create("badge-other").await;
    emulator
        .builder(CACHE_URL)
        .run(async |app| {
            let before = look(app, "2026-11-22T00:00:00Z").await;
            assert_eq!(before["findings"], json!(["there is no cache badge-local"]));
            assert_eq!(before["cache_available"], 0);

            emulator.create("badge-local").await;

            let after = look(app, "2026-11-22T01:00:00Z").await;
            assert_eq!((&after["findings"], &after["cache_available"]), (&Value::Null, &json!(1)), "{after}");
            let expected = json!({
                "cache": "badge-local", "status": "available", "engine": "valkey", "version": "8.1",
                "endpoint": "cache.example:6379", "snapshot_age_secs": null
            });
            assert_eq!(after["report"], expected);
        })
        .await;
}

#[tokio::test]
async fn functions_that_use_another_address_than_the_emulators_cache_are_a_finding() {
    let emulator = Emulator::start();
    emulator.create("badge-local").await;
    emulator
        .builder("rediss://moved.example:6379")
        .run(async |app| {
            let line = look(app, "2026-11-22T00:00:00Z").await;
            let drift = "functions use moved.example:6379, and the cache is at cache.example:6379";
            assert_eq!((&line["findings"], &line["cache_available"]), (&json!([drift]), &json!(1)));
        })
        .await;
}

#[tokio::test]
async fn a_replication_group_of_the_emulator_is_reported_by_its_members() {
    let emulator = Emulator::start();
    let group = "ReplicationGroupId=badge-local&ReplicationGroupDescription=cache&Engine=valkey&EngineVersion=8.0";
    emulator.call(&format!("Action=CreateReplicationGroup&{group}&NumCacheClusters=2")).await;
    emulator
        .builder(CACHE_URL)
        .settings(|settings| settings.replace("kind = \"serverless\"", "kind = \"replication_group\""))
        .run(async |app| {
            let line = look(app, "2026-11-22T00:00:00Z").await;
            assert_eq!((&line["findings"], &line["cache_available"]), (&Value::Null, &json!(1)), "{line}");
            let expected = json!({
                "cache": "badge-local", "status": "available", "engine": "valkey", "version": "8.0",
                "endpoint": "cache.example:6379", "snapshot_age_secs": null
            });
            assert_eq!(line["report"], expected);
        })
        .await;
}
