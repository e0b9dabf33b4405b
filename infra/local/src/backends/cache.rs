//! The cache: a real Valkey or Redis as a child process. It stores nothing on disk unless the emulator does.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::error::EmulatorError;
use crate::log::{self, LogPipe};
use crate::options::{CacheMode, Options};
use crate::server;
use crate::tasks::Tasks;

/// Preferred first.
const PROGRAMS: [&str; 2] = ["valkey-server", "redis-server"];

/// Attempts with another port, when another process took the chosen one first.
const ATTEMPTS: usize = 5;

/// A server answers within a few milliseconds; a loaded machine needs more.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A command is local and small.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// Slots of a cluster, and the distance of its bus from its port. Source: "Redis cluster specification".
const SLOTS: usize = 16_384;
const CLUSTER_BUS: u16 = 10_000;

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Cache {
    process: Child,
    address: CacheAddress,
}

/// The address of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheAddress {
    pub(crate) port: u16,
}

impl Cache {
    /// Finds a program, starts it in the process group and waits until it answers.
    ///
    /// With a folder `state` it restores the data of the last run.
    pub(crate) async fn start(
        options: &Options,
        state: Option<&Path>,
        group: i32,
        tasks: &Tasks,
    ) -> Result<Self, EmulatorError> {
        let program = find(&options.root).ok_or(EmulatorError::NoCache)?;
        let folder = state.map(|state| state.join("cache"));
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).map_err(EmulatorError::file(folder))?;
        }
        let log = match &options.logs {
            Some(folder) => Some(
                log::open_file(folder, "cache")
                    .map_err(|source| EmulatorError::LogsNotWritable { folder: folder.clone(), source })?,
            ),
            None => None,
        };
        let failed = |reason: String| EmulatorError::CacheFailed { program: program.clone(), reason };
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(&program, options, folder.as_deref(), log.clone(), group, tasks).await {
                Ok(Ok(cache)) => return Ok(cache),
                Ok(Err(ended)) => reason = ended,
                Err(error) => return Err(failed(error.to_string())),
            }
        }
        Err(failed(reason))
    }

    pub(crate) fn address(&self) -> CacheAddress {
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
        log: Option<Arc<File>>,
        group: i32,
        tasks: &Tasks,
    ) -> io::Result<Result<Self, String>> {
        let is_cluster = options.cache == CacheMode::Cluster;
        let address = CacheAddress { port: free_port(is_cluster).await? };
        let (output, writer) = LogPipe::new(log)?;
        let nodes = env::temp_dir().join(format!("badge-nodes-{}.conf", address.port));
        let cluster: [&OsStr; 4] =
            ["--cluster-enabled".as_ref(), "yes".as_ref(), "--cluster-config-file".as_ref(), nodes.as_ref()];
        // Left by an emulator that was killed during its start.
        let _ = fs::remove_file(&nodes);
        let mut process = Command::new(program)
            .args(["--port", &address.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--daemonize", "no", "--loglevel", "warning"])
            .args(cluster.iter().filter(|_| is_cluster))
            // Without fsync: a write survives the server, but not the machine.
            .args(["--appendonly", if folder.is_some() { "yes" } else { "no" }, "--appendfsync", "no"])
            // Else outside of the project: a manual `BGSAVE` leaves no file in it.
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

impl CacheAddress {
    pub(crate) fn socket(self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn url(self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The engine, `valkey` or `redis`, and its version.
    pub(crate) async fn engine(self) -> io::Result<(String, String)> {
        let info = self.command("INFO server").await?;
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        // Valkey has a `redis_version` too, for clients that know nothing else.
        let (engine, version) = match field("valkey_version") {
            Some(version) => ("valkey", version),
            None => ("redis", field("redis_version").ok_or_else(|| io::Error::other("a server without a version"))?),
        };
        Ok((engine.to_owned(), version.to_owned()))
    }

    /// Removes every key.
    pub(crate) async fn flush(self) -> io::Result<()> {
        let reply = self.command("FLUSHALL SYNC").await?;
        if reply == "+OK" { Ok(()) } else { Err(io::Error::other(reply)) }
    }

    /// Lets time pass for every key that expires: its time-to-live is shortened, or the key deleted.
    pub(crate) async fn age(self, span: Duration) -> io::Result<()> {
        let script = "for _, key in ipairs(redis.call('KEYS', '*')) do \
                      local left = redis.call('PTTL', key) - ARGV[1] \
                      if left > 0 then redis.call('PEXPIRE', key, left) \
                      elseif left > -1 - ARGV[1] then redis.call('DEL', key) end end return 'OK'";
        let reply = self.command(&format!("EVAL \"{script}\" 0 {}", span.as_millis())).await?;
        if reply == "OK" { Ok(()) } else { Err(io::Error::other(reply)) }
    }

    /// Makes a new node a cluster of its own, and waits until it accepts commands.
    async fn take_slots(self, deadline: Instant) -> io::Result<()> {
        // `ADDSLOTSRANGE` is newer than the oldest supported server; an inline command has at most 64 KB.
        for from in (0..SLOTS).step_by(SLOTS / 4) {
            let slots: Vec<String> = (from..from + SLOTS / 4).map(|slot| slot.to_string()).collect();
            let reply = self.command(&format!("CLUSTER ADDSLOTS {}", slots.join(" "))).await?;
            if reply != "+OK" {
                return Err(io::Error::other(reply));
            }
        }
        while !self.command("CLUSTER INFO").await?.contains("cluster_state:ok") {
            if Instant::now() > deadline {
                return Err(io::Error::other("the cluster does not come up"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Whether the server is the process with that id, not another one on that port, and has loaded its file.
    async fn is_up(self, process: Option<u32>) -> bool {
        let (Ok(info), Some(process)) = (self.command("INFO").await, process) else { return false };
        let says = |expected: &str| info.lines().any(|line| line == expected);
        says(&format!("process_id:{process}")) && says("loading:0")
    }

    /// Sends an inline command and returns the text of the reply.
    async fn command(self, command: &str) -> io::Result<String> {
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

/// A port that was free a moment ago.
async fn free_port(is_cluster: bool) -> io::Result<u16> {
    loop {
        let port = server::listen(0).await?.local_addr()?.port();
        if !is_cluster || port <= u16::MAX - CLUSTER_BUS {
            return Ok(port);
        }
    }
}

/// The program in the project's tools, else on the PATH; absolute, because it starts in another folder.
#[expect(clippy::disallowed_methods, reason = "the PATH is where programs are, not a setting")]
fn find(root: &Path) -> Option<PathBuf> {
    let root = fs::canonicalize(root).ok()?;
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::iter::once(root.join(".tools/bin")).chain(env::split_paths(&path)).collect();
    let candidates = PROGRAMS.iter().flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    // Either program in the project comes before either on the PATH.
    let mut candidates: Vec<PathBuf> = candidates.filter(|path| path.is_file()).collect();
    candidates.sort_by_key(|path| !path.starts_with(&root));
    candidates.into_iter().next()
}
