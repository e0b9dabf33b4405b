//! A temporary folder that looks like the repository, for one test.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use local::{Emulator, Options};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::app::TestApp;

/// Nothing takes nearly as long, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

const HEAD: &str = "
Parameters:
  Stage: { Type: String }
  CacheUrl: { Type: String }
  SmsUrl: { Type: String }
Globals: { Function: { AutoPublishAlias: live, Timeout: 20, Environment: { Variables: { CACHE_URL: !Ref CacheUrl } } } }
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

/// The folder. It is removed when it is dropped.
#[derive(Debug)]
pub struct Repository(TempDir);

impl Repository {
    /// With a function `probe` behind `POST /{stage}/probe` and `$default`.
    #[must_use]
    pub fn new() -> Self {
        let repository = Self::empty();
        repository.add("probe", &probe(), "Events: { A: { Type: HttpApi }, B: { Type: HttpApi, Properties: { Method: POST, Path: \"/{stage}/probe\" } } }");
        repository
    }

    /// Without functions.
    #[must_use]
    pub fn empty() -> Self {
        let repository = Self::bare();
        for name in ["bin", "conf", "infra"] {
            fs::create_dir(repository.file(name)).unwrap();
        }
        fs::write(repository.file("conf/test.toml"), "").unwrap();
        fs::write(repository.file("infra/template.yaml"), HEAD).unwrap();
        repository.link_tools();
        repository
    }

    /// An empty folder.
    pub(crate) fn bare() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Links the folder where `make tools` puts a server if the machine has none.
    pub(crate) fn link_tools(&self) {
        let tools = root().join(".tools");
        if tools.is_dir() {
            symlink(tools, self.file(".tools")).unwrap();
        }
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Adds a function: its script, and properties in YAML's short form.
    pub fn add(&self, name: &str, script: &str, properties: &str) {
        write_program(&self.file("bin").join(name), script);
        let id: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        self.append(&format!(
            "  {id}:\n    Type: AWS::Serverless::Function\n    Properties: {{ FunctionName: !Sub \"${{Stage}}-{name}\", \
             CodeUri: ../target/{name}/, {properties} }}\n"
        ));
    }

    /// Adds a probe with a schedule; both have the same name.
    pub fn schedule(&self, name: &str, expression: &str, input: &Value) {
        self.add(
            name,
            &probe(),
            &format!(
                "Events: {{ Tick: {{ Type: ScheduleV2, Properties: {{ Name: {name}, ScheduleExpression: \
                 \"{expression}\", ScheduleExpressionTimezone: Etc/UTC, Input: '{input}' }} }} }}"
            ),
        );
    }

    /// Adds resources at the end of the template.
    pub fn append(&self, resources: &str) {
        let path = self.file("infra/template.yaml");
        fs::write(&path, fs::read_to_string(&path).unwrap() + resources).unwrap();
    }

    /// Lines of JSON that a probe has written.
    #[must_use]
    pub fn notes(&self, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.file(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Options of an emulator of stage `test` here, with short pauses and without stored state.
    #[must_use]
    pub fn options(&self) -> Options {
        let mut options = Options::new(self.path(), self.file("bin"), "test");
        options.state_dir = None;
        // Not those that may have been built in the real repository.
        options.pages = self.file("pages");
        options.retry_delay = Duration::from_millis(1);
        options
    }

    /// Starts an emulator.
    pub async fn start(self, change: impl FnOnce(&mut Options)) -> TestApp {
        let mut options = self.options();
        change(&mut options);
        TestApp::new(Emulator::start(options.clone()).await.unwrap(), options, self)
    }
}

impl Default for Repository {
    fn default() -> Self {
        Self::new()
    }
}

/// The real repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../..")
}

/// Asks again until there is an answer.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + TIMEOUT;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "never: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Writes a script that is about to be run. A child does so: a child of another thread could have inherited the file, and nobody runs
/// what somebody may write.
pub fn write_program(file: &Path, script: &str) {
    let mut child = Command::new("sh")
        .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A script that runs `probe.py`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the PATH is where programs are, not a setting")]
pub fn probe() -> String {
    let path = env::var_os("PATH").unwrap();
    // A sandbox has a PATH of its own, on which Python need not be.
    let python = env::split_paths(&path).map(|folder| folder.join("python3")).find(|file| file.is_file()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe.py");
    format!("#!/bin/sh\nexec {} -S {}\n", python.display(), script.display())
}

/// Ids of the processes with that entry in their environment.
#[must_use]
pub fn processes_with(variable: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has = |id: &u32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|entry| entry == variable.as_bytes())
    };
    ids.filter(has).collect()
}
