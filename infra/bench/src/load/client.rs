//! Clients of a stage: each has one connection that stays open, and asks again as soon as it has an answer.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Failure;
use crate::figures::Samples;
use crate::wire::Wire;

/// Nothing here takes this long unless it hangs.
const LONGEST: Duration = Duration::from_secs(30);

/// A request as it goes over the wire.
pub(crate) struct Request {
    head: String,
    body: String,
}

/// One connection to a stage.
pub(crate) struct Client(Wire);

/// The replies to several clients, together.
pub(crate) struct Driven {
    /// From the first request until the last answer.
    pub(crate) took: Duration,
    /// How long each request took.
    pub(crate) waited_us: Samples,
    /// Processor time of the clients.
    pub(crate) cpu_us: f64,
}

/// What one client has seen.
struct Seen {
    waited: Vec<Duration>,
    ended: Instant,
    cpu_us: f64,
}

impl Request {
    /// A request from that address, with the headers that clients send.
    pub(crate) fn new(method: &str, path: &str, address: &str, cookie: Option<&str>, body: String) -> Self {
        let cookie = cookie.map(|cookie| format!("cookie: {cookie}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\nuser-agent: bench\r\n\
             content-type: application/json\r\nx-stage-source-ip: {address}\r\n{cookie}"
        );
        Self { head, body }
    }
}

impl Client {
    pub(crate) fn new(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LONGEST))?;
        Ok(Self(Wire::new(stream)?))
    }

    pub(crate) fn several(address: &str, count: usize) -> Result<Vec<Self>, Failure> {
        (0..count).map(|_| Self::new(address)).collect()
    }

    /// One request: the answer and the cookie that it sets.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<(Value, Option<String>), Failure> {
        self.0.write(&request.head, request.body.as_bytes())?;
        let message = self.0.read()?.ok_or("the stage has closed the connection")?;
        let cookie = message.header("set-cookie").and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        let text = || format!("{} {}", message.start, String::from_utf8_lossy(&message.body));
        Ok((serde_json::from_slice(&message.body).map_err(|_| text())?, cookie))
    }

    /// Sends requests until none is left. Each answer has to contain `answer`.
    fn work(&mut self, requests: &[Request], next: &AtomicUsize, answer: &str) -> io::Result<Seen> {
        let before = cpu_us()?;
        let mut waited = Vec::with_capacity(requests.len());
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let sent = Instant::now();
            self.0.write(&request.head, request.body.as_bytes())?;
            let message = self.0.read()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            waited.push(sent.elapsed());
            if !contains(&message.body, answer.as_bytes()) {
                let text = String::from_utf8_lossy(&message.body);
                return Err(io::Error::other(format!("{} {text}", message.start)));
            }
        }
        Ok(Seen { waited, ended: Instant::now(), cpu_us: cpu_us()? - before })
    }
}

/// Lets the clients send all requests, each client one at a time.
pub(crate) fn drive(clients: &mut [Client], requests: &[Request], answer: &str) -> Result<Driven, Failure> {
    let next = AtomicUsize::new(0);
    let start = Barrier::new(clients.len() + 1);
    let (begun, seen) = thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                scope.spawn(|| {
                    start.wait();
                    client.work(requests, &next, answer)
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        let seen = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a client has panicked"))));
        (begun, seen.collect::<io::Result<Vec<_>>>())
    });
    let mut driven = Driven { took: Duration::ZERO, waited_us: Samples::default(), cpu_us: 0.0 };
    for client in seen? {
        driven.took = driven.took.max(client.ended.saturating_duration_since(begun));
        driven.cpu_us += client.cpu_us;
        for waited in client.waited {
            driven.waited_us.push(waited.as_secs_f64() * 1e6);
        }
    }
    Ok(driven)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Processor time of this thread until now.
fn cpu_us() -> io::Result<f64> {
    super::process::spent_us(&fs::read_to_string("/proc/thread-self/schedstat")?)
}
