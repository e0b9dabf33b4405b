//! The guardian: a process that kills all children after the emulator was killed.
//!
//! Nothing in this process runs after `kill -9`. So the guardian, a shell in a process group of its own, reads a pipe
//! that only the emulator holds open. When the pipe closes, it kills the whole group, itself included. Every child is
//! started in that group. The group is not the terminal's foreground group, so Ctrl-C reaches the emulator alone.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// `read` and `kill` are built into every POSIX shell, so the guardian is one process.
const SCRIPT: &str = "read _; kill -9 0";

/// Kills the group when dropped.
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: Child,
    group: i32,
}

impl Guardian {
    pub(crate) fn start() -> io::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let group = i32::try_from(shell.id()).map_err(io::Error::other)?;
        Ok(Self { shell, group })
    }

    /// The process group of every child.
    pub(crate) fn group(&self) -> i32 {
        self.group
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // A millisecond at most: the shell is already at the end of its script.
        let _ = self.shell.wait();
    }
}
