//! The stage's cache: a real Valkey or Redis, a child process. It keeps nothing on disk, unless the stage is kept.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::error::StageError;
use crate::log::{self, LogPipe};
use crate::options::{CacheMode, Options};
use crate::server;
use crate::tasks::Tasks;

/// Preferred first.
const PROGRAMS: [&str; 2] = ["valkey-server", "redis-server"];

/// How often another port is tried when somebody else took the chosen one first.
const ATTEMPTS: usize = 5;

/// A server answers within a few milliseconds; a machine under load gets more.
const START_LIMIT: Duration = Duration::from_secs(10);

/// One command is local and small.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// Slots of a cluster, and how far its bus is from its port. Source: "Redis cluster specification".
const SLOTS: usize = 16_384;
const CLUSTER_BUS: u16 = 10_000;

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Cache {
    process: Child,
    address: Address,
}

/// Where a server answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) port: u16,
}

impl Cache {
    /// Finds a program, starts it in the process group and waits until it answers.
    ///
    /// With a folder `state` it is what it was when it ended, however it ended.
    pub(crate) async fn start(
        options: &Options,
        state: Option<&Path>,
        group: i32,
        tasks: &Tasks,
    ) -> Result<Self, StageError> {
        let program = find(&options.root).ok_or(StageError::NoCache)?;
        let folder = state.map(|state| state.join("cache"));
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).map_err(StageError::file(folder))?;
        }
        let failed = |reason: String| StageError::CacheFailed { program: program.clone(), reason };
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(&program, options, folder.as_deref(), group, tasks).await {
                Ok(Ok(cache)) => return Ok(cache),
                Ok(Err(ended)) => reason = ended,
                Err(error) => return Err(failed(error.to_string())),
            }
        }
        Err(failed(reason))
    }

    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// Ends the process and waits until it is gone.
    pub(crate) async fn stop(&mut self) {
        // An error means that it has already ended.
        let _ = self.process.kill().await;
    }

    /// One start on a port that was free a moment ago; the inner error is the last line of a server that ended.
    async fn try_start(
        program: &Path,
        options: &Options,
        folder: Option<&Path>,
        group: i32,
        tasks: &Tasks,
    ) -> io::Result<Result<Self, String>> {
        let is_cluster = options.cache == CacheMode::Cluster;
        let address = Address { port: free_port(is_cluster).await? };
        let file = options.logs.as_deref().map(|folder| log::open_file(folder, "cache")).transpose()?;
        let (output, writer) = LogPipe::new(file)?;
        let nodes = env::temp_dir().join(format!("badge-nodes-{}.conf", address.port));
        let cluster: [&OsStr; 4] =
            ["--cluster-enabled".as_ref(), "yes".as_ref(), "--cluster-config-file".as_ref(), nodes.as_ref()];
        // What a stage left that was killed while it started. Mostly there is nothing.
        let _ = fs::remove_file(&nodes);
        let mut process = Command::new(program)
            .args(["--port", &address.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--daemonize", "no", "--loglevel", "warning"])
            .args(cluster.iter().filter(|_| is_cluster))
            // Without waiting for the disk: a write survives the server, but not the machine.
            .args(["--appendonly", if folder.is_some() { "yes" } else { "no" }, "--appendfsync", "no"])
            // Else where nothing of ours lies: even a `BGSAVE` by hand leaves no file in the project.
            .current_dir(folder.map_or_else(env::temp_dir, Path::to_owned))
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(group)
            .kill_on_drop(true)
            .spawn()?;
        let deadline = Instant::now() + START_LIMIT;
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = process.try_wait()? {
                output.finish();
                let last = output.lines().lock().pop();
                return Ok(Err(last.unwrap_or_else(|| status.to_string())));
            }
            if address.is_up(process.id()).await {
                if is_cluster {
                    address.take_slots(deadline).await?;
                    // A node without others never writes its file again.
                    fs::remove_file(nodes)?;
                }
                tasks.spawn(async move { match output.follow().await {} });
                return Ok(Ok(Self { process, address }));
            }
            if Instant::now() > deadline {
                return Ok(Err(format!("no answer within {} s", START_LIMIT.as_secs())));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(5));
        }
    }
}

impl Address {
    pub(crate) fn url(self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What the server is, `valkey` or `redis`, and its version.
    pub(crate) async fn engine(self) -> io::Result<(String, String)> {
        let info = self.ask("INFO server").await?;
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        // Valkey tells a `redis_version` too, for clients that look for nothing else.
        let (engine, version) = match field("valkey_version") {
            Some(version) => ("valkey", version),
            None => ("redis", field("redis_version").ok_or_else(|| io::Error::other("a server without a version"))?),
        };
        Ok((engine.to_owned(), version.to_owned()))
    }

    /// Removes every key.
    pub(crate) async fn flush(self) -> io::Result<()> {
        let reply = self.ask("FLUSHALL SYNC").await?;
        if reply == "+OK" { Ok(()) } else { Err(io::Error::other(reply)) }
    }

    /// Lets so much time pass for every key that ends by itself: its life is shortened, or over.
    pub(crate) async fn age(self, span: Duration) -> io::Result<()> {
        let script = "for _, key in ipairs(redis.call('KEYS', '*')) do \
                      local left = redis.call('PTTL', key) - ARGV[1] \
                      if left > 0 then redis.call('PEXPIRE', key, left) \
                      elseif left > -1 - ARGV[1] then redis.call('DEL', key) end end return 'OK'";
        let reply = self.ask(&format!("EVAL \"{script}\" 0 {}", span.as_millis())).await?;
        if reply == "OK" { Ok(()) } else { Err(io::Error::other(reply)) }
    }

    /// Makes a fresh node a cluster of its own, and waits until it takes commands.
    async fn take_slots(self, deadline: Instant) -> io::Result<()> {
        // `ADDSLOTSRANGE` is younger than the oldest server that the set-up fetches; an inline command has 64 KB.
        for from in (0..SLOTS).step_by(SLOTS / 4) {
            let slots: Vec<String> = (from..from + SLOTS / 4).map(|slot| slot.to_string()).collect();
            let reply = self.ask(&format!("CLUSTER ADDSLOTS {}", slots.join(" "))).await?;
            if reply != "+OK" {
                return Err(io::Error::other(reply));
            }
        }
        while !self.ask("CLUSTER INFO").await?.contains("cluster_state:ok") {
            if Instant::now() > deadline {
                return Err(io::Error::other("the cluster does not come up"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Whether the server here is the process with that id, and not a stranger who was quicker, and has read its file.
    async fn is_up(self, process: Option<u32>) -> bool {
        let (Ok(info), Some(process)) = (self.ask("INFO").await, process) else { return false };
        let says = |wanted: &str| info.lines().any(|line| line == wanted);
        says(&format!("process_id:{process}")) && says("loading:0")
    }

    /// Sends one inline command; the text of the reply.
    async fn ask(self, command: &str) -> io::Result<String> {
        let exchange = async {
            let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await?);
            stream.write_all(format!("{command}\r\n").as_bytes()).await?;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let line = line.trim_end();
            // A bulk string announces its length; everything else is one line.
            let Some(length) = line.strip_prefix('$') else {
                return Ok(line.to_owned());
            };
            let mut bulk = vec![0; length.parse().map_err(io::Error::other)?];
            stream.read_exact(&mut bulk).await?;
            String::from_utf8(bulk).map_err(io::Error::other)
        };
        timeout(COMMAND_LIMIT, exchange).await?
    }
}

/// A port that nobody had a moment ago.
async fn free_port(is_cluster: bool) -> io::Result<u16> {
    loop {
        let port = server::listen(0).await?.local_addr()?.port();
        if !is_cluster || port <= u16::MAX - CLUSTER_BUS {
            return Ok(port);
        }
    }
}

/// The first program in the project's own tools, then on the PATH.
#[expect(clippy::disallowed_methods, reason = "the PATH is where programs are, not a setting")]
fn find(root: &Path) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::iter::once(root.join(".tools/bin")).chain(env::split_paths(&path)).collect();
    let candidates = PROGRAMS.iter().flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    // Tools of the project come first, whichever of the two they are.
    let mut candidates: Vec<PathBuf> = candidates.filter(|path| path.is_file()).collect();
    candidates.sort_by_key(|path| !path.starts_with(root));
    candidates.into_iter().next()
}
