//! Builds the app of a test: the real service, with other settings, template or options where a test needs them.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::sync::Once;
use std::time::Duration;

use local::{Emulator, Options};
use tokio::time::sleep;

use crate::app::TestApp;
use crate::repository::{Repository, root};

/// A number with the fixed code [`TEST_CODE`], see [`with_test_numbers`].
pub const TEST_NUMBER: &str = "13911110000";
/// One whose date has passed.
pub const EXPIRED_TEST_NUMBER: &str = "13911110001";
/// The fixed code of both.
pub const TEST_CODE: &str = "042424";

/// Runs a test on an app of its own, and then searches the logs for secrets.
pub async fn with_app(test: impl AsyncFnOnce(&TestApp)) {
    TestAppBuilder::new().run(test).await;
}

/// The same, with changed settings.
pub async fn with_settings(change: impl FnOnce(&str) -> String, test: impl AsyncFnOnce(&TestApp)) {
    TestAppBuilder::new().settings(change).run(test).await;
}

/// A test that begins so shortly before the stage's midnight begins behind it: a short one sees one day alone. Those that move the
/// clock by much begin with [`TestApp::advance_to_midnight`].
const SHORT_TEST: Duration = Duration::from_secs(30);

/// An app before its start, in a folder of its own.
#[derive(Debug)]
pub struct TestAppBuilder {
    repository: Repository,
    options: Options,
}

impl TestAppBuilder {
    /// With the functions, the template and `conf/local.toml` of the repository. Builds the functions.
    #[must_use]
    pub fn new() -> Self {
        let bin_dir = env_option("TEST_BIN_DIR").unwrap_or_else(|| {
            build_functions_once();
            bin_dir()
        });
        let repository = Repository::bare();
        fs::create_dir(repository.file("conf")).unwrap();
        fs::copy(root().join("conf/local.toml"), repository.file("conf/local.toml")).unwrap();
        let mut options = Options::new(root(), bin_dir, "local");
        repository.path().clone_into(&mut options.task_root);
        options.state_dir = Some(repository.file("state"));
        options.logs = Some(repository.file("logs"));
        if let Some(mode) = env_option("TEST_CACHE") {
            options.cache = mode;
        }
        Self { repository, options }
    }

    /// The folder with `conf/` and the stored state.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.repository.path()
    }

    /// Changes the settings.
    #[must_use]
    pub fn settings(self, change: impl FnOnce(&str) -> String) -> Self {
        let file = self.repository.file("conf/local.toml");
        fs::write(&file, change(&fs::read_to_string(&file).unwrap())).unwrap();
        self
    }

    /// Changes the template.
    #[must_use]
    pub fn template(mut self, change: impl FnOnce(&str) -> String) -> Self {
        let file = self.repository.file("infra/template.yaml");
        if !file.exists() {
            fs::create_dir(self.repository.file("infra")).unwrap();
            fs::copy(root().join("infra/template.yaml"), &file).unwrap();
            self.repository.link_tools();
            self.repository.path().clone_into(&mut self.options.root);
        }
        fs::write(&file, change(&fs::read_to_string(&file).unwrap())).unwrap();
        self
    }

    /// Adds a variable to the environment of every function.
    #[must_use]
    pub fn variable(self, name: &str, value: &str) -> Self {
        let variables = format!("Variables:\n        {name}: {value}\n");
        self.template(|template| template.replacen("Variables:\n", &variables, 1))
    }

    /// Sets a parameter of the template.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.options.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Changes options of the emulator.
    #[must_use]
    pub fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// Starts the app.
    pub async fn start(self) -> TestApp {
        let emulator = Emulator::start(self.options.clone()).await.unwrap();
        let app = TestApp::new(emulator, self.options, self.repository);
        let left = app.rest_of_day().await;
        if left < SHORT_TEST {
            sleep(left).await;
        }
        app
    }

    /// Runs a test, and then searches the logs for secrets.
    pub async fn run(self, test: impl AsyncFnOnce(&TestApp)) {
        let app = self.start().await;
        test(&app).await;
        app.finish().await;
    }
}

impl Default for TestAppBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// A variable of the environment in which the tests run.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the variable is for the test, not for the service")]
pub fn env_option<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// The settings with [`TEST_NUMBER`] and [`EXPIRED_TEST_NUMBER`].
#[must_use]
pub fn with_test_numbers(settings: &str) -> String {
    let number = |phone, expires| {
        format!("\n[[veri_code.test_numbers]]\nphone = \"{phone}\"\ncode = \"{TEST_CODE}\"\nexpires = \"{expires}\"\n")
    };
    settings.to_owned() + &number(TEST_NUMBER, "2999-12-31") + &number(EXPIRED_TEST_NUMBER, "2020-01-01")
}

/// The settings without the limits by address and by range of numbers, for a test with many people.
#[must_use]
pub fn for_crowds(settings: &str) -> String {
    let rows = ["sends_per_ip", "sends_per_prefix", "sends_per_block", "sends_per_area"];
    settings.lines().filter(|line| !rows.iter().any(|row| line.contains(row))).collect::<Vec<_>>().join("\n")
}

/// The folder of the test's binary, whatever its profile.
fn bin_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// `cargo test` does not rebuild the binaries of other packages, so a test could run a stale function.
fn build_functions_once() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let profile = if bin_dir().ends_with("release") { "release" } else { "dev" };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--workspace", "--bins", "--profile", profile]).current_dir(root());
        cargo.env("CARGO_TARGET_DIR", bin_dir().parent().unwrap());
        // Cargo describes this test in variables; a build script that reads them (ring's) would rebuild everything.
        for name in
            ["MANIFEST_DIR", "MANIFEST_LINKS", "PKG_NAME", "PKG_VERSION", "PKG_VERSION_MAJOR", "PKG_VERSION_MINOR"]
        {
            cargo.env_remove(format!("CARGO_{name}"));
        }
        cargo.env_remove("CARGO_PKG_VERSION_PATCH").env_remove("CARGO_PKG_VERSION_PRE");
        assert!(cargo.status().unwrap().success(), "the functions do not build");
    });
}
