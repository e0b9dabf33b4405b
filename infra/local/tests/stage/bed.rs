//! A test's own repository: template, settings and functions in a temporary folder, and a stage over it.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use stage::{Options, Stage};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::client::{self, Answer};

/// Nothing that is waited for takes nearly as long, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const HEAD: &str = "
Parameters:
  Stage: { Type: String }
  CacheUrl: { Type: String }
  SmsUrl: { Type: String }
Globals: { Function: { Timeout: 20, Environment: { Variables: { CACHE_URL: !Ref CacheUrl } } } }
Resources:
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub ${Stage}-things
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
  Key:
    Type: AWS::SecretsManager::Secret
    Properties: { Name: !Sub \"${Stage}/key\", GenerateSecretString: { PasswordLength: 40, ExcludePunctuation: true } }
";

/// A folder that looks like the repository.
#[derive(Debug)]
pub(crate) struct Repository(TempDir);

impl Repository {
    /// With a function `probe` behind `POST /{stage}/probe` and `$default`.
    pub(crate) fn new() -> Self {
        let repository = Self::empty();
        repository.add("probe", &probe(), "Events: { A: { Type: HttpApi }, B: { Type: HttpApi, Properties: { Method: POST, Path: \"/{stage}/probe\" } } }");
        repository
    }

    /// Without functions.
    pub(crate) fn empty() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["bin", "conf", "infra"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("conf/test.toml"), "").unwrap();
        fs::write(folder.path().join("infra/template.yaml"), HEAD).unwrap();
        // Where `make tools` puts a server if the machine has none.
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
        if tools.is_dir() {
            symlink(tools, folder.path().join(".tools")).unwrap();
        }
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Adds a function: its script, and properties in YAML's short form.
    pub(crate) fn add(&self, name: &str, script: &str, properties: &str) {
        let file = self.file("bin").join(name);
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let id: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        self.append(&format!(
            "  {id}:\n    Type: AWS::Serverless::Function\n    Properties: {{ FunctionName: !Sub \"${{Stage}}-{name}\", \
             CodeUri: ../target/{name}/, {properties} }}\n"
        ));
    }

    /// Adds resources at the end of the template.
    pub(crate) fn append(&self, resources: &str) {
        let path = self.file("infra/template.yaml");
        fs::write(&path, fs::read_to_string(&path).unwrap() + resources).unwrap();
    }

    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new(self.path(), self.file("bin"), "test");
        options.state_dir = None;
        // Not those that somebody may have built in the repository.
        options.pages = self.file("pages");
        options.retry_delay = Duration::from_millis(1);
        options
    }

    pub(crate) async fn start(self, change: impl FnOnce(&mut Options)) -> Bed {
        let mut options = self.options();
        change(&mut options);
        Bed { stage: Stage::start(options).await.unwrap(), repository: self }
    }
}

/// A stage over a repository.
#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) stage: Stage,
    pub(crate) repository: Repository,
}

impl Bed {
    /// A stage with the function `probe`.
    pub(crate) async fn new() -> Self {
        Repository::new().start(|_| {}).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stage.url())
    }

    /// Lets the probe do something.
    pub(crate) async fn probe(&self, command: &Value) -> Answer {
        client::post(&self.url("/test/probe"), command).await
    }

    /// What the probe sees when it does nothing special.
    pub(crate) async fn echo(&self) -> Value {
        self.probe(&json!({})).await.json()
    }

    /// Asks a door for something; the answer must be 200.
    pub(crate) async fn door(&self, method: &str, name: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = client::send(method, &self.url(&format!("/_stage/{name}")), &[], body).await;
        assert_eq!(answer.status, 200, "{method} {name}: {}", answer.text());
        answer.json()
    }

    /// The last invocations, newest first.
    pub(crate) async fn invocations(&self) -> Vec<Value> {
        let answer = client::get(&self.url("/_stage/invocations")).await;
        answer.json().as_array().unwrap().clone()
    }

    /// The state of the function with that binary.
    pub(crate) async fn function(&self, binary: &str) -> Value {
        let state = client::get(&self.url("/_stage/state")).await.json();
        let functions = state["functions"].as_array().unwrap();
        functions.iter().find(|function| function["binary"] == binary).unwrap().clone()
    }
}

/// Asks again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "never: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// A script that becomes the probe.
#[expect(clippy::disallowed_methods, reason = "the PATH is where programs are, not a setting")]
pub(crate) fn probe() -> String {
    let path = env::var_os("PATH").unwrap();
    // A sandbox has a PATH of its own, on which Python need not be.
    let python = env::split_paths(&path).map(|folder| folder.join("python3")).find(|file| file.is_file()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stage/probe.py");
    format!("#!/bin/sh\nexec {} -S {}\n", python.display(), script.display())
}

/// Processes that were started with that text in their environment, by id.
pub(crate) fn processes_with(variable: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has = |id: &u32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|entry| entry == variable.as_bytes())
    };
    ids.filter(has).collect()
}
