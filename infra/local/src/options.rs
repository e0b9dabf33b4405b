//! What a stage is started with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// How to bring a stage up. [`Options::new`] gives the values of `make run`, except for the port.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository: `infra/template.yaml`, `.tools/bin` and, by default, everything else is below it.
    pub root: PathBuf,
    /// Where the built function binaries are.
    pub bin_dir: PathBuf,
    /// Name of the stage: parameter `Stage` of the template and a file in `conf/`.
    pub stage: String,
    /// Port of the front on loopback; 0 takes any free one.
    pub port: u16,
    /// `LAMBDA_TASK_ROOT` of the functions, the folder that `conf/` lies in.
    pub task_root: PathBuf,
    /// The folder of the API pages, as `make docs` builds them; it need not be there.
    pub pages: PathBuf,
    /// Folder for one log file per function; no files without it.
    pub logs: Option<PathBuf>,
    /// Folder for what outlives the stage (the generated secrets); they are new at each start without it.
    pub state_dir: Option<PathBuf>,
    /// Whether everything that is stored outlives it too: both stores, the clock, the schedules, events under way and
    /// dead letters. Needs `state_dir`; one stage of that name at a time.
    pub keep: bool,
    /// Sandboxes that one function may have at a time.
    pub sandbox_limit: usize,
    /// An idle sandbox is ended after this time.
    pub idle_limit: Duration,
    /// Before the first retry of a failed asynchronous event, doubled before the second. Lambda waits a minute.
    pub retry_delay: Duration,
    /// How Redis or Valkey runs.
    pub cache: CacheMode,
    /// The binary of a function that waits for a debugger: its first event is held until one is there (on Linux), and
    /// neither its own timeout nor that of its caller is heeded.
    pub debug: Option<String>,
    /// Values for further parameters of the template, over those that the stage supplies.
    pub parameters: BTreeMap<String, String>,
}

/// How the stage's Redis or Valkey runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// As one server.
    #[default]
    Alone,
    /// As a cluster of one node that has all slots: it refuses what two slots would have to answer together, as
    /// `ElastiCache` Serverless does. A node waits 2 s before it takes its slots up, and so does the stage.
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
    /// A stage of the repository at `root`, with binaries from `bin_dir`, on any free port.
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
            state_dir: Some(root.join(".stage")),
            keep: false,
            sandbox_limit: 8,
            idle_limit: Duration::from_mins(5),
            retry_delay: Duration::from_millis(200),
            cache: CacheMode::Alone,
            debug: None,
            parameters: BTreeMap::new(),
        }
    }

    /// The folder of a stage that is kept.
    pub(crate) fn kept_dir(&self) -> Option<PathBuf> {
        self.state_dir.as_ref().filter(|_| self.keep).map(|folder| folder.join(&self.stage))
    }
}
