//! One sandbox: a process of a function, fed by the Lambda Runtime API with one event at a time, and watched from
//! outside: when it asks, when it answers, and what the kernel says that it used.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::cores;
use crate::wire::Wire;

/// Nothing here takes this long unless it hangs.
const LONGEST: Duration = Duration::from_secs(10);

/// The variables of a process.
pub(crate) type Environment = Vec<(String, String)>;

/// What becomes of the lines that a process writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Nothing,
    /// They are read with [`Sandbox::line`].
    Lines,
}

/// A process, and the API on which it asks for work. Dropping it kills the process.
pub(crate) struct Sandbox {
    child: Child,
    born: Instant,
    events: Sender<Vec<u8>>,
    marks: Receiver<Mark>,
    /// What it writes; nothing unless that was asked for.
    lines: Receiver<String>,
    /// Whether it has asked for the next event.
    is_idle: bool,
}

/// What the API saw, and when.
enum Mark {
    Asked(Instant),
    Given(Instant),
    Answered(Instant, Answer),
}

/// What a function said.
pub(crate) struct Answer {
    /// Whether it was a response; otherwise it is an error document.
    pub(crate) is_response: bool,
    pub(crate) body: Vec<u8>,
}

/// What one event took.
pub(crate) struct Served {
    /// From the event on its way to the answer in hand.
    pub(crate) took: Duration,
    pub(crate) answer: Answer,
}

impl Sandbox {
    /// Starts a process; it asks for its first event when its init is over.
    pub(crate) fn start(program: &Path, environment: &Environment) -> Result<Self, Failure> {
        Self::start_under(&[], program, environment, Output::Nothing)
    }

    /// The same, as an argument of the command `under`.
    pub(crate) fn start_under(
        under: &[&str],
        program: &Path,
        environment: &Environment,
        output: Output,
    ) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let api = listener.local_addr()?.to_string();
        let (events, waiting) = channel();
        let (marker, marks) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        thread::spawn(move || {
            // A client may open a second connection before it takes up the first again. The thread ends with the bench.
            for stream in listener.incoming().flatten() {
                let (waiting, marker) = (Arc::clone(&waiting), marker.clone());
                thread::spawn(move || feed(stream, &waiting, &marker));
            }
        });
        let variables = environment.iter().filter(|(name, _)| name != "AWS_LAMBDA_RUNTIME_API");
        let mut command = match under.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .env_clear()
            .envs(variables.map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .stdin(Stdio::null())
            .stdout(if output == Output::Lines { Stdio::piped() } else { Stdio::null() });
        let (born, child) = cores::on_theirs(|| (Instant::now(), command.spawn()))?;
        let mut child = child.map_err(|error| format!("{}: {error}", program.display()))?;
        let (writer, lines) = channel();
        if let Some(written) = child.stdout.take() {
            thread::spawn(move || {
                BufReader::new(written).lines().map_while(Result::ok).try_for_each(|line| writer.send(line))
            });
        }
        Ok(Self { child, born, events, marks, lines, is_idle: false })
    }

    /// The next line with such a text that it writes.
    pub(crate) fn line_with(&self, text: &str) -> Result<String, Failure> {
        loop {
            let line = self.lines.recv_timeout(LONGEST)?;
            if line.contains(text) {
                return Ok(line);
            }
        }
    }

    /// Throws away what it has written until now; how many bytes that was.
    pub(crate) fn drain(&self) -> usize {
        self.lines.try_iter().map(|line| line.len() + 1).sum()
    }

    /// Asks it to end, and waits: all lines that were not read.
    pub(crate) fn end(mut self) -> Result<Vec<String>, Failure> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        Ok(self.lines.iter().collect())
    }

    /// The id of the process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it asks for an event: how long after its start that was.
    pub(crate) fn ready(&mut self) -> Result<Duration, Failure> {
        match self.marks.recv_timeout(LONGEST) {
            Ok(Mark::Asked(at)) => {
                self.is_idle = true;
                Ok(at - self.born)
            }
            Ok(_) => Err("the function answers what nobody asked".into()),
            Err(_) => Err("the function does not ask for an event".into()),
        }
    }

    /// Hands it one event, and waits until it has answered and asks for the next one.
    pub(crate) fn serve(&mut self, event: Vec<u8>) -> Result<Served, Failure> {
        if !self.is_idle {
            self.ready()?;
        }
        self.is_idle = false;
        self.events.send(event)?;
        let Mark::Given(given) = self.marks.recv_timeout(LONGEST)? else {
            return Err("the function asks twice".into());
        };
        let Mark::Answered(answered, answer) = self.marks.recv_timeout(LONGEST)? else {
            return Err("the function does not answer".into());
        };
        self.ready()?;
        Ok(Served { took: answered - given, answer })
    }

    /// Processor time of all its threads until now, in microseconds. Exact while it waits for an event.
    #[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
    pub(crate) fn cpu_us(&self) -> io::Result<f64> {
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = text.split(' ').next().unwrap_or_default();
            nanos += first.parse::<u64>().map_err(io::Error::other)?;
        }
        Ok(nanos as f64 / 1000.0)
    }

    /// The most memory that was resident, in MiB.
    pub(crate) fn peak_mib(&self) -> io::Result<f64> {
        self.memory_mib("VmHWM:")
    }

    /// The memory that is resident, in MiB.
    pub(crate) fn resident_mib(&self) -> io::Result<f64> {
        self.memory_mib("VmRSS:")
    }

    fn memory_mib(&self, name: &str) -> io::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kib.map(|kib| kib / 1024.0).ok_or_else(|| io::Error::other(format!("a kernel that does not tell {name}")))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // An error means that it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves one connection of a process until either side ends it.
fn feed(stream: TcpStream, events: &Mutex<Receiver<Vec<u8>>>, marks: &Sender<Mark>) {
    let Ok(mut wire) = Wire::new(stream) else { return };
    while let Ok(Some(request)) = wire.read() {
        let at = Instant::now();
        if request.start.starts_with("GET ") {
            let waited =
                marks.send(Mark::Asked(at)).map(|()| events.lock().unwrap_or_else(PoisonError::into_inner).recv());
            let Ok(Ok(event)) = waited else { return };
            let head = next_head();
            if marks.send(Mark::Given(Instant::now())).is_err() || wire.write(&head, &event).is_err() {
                return;
            }
        } else {
            let is_response = request.start.contains("/response ");
            let answer = Answer { is_response, body: request.body };
            let sent = marks.send(Mark::Answered(at, answer));
            if sent.is_err() || wire.write("HTTP/1.1 202 Accepted\r\n", b"").is_err() {
                return;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a process compares its deadline with the clock of the machine")]
fn next_head() -> String {
    let deadline = jiff::Timestamp::now().as_millisecond() + 60_000;
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
         lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         lambda-runtime-deadline-ms: {deadline}\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n\
         lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n"
    )
}
