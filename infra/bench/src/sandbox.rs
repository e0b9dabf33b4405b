//! One sandbox: a process of a function, which a Lambda Runtime API feeds with one event at a time, watched from outside.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::{LONGEST, Request};
use crate::{Result, http, note, now, requests};

/// Counts instructions in user space. Virtual machines seldom have the counters of `perf stat`.
const VALGRIND: [&str; 5] =
    ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--log-fd=1"];
const FEW: usize = 3;
const MORE: usize = 13;
pub(crate) const COUNTED: usize = FEW + MORE;

static SANDBOX_CORE: OnceLock<CpuSet> = OnceLock::new();

pub(crate) type Environment = Vec<(String, String)>;

/// A process, and the API from which it requests events. Dropping it kills the process.
pub(crate) struct Sandbox {
    child: Child,
    /// From its start until it requested an event.
    pub(crate) init: Duration,
    events: Sender<Vec<u8>>,
    seen: Receiver<Seen>,
    lines: Receiver<String>,
}

/// When a process requested an event, when it was sent one, and when it answered, with the answer.
type Seen = (Instant, Option<Request>);

/// Round trips to each backend, the steps in which they ran one after another, and what DynamoDB charged.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) steps: u32,
    pub(crate) redis: u32,
    pub(crate) dynamodb: u32,
    pub(crate) http: u32,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct CallRecord {
    pub(crate) spent: Usage,
    pub(crate) log_bytes: usize,
    pub(crate) answer_bytes: usize,
}

impl Sandbox {
    /// Starts a process, as an argument of the command `under` if there is one, and waits until it requests an event. Its lines are
    /// read if the output is a pipe.
    pub(crate) fn start(under: &[&str], program: &Path, environment: &Environment, output: Stdio) -> Result<Self> {
        let (events, waiting) = channel();
        let (sender, seen) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let api = http::serve(move |request| answer(request, &waiting, &sender))?;
        let words: Vec<_> = under.iter().map(OsStr::new).chain([program.as_os_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("AWS_LAMBDA_RUNTIME_API", api).stdin(Stdio::null()).stdout(output);
        let (started, child) = on_sandbox_core(|| (Instant::now(), command.spawn()))?;
        let mut child = child.map_err(|error| format!("{}: {error}", program.display()))?;
        let (writer, lines) = channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                BufReader::new(output).lines().map_while(io::Result::ok).try_for_each(|line| writer.send(line))
            });
        }
        let mut sandbox = Self { child, init: Duration::ZERO, events, seen, lines };
        sandbox.init = sandbox.see()?.0 - started;
        Ok(sandbox)
    }

    fn see(&self) -> Result<Seen> {
        Ok(self.seen.recv_timeout(LONGEST).map_err(|_| "a function does not answer or ask within 30 s")?)
    }

    /// Hands it one event, and waits until it has responded and requests the next one: how long it took, from the event on its way to
    /// the response in hand, and the response.
    pub(crate) fn serve(&mut self, event: Vec<u8>) -> Result<(Duration, Vec<u8>)> {
        self.events.send(event)?;
        let (sent, _) = self.see()?;
        let (at, Some(Request { path, body, .. })) = self.see()? else {
            return Err("a function asks without an answer".into());
        };
        self.see()?;
        if path.ends_with("/response") { Ok((at - sent, body)) } else { Err(String::from_utf8_lossy(&body).into()) }
    }

    /// Serves one event, which must succeed; the sandbox must have been started with its lines read.
    pub(crate) fn serve_recorded(&mut self, function: &str, event: Vec<u8>) -> Result<CallRecord> {
        let (_, response) = self.serve(event)?;
        requests::check(function, &response)?;
        loop {
            let line = self.lines.recv_timeout(LONGEST)?;
            if line.contains("\"spent\"") {
                let spent = serde_json::from_value(serde_json::from_str::<Value>(&line)?["spent"].take())?;
                return Ok(CallRecord { spent, log_bytes: line.len() + 1, answer_bytes: response.len() });
            }
        }
    }

    /// Drops what it has written, which was so many bytes.
    pub(crate) fn drain(&self) -> usize {
        self.lines.try_iter().map(|line| line.len() + 1).sum()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time of all its threads until now, in microseconds. Exact while it waits for an event.
    pub(crate) fn cpu_us(&self) -> io::Result<f64> {
        Ok(threads(self.pid())?.iter().map(|(_, spent)| spent).sum())
    }

    /// Its memory in MiB, by a line of its `status`.
    pub(crate) fn memory_mib(&self, line: &str) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let found = text.lines().find_map(|text| text.strip_prefix(line)?.trim().strip_suffix(" kB"));
        Ok(found.ok_or("the kernel does not tell its memory")?.parse::<f64>()? / 1024.0)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // An error means that it has already ended.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The Runtime API: holds a request for an event until there is one, and passes answers on.
fn answer(request: Request, events: &Mutex<Receiver<Vec<u8>>>, seen: &Sender<Seen>) -> Option<(String, Vec<u8>)> {
    let now = Instant::now();
    if request.method != "GET" {
        seen.send((now, Some(request))).ok()?;
        return Some(("HTTP/1.1 202 Accepted\r\n".to_owned(), Vec::new()));
    }
    seen.send((now, None)).ok()?;
    // A client may open a second connection before it uses the first one again.
    let event = events.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()?;
    let head = event_head();
    seen.send((Instant::now(), None)).ok()?;
    Some((head, event))
}

/// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".
fn event_head() -> String {
    let deadline = now().as_millisecond() + 60_000;
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
         lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         lambda-runtime-deadline-ms: {deadline}\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n\
         lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n"
    )
}

/// Instructions of init, the dynamic linker included, and of a warm request, by runs with no request, with few and with more.
#[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
pub(crate) fn instructions(
    program: &Path,
    environment: &Environment,
    mut serve: impl FnMut(&mut Sandbox) -> Result<()>,
) -> Result<[f64; 2]> {
    let count = |requests: usize, serve: &mut dyn FnMut(&mut Sandbox) -> Result<()>| -> Result<f64> {
        let mut sandbox = Sandbox::start(&VALGRIND, program, environment, Stdio::piped())?;
        (0..requests).try_for_each(|_| serve(&mut sandbox))?;
        kill_process(Pid::from_child(&sandbox.child), Signal::TERM)?;
        // `==1234== I refs:      1,177,847,680`
        let line = sandbox.lines.iter().find(|line| line.contains("I refs:") || line.contains("I   refs:"));
        let count = line.and_then(|line| line.rsplit(':').next()?.trim().replace(',', "").parse().ok());
        Ok(count.ok_or("valgrind prints no count")?)
    };
    thread::scope(|scope| {
        let none = scope.spawn(|| count(0, &mut |_| Ok(())));
        let (few, more) = (count(FEW, &mut serve)?, count(MORE, &mut serve)?);
        Ok([none.join().map_err(|_| "a thread panicked")??, (more - few) / (MORE - FEW) as f64])
    })
}

/// Leaves the last core to sandboxes: on Lambda too, a function and its backends share none. What was started before is not moved.
pub(crate) fn leave_a_core() -> io::Result<()> {
    let mut ours = sched_getaffinity(None)?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|&core| ours.is_set(core));
    let Some(last) = last.filter(|_| ours.count() > 1) else {
        note("There is one core: sandboxes share it with their backends");
        return Ok(());
    };
    ours.unset(last);
    sched_setaffinity(None, &ours)?;
    let mut theirs = CpuSet::new();
    theirs.set(last);
    SANDBOX_CORE.get_or_init(|| theirs);
    Ok(())
}

/// Does some work on the core of sandboxes. A process or a thread that it starts stays there.
pub(crate) fn on_sandbox_core<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    let Some(core) = SANDBOX_CORE.get() else { return Ok(work()) };
    let ours = sched_getaffinity(None)?;
    sched_setaffinity(None, core)?;
    let done = work();
    sched_setaffinity(None, &ours)?;
    Ok(done)
}

/// Names of all threads of a process, the main one first, each with its processor time until now in microseconds.
#[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
pub(crate) fn threads(pid: u32) -> io::Result<Vec<(String, f64)>> {
    let mut threads = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?.path();
        // A thread may have ended since the folder was read.
        let [name, stat] = ["comm", "schedstat"].map(|file| fs::read_to_string(thread.join(file)));
        if let (Ok(name), Ok(stat)) = (name, stat) {
            let nanos: u64 = stat.split(' ').next().unwrap_or_default().parse().map_err(io::Error::other)?;
            threads.push((name.trim_end().to_owned(), nanos as f64 / 1000.0));
        }
    }
    Ok(threads)
}
