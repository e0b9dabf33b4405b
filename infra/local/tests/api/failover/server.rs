//! A second Redis or Valkey of a test's own.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use support::{env_option, root};

/// A running server; dropping it kills the process.
pub(crate) struct Server {
    pub(crate) address: String,
    _process: Child,
    _folder: TempDir,
}

impl Server {
    /// Starts the program that the emulator would take, on a free port.
    pub(crate) async fn start() -> Self {
        let path: String = env_option("PATH").unwrap();
        let folders = std::iter::once(root().join(".tools/bin")).chain(std::env::split_paths(&path));
        let mut programs = folders.flat_map(|folder| ["valkey-server", "redis-server"].map(|name| folder.join(name)));
        let program =
            programs.find(|program| program.is_file()).unwrap_or_else(|| panic!("no server: type `make redis`"));
        loop {
            let folder = TempDir::new().unwrap();
            let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
            let mut process = Command::new(&program)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
                .args(["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"])
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains("Ready to accept connections") {
                    // Somebody has to read what it says, or it would stop one day.
                    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                    return Self { address: format!("127.0.0.1:{port}"), _process: process, _folder: folder };
                }
            }
            // It has ended: somebody else was quicker to take the port.
        }
    }
}

/// Sends commands over one connection; gives the last answer, which has to be one line.
pub(crate) async fn command(address: &str, commands: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();
    for command in commands {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\n") {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "{command}");
        }
        String::from_utf8(bytes).unwrap().trim_end().clone_into(&mut answer);
    }
    answer
}
