//! What a function says to its backends during one request: the bytes, and which of them wait for which.
//!
//! A `Recorder` stands between a sandbox and everything that it talks to. A request that is sent while nothing else is under
//! way begins a step; what is sent beside it belongs to the same step, as in the function's own log (`spent.steps`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::sandbox::Environment;

/// How long a reply is held back. A backend on this machine can answer the first request of a step before the second is
/// out, and the second would then seem to wait for it.
const HELD_BACK: Duration = Duration::from_millis(5);

/// What was sent on one connection within one step.
#[derive(Clone)]
pub(crate) struct Sent {
    /// Where the connection leads: an address and a port of this machine.
    pub(crate) to: String,
    pub(crate) is_redis: bool,
    pub(crate) bytes: Vec<u8>,
}

/// One step: by connection, what was sent before anything had to be waited for.
pub(crate) type Step = BTreeMap<usize, Sent>;

/// Backends as a sandbox sees them, and what it says to them.
pub(crate) struct Recorder {
    environment: Environment,
    tape: Arc<Mutex<Tape>>,
}

#[derive(Default)]
struct Tape {
    is_running: bool,
    steps: Vec<Step>,
    /// Connections that wait for a reply.
    busy: BTreeSet<usize>,
    connections: usize,
}

impl Recorder {
    /// The same variables, with every address on this machine replaced by one that is listened to.
    pub(crate) fn before(environment: &Environment) -> io::Result<Self> {
        let tape = Arc::<Mutex<Tape>>::default();
        let mut own = Vec::new();
        for (name, value) in environment {
            let found = [("redis://", true), ("http://", false)].into_iter().find_map(|(scheme, is_redis)| {
                let rest = value.strip_prefix(scheme).filter(|rest| rest.starts_with("127."))?;
                let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                Some((scheme, address, path, is_redis))
            });
            let value = match found {
                Some((scheme, address, path, is_redis)) => {
                    format!("{scheme}{}{path}", listen(address, is_redis, &tape)?)
                }
                None => value.clone(),
            };
            own.push((name.clone(), value));
        }
        Ok(Self { environment: own, tape })
    }

    /// For the sandbox that is listened to.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// What is said while `work` is done, step by step.
    pub(crate) fn record<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<Vec<Step>, E> {
        {
            let mut tape = hold(&self.tape);
            let connections = tape.connections;
            *tape = Tape { is_running: true, connections, ..Tape::default() };
        }
        work()?;
        let mut tape = hold(&self.tape);
        tape.is_running = false;
        Ok(std::mem::take(&mut tape.steps))
    }
}

impl Tape {
    fn sent(&mut self, connection: usize, to: &str, is_redis: bool, bytes: &[u8]) {
        if !self.is_running {
            return;
        }
        if self.busy.is_empty() {
            self.steps.push(Step::new());
        }
        self.busy.insert(connection);
        if let Some(step) = self.steps.last_mut() {
            let sent =
                step.entry(connection).or_insert_with(|| Sent { to: to.to_owned(), is_redis, bytes: Vec::new() });
            sent.bytes.extend_from_slice(bytes);
        }
    }
}

fn hold(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An address that leads to `to`.
fn listen(to: &str, is_redis: bool, tape: &Arc<Mutex<Tape>>) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?.to_string();
    let (to, tape) = (to.to_owned(), Arc::clone(tape));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A connection that does not come about is closed, and the function says what is wrong.
            let _ = carry(client, &to, is_redis, &tape);
        }
    });
    Ok(address)
}

/// Carries bytes both ways, in a thread each, until either side ends it.
fn carry(mut client: TcpStream, to: &str, is_redis: bool, tape: &Arc<Mutex<Tape>>) -> io::Result<()> {
    let mut backend = TcpStream::connect(to)?;
    client.set_nodelay(true)?;
    backend.set_nodelay(true)?;
    let (mut replies, mut back) = (backend.try_clone()?, client.try_clone()?);
    let connection = {
        let mut tape = hold(tape);
        tape.connections += 1;
        tape.connections
    };
    let (to, requests, answers) = (to.to_owned(), Arc::clone(tape), Arc::clone(tape));
    thread::spawn(move || {
        let mut part = vec![0; 65_536];
        while let Ok(length @ 1..) = client.read(&mut part) {
            hold(&requests).sent(connection, &to, is_redis, &part[..length]);
            if backend.write_all(&part[..length]).is_err() {
                break;
            }
        }
        let _ = backend.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let mut part = vec![0; 65_536];
        while let Ok(length @ 1..) = replies.read(&mut part) {
            thread::sleep(HELD_BACK);
            hold(&answers).busy.remove(&connection);
            if back.write_all(&part[..length]).is_err() {
                break;
            }
        }
        let _ = back.shutdown(Shutdown::Both);
    });
    Ok(())
}
