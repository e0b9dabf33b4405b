//! Options of the emulator.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::error::EmulatorError;

/// How to start the emulator. [`Options::new`] has the values of `make run`, except for the port.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository: holds `infra/template.yaml`, `.tools/bin` and, by default, everything else.
    pub root: PathBuf,
    /// Where the built function binaries are.
    pub bin_dir: PathBuf,
    /// Name of the stage: the template's parameter `Stage`, and a file in `conf/`.
    pub stage: String,
    /// Port of the API on loopback; 0 is any free one.
    pub port: u16,
    /// `LAMBDA_TASK_ROOT` of the functions: the folder with `conf/`.
    pub task_root: PathBuf,
    /// Folder of the API pages that `make docs` builds; it may be missing.
    pub pages: PathBuf,
    /// Folder for one log file per function; no files without it. A further emulator of the same folder writes into a
    /// folder below it, named after its port.
    pub logs: Option<PathBuf>,
    /// Folder for state that outlives the emulator. Without it, secrets are generated at each start.
    pub state_dir: Option<PathBuf>,
    /// Whether both stores, the clock, the schedules, pending events and dead letters outlive the emulator too. Needs
    /// `state_dir`; one emulator per stage at a time.
    pub keep: bool,
    /// Sandboxes that one function may have at a time.
    pub sandbox_limit: usize,
    /// An idle sandbox ends after this time.
    pub idle_limit: Duration,
    /// Pause before the first retry of a failed asynchronous event, doubled before the second. Lambda waits a minute.
    pub retry_delay: Duration,
    /// How Redis or Valkey runs.
    pub cache: CacheMode,
    /// Whether functions are given the changes of tables. Without it no table has a stream.
    pub streams: bool,
    /// The binary of a function that waits for a debugger: its first event is held until one has attached (on Linux),
    /// and neither its timeout nor its caller's applies.
    pub debug: Option<String>,
    /// Further parameters of the template; they override those that the emulator supplies.
    pub parameters: BTreeMap<String, String>,
}

/// How Redis or Valkey runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// As one server.
    #[default]
    Alone,
    /// As a cluster of one node with all slots: it refuses commands on keys of two slots, as `ElastiCache` Serverless
    /// does. The node needs 2 s to take its slots, so the start takes that long.
    Cluster,
}

impl FromStr for CacheMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "alone" => Ok(Self::Alone),
            "cluster" => Ok(Self::Cluster),
            _ => Err("the cache runs alone or as a cluster"),
        }
    }
}

impl Options {
    /// An emulator of the repository at `root`, with binaries from `bin_dir`, on any free port.
    pub fn new(root: impl AsRef<Path>, bin_dir: impl AsRef<Path>, stage: impl Into<String>) -> Self {
        let root = root.as_ref();
        Self {
            root: root.to_owned(),
            bin_dir: bin_dir.as_ref().to_owned(),
            stage: stage.into(),
            port: 0,
            task_root: root.to_owned(),
            pages: root.join(".tools/docs"),
            logs: Some(root.join("logs")),
            state_dir: Some(root.join(".local")),
            keep: false,
            sandbox_limit: 8,
            idle_limit: Duration::from_mins(5),
            retry_delay: Duration::from_millis(200),
            cache: CacheMode::Alone,
            streams: true,
            debug: None,
            parameters: BTreeMap::new(),
        }
    }

    /// Reads the settings of the stage.
    pub(crate) fn settings(&self) -> Result<toml::Table, EmulatorError> {
        let file = format!("conf/{}.toml", self.stage);
        let path = self.task_root.join(&file);
        let text = fs::read_to_string(&path).map_err(EmulatorError::file(path))?;
        text.parse().map_err(|error| EmulatorError::Settings { file, error })
    }

    /// The folder of everything that outlives the emulator with `keep`.
    pub(crate) fn persistent_dir(&self) -> Option<PathBuf> {
        self.state_dir.as_ref().filter(|_| self.keep).map(|folder| folder.join(&self.stage))
    }
}
