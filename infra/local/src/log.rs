//! The output of a process: split into lines, appended to a file, and recorded with its invocation.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::unix::pipe;

/// Lines recorded of one invocation; further ones are only in the file.
const MAX_LINES: usize = 200;

/// A longer line is cut here, as CloudWatch cuts (256 KiB there).
const MAX_LINE_BYTES: usize = 16 * 1024;

/// The lines of one invocation.
pub(crate) type Lines = Arc<Mutex<Vec<String>>>;

/// The read end of a process's standard output and error.
#[derive(Debug)]
pub(crate) struct LogPipe {
    /// For waiting until there is something to read.
    pipe: pipe::Receiver,
    /// The same end, for reading without waiting: tokio's readiness may be stale.
    direct: PipeReader,
    file: Option<Arc<File>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes after the last line end.
    partial: Vec<u8>,
    lines: Lines,
    ended: bool,
}

impl LogPipe {
    /// One pipe for both streams of a process, so that their lines stay in order.
    pub(crate) fn new(file: Option<Arc<File>>) -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let direct = reader.try_clone()?;
        // Makes both descriptors non-blocking: they are one open file.
        let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((Self { pipe, direct, file, state: Mutex::default() }, writer))
    }

    /// Reads as the process writes; never returns.
    pub(crate) async fn follow(&self) -> Infallible {
        while self.pipe.readable().await.is_ok() {
            if self.read(|buffer| self.pipe.try_read(buffer)) {
                break;
            }
        }
        std::future::pending().await
    }

    /// Reads what is there without waiting; true once the process has closed its end.
    ///
    /// The runtime API calls this at each step of an invocation: what a process wrote before it called the API is in the
    /// pipe by then, so every line is recorded with its invocation, however late the reader task is scheduled.
    pub(crate) fn drain(&self) -> bool {
        self.read(|buffer| (&self.direct).read(buffer))
    }

    fn read(&self, mut source: impl FnMut(&mut [u8]) -> io::Result<usize>) -> bool {
        let mut state = self.state.lock();
        let mut buffer = [0; 8 * 1024];
        while !state.ended {
            match source(&mut buffer) {
                Ok(0) => state.ended = true,
                Ok(length) => self.take(&mut state, &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => state.ended = true,
            }
        }
        state.ended
    }

    /// Reads the rest of the output of a process that has ended; an unfinished line counts as a line.
    pub(crate) fn finish(&self) {
        self.drain();
        let mut state = self.state.lock();
        if !state.partial.is_empty() {
            self.take(&mut state, b"\n");
        }
    }

    /// Adds a line of the emulator's own.
    pub(crate) fn add(&self, line: &str) {
        self.take(&mut self.state.lock(), format!("{line}\n").as_bytes());
    }

    /// The lines of the current invocation; further ones are added to them.
    pub(crate) fn lines(&self) -> Lines {
        Arc::clone(&self.state.lock().lines)
    }

    /// Begins a new invocation: further output goes into the lines that this returns.
    pub(crate) fn begin(&self) -> Lines {
        self.drain();
        let mut state = self.state.lock();
        state.lines = Lines::default();
        Arc::clone(&state.lines)
    }

    fn take(&self, state: &mut State, bytes: &[u8]) {
        state.partial.extend_from_slice(bytes);
        let whole = match state.partial.iter().rposition(|&byte| byte == b'\n') {
            Some(end) => end + 1,
            None if state.partial.len() > MAX_LINE_BYTES => state.partial.len(),
            None => return,
        };
        if let Some(file) = &self.file {
            // Whole lines only, in one call: sandboxes of one function share the file. A full disk stops the file, not
            // the emulator.
            let _ = (&**file).write_all(&state.partial[..whole]);
        }
        let mut lines = state.lines.lock();
        for line in state.partial[..whole].split_inclusive(|&byte| byte == b'\n') {
            if lines.len() == MAX_LINES {
                break;
            }
            let line = &line[..line.len().min(MAX_LINE_BYTES)];
            lines.push(String::from_utf8_lossy(line).trim_end().to_owned());
        }
        drop(lines);
        state.partial.drain(..whole);
    }
}

/// Opens `<folder>/<name>.log` for appending and makes the folder.
pub(crate) fn open_file(folder: &Path, name: &str) -> io::Result<Arc<File>> {
    std::fs::create_dir_all(folder)?;
    File::options().append(true).create(true).open(folder.join(format!("{name}.log"))).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{LogPipe, MAX_LINES};

    #[tokio::test]
    async fn lines_belong_to_the_invocation_in_which_they_were_written() {
        let (log, mut writer) = LogPipe::new(None).unwrap();
        writer.write_all(b"init\n").unwrap();
        assert!(!log.drain());
        let first = log.lines();
        writer.write_all(b"one\r\nhal").unwrap();
        log.drain();
        let second = log.begin();
        writer.write_all(b"f\ntwo").unwrap();
        drop(writer);
        log.finish();
        assert_eq!(*first.lock(), ["init", "one"]);
        assert_eq!(*second.lock(), ["half", "two"]);
    }

    #[tokio::test]
    async fn an_invocation_records_a_bounded_number_of_lines() {
        let (log, mut writer) = LogPipe::new(None).unwrap();
        writer.write_all("x\n".repeat(2 * MAX_LINES).as_bytes()).unwrap();
        log.drain();
        assert_eq!(log.lines().lock().len(), MAX_LINES);
    }
}
