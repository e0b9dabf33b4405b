//! How the stage of a test comes to be.

use std::fmt::Debug;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::sync::Once;

use stage::Options;
use tempfile::TempDir;

use super::Bed;

/// Runs a test on a stage of its own, and then looks for secrets in what the stage has logged.
pub(crate) async fn on_a_stage(test: impl AsyncFnOnce(&Bed)) {
    Opening::new().run(test).await;
}

/// The same, with other settings than those of `conf/local.toml`.
pub(crate) async fn on_a_stage_with(change: impl FnOnce(&str) -> String, test: impl AsyncFnOnce(&Bed)) {
    Opening::new().settings(change).run(test).await;
}

/// A stage that is about to be opened, in a folder of its own.
pub(crate) struct Opening {
    folder: TempDir,
    options: Options,
}

impl Opening {
    /// That of `conf/local.toml` and of the repository's template, once the functions are built.
    pub(crate) fn new() -> Self {
        let bin_dir = built_elsewhere().unwrap_or_else(|| {
            build_functions_once();
            bin_dir()
        });
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("conf")).unwrap();
        fs::copy(root().join("conf/local.toml"), folder.path().join("conf/local.toml")).unwrap();
        let mut options = Options::new(root(), bin_dir, "local");
        folder.path().clone_into(&mut options.task_root);
        options.state_dir = Some(folder.path().join("state"));
        options.logs = Some(folder.path().join("logs"));
        if let Some(mode) = wish("STAGE_CACHE") {
            options.cache = mode;
        }
        Self { folder, options }
    }

    /// The folder that holds `conf/` and the stage's state.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Other settings.
    pub(crate) fn settings(self, change: impl FnOnce(&str) -> String) -> Self {
        let file = self.folder().join("conf/local.toml");
        fs::write(&file, change(&fs::read_to_string(&file).unwrap())).unwrap();
        self
    }

    /// Another template.
    pub(crate) fn template(mut self, change: impl FnOnce(&str) -> String) -> Self {
        let file = self.folder().join("infra/template.yaml");
        if !file.exists() {
            fs::create_dir(self.folder().join("infra")).unwrap();
            fs::copy(root().join("infra/template.yaml"), &file).unwrap();
            if root().join(".tools").is_dir() {
                symlink(root().join(".tools"), self.folder().join(".tools")).unwrap();
            }
            self.folder.path().clone_into(&mut self.options.root);
        }
        fs::write(&file, change(&fs::read_to_string(&file).unwrap())).unwrap();
        self
    }

    /// One more variable for every function.
    pub(crate) fn variable(self, name: &str, value: &str) -> Self {
        let variables = format!("Variables:\n        {name}: {value}\n");
        self.template(|template| template.replacen("Variables:\n", &variables, 1))
    }

    /// The value of a parameter of the template.
    pub(crate) fn parameter(mut self, name: &str, value: &str) -> Self {
        self.options.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Other options of the stage.
    pub(crate) fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    pub(crate) async fn open(self) -> Bed {
        Bed::of(self.folder, self.options).await
    }

    /// Runs a test, and then looks for secrets in what the stage has logged.
    pub(crate) async fn run(self, test: impl AsyncFnOnce(&Bed)) {
        let bed = self.open().await;
        test(&bed).await;
        bed.finish().await;
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What whoever runs the tests asks for by a variable.
#[expect(clippy::disallowed_methods, reason = "the variable is for the test, not for the service")]
pub(crate) fn wish<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Where the functions are that somebody else has built, for instance for another processor.
fn built_elsewhere() -> Option<PathBuf> {
    wish("STAGE_BIN_DIR")
}

/// Beside the test's own binary, in whatever profile it was built.
fn bin_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// `cargo test` does not rebuild the binaries of other packages; a stale function must not be what was tested.
fn build_functions_once() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let profile = if bin_dir().ends_with("release") { "release" } else { "dev" };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--workspace", "--bins", "--profile", profile]).current_dir(root());
        cargo.env("CARGO_TARGET_DIR", bin_dir().parent().unwrap());
        // Cargo describes this test to it; a build script that looks at that (ring's) would think all has changed.
        for name in
            ["MANIFEST_DIR", "MANIFEST_LINKS", "PKG_NAME", "PKG_VERSION", "PKG_VERSION_MAJOR", "PKG_VERSION_MINOR"]
        {
            cargo.env_remove(format!("CARGO_{name}"));
        }
        cargo.env_remove("CARGO_PKG_VERSION_PATCH").env_remove("CARGO_PKG_VERSION_PRE");
        assert!(cargo.status().unwrap().success(), "the functions do not build");
    });
}
