//! Proxies between one function and its backends that count its calls and stop everything at one of them, so that a test can
//! kill the process there.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::app::TestApp;

/// A command whose reply says that all before it on the connection were carried out.
const MARK: &[u8] = b"*2\r\n$4\r\nPING\r\n$13\r\nall-were-done\r\n";

/// Where a process is stopped.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// At which of its calls, from 0.
    pub call: usize,
    /// After the backend has carried the call out, before its reply; else before the call is sent.
    pub is_done: bool,
}

/// Counts the calls of one process, over all its backends.
#[derive(Clone, Default)]
pub struct Gate(watch::Sender<State>);

#[derive(Clone, Copy, Default)]
struct State {
    stop: Option<Stop>,
    calls: usize,
    /// Nothing passes any more.
    is_shut: bool,
    /// The backend has carried out what it was to carry out.
    is_reached: bool,
}

#[derive(Clone, Copy)]
enum Protocol {
    Http,
    Redis,
}

/// The template in which one function, named as its resource without `Function`, has more variables: `NAME: 'value', …`.
///
/// # Panics
/// If the template gives it variables in another way.
#[must_use]
pub fn with_variables(template: &str, function: &str, variables: &str) -> String {
    let own = format!("CACHE_USER: !If [MakesCache, !Ref {function}CacheUser");
    let before = format!("Environment: {{ Variables: {{ {own}");
    assert!(template.contains(&before), "{function}");
    template.replacen(&before, &format!("Environment: {{ Variables: {{ {variables}, {own}"), 1)
}

/// Where the proxies of [`Gate::backends`] lead.
pub struct Targets {
    cache: watch::Sender<String>,
    dynamodb: watch::Sender<String>,
    lambda: watch::Sender<String>,
}

impl Targets {
    /// Leads them to the backends of an app that has started.
    pub async fn lead_to(&self, app: &TestApp) {
        self.cache.send_replace(app.emulator.cache_url());
        self.dynamodb.send_replace(app.emulator.dynamodb_url());
        self.lambda.send_replace(app.aws_url().await);
    }
}

impl Gate {
    /// Proxies before the cache, DynamoDB and Lambda: the variables of a function that reaches them through this gate, for
    /// [`with_variables`], and where they lead.
    pub async fn backends(&self) -> (String, Targets) {
        let [cache, dynamodb, lambda] = [(); 3].map(|()| watch::Sender::default());
        let variables = format!(
            "CACHE_URL: '{}', AWS_ENDPOINT_URL_DYNAMODB: '{}', AWS_ENDPOINT_URL_LAMBDA: '{}'",
            self.redis(cache.subscribe()).await,
            self.http(dynamodb.subscribe()).await,
            self.http(lambda.subscribe()).await
        );
        (variables, Targets { cache, dynamodb, lambda })
    }

    /// The address of a new proxy before an HTTP backend at `http://host:port`, as such a URL. It ends with the test's runtime.
    pub async fn http(&self, target: watch::Receiver<String>) -> String {
        format!("http://{}", self.proxy(target, Protocol::Http).await)
    }

    /// The same before a cache at `redis://host:port`.
    pub async fn redis(&self, target: watch::Receiver<String>) -> String {
        format!("redis://{}", self.proxy(target, Protocol::Redis).await)
    }

    async fn proxy(&self, target: watch::Receiver<String>, protocol: Protocol) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, gate) = (listener.local_addr().unwrap().to_string(), self.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (gate, url) = (gate.clone(), target.borrow().clone());
                tokio::spawn(async move {
                    let to = url.split_once("://").unwrap().1.trim_end_matches('/').to_owned();
                    // The other side sees who ends a connection, and how.
                    let _ = gate.serve(client, &to, protocol).await;
                });
            }
        });
        address
    }

    /// Counts calls from now on, and stops at one of them.
    pub fn stop_at(&self, stop: Stop) {
        self.0.send_replace(State { stop: Some(stop), ..State::default() });
    }

    /// Waits until the process is stopped there.
    pub async fn reached(&self) {
        self.until(|state| state.is_reached).await;
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        // Cannot fail: `self` owns the sender.
        let _ = self.0.subscribe().wait_for(is_so).await;
    }

    /// Drops what was stopped, and lets everything pass again. Gives how many calls were counted.
    #[expect(clippy::must_use_candidate, reason = "the count is for some")]
    pub fn open(&self) -> usize {
        self.0.send_replace(State::default()).calls
    }

    async fn serve(&self, mut client: TcpStream, to: &str, protocol: Protocol) -> io::Result<()> {
        let mut server = TcpStream::connect(to).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (mut asked, mut answered) = (BytesMut::new(), BytesMut::new());
        loop {
            tokio::select! {
                biased;
                () = self.until(|state| state.is_shut) => return self.hold().await,
                length = client.read_buf(&mut asked) => if length? == 0 { return Ok(()) },
                length = server.read_buf(&mut answered) => if length? == 0 { return Ok(()) },
            }
            while let Some(length) = protocol.first_request(&asked) {
                let request = asked.split_to(length);
                match self.next_call() {
                    None => server.write_all(&request).await?,
                    Some(is_done) => {
                        if is_done {
                            server.write_all(&request).await?;
                            protocol.carried_out(&mut server).await?;
                        }
                        self.0.send_modify(|state| state.is_reached = true);
                        return self.hold().await;
                    }
                }
            }
            client.write_all_buf(&mut answered).await?;
        }
    }

    /// Counts a call. If it is that of the stop, nothing passes any more, and it gives whether the call itself is to pass.
    fn next_call(&self) -> Option<bool> {
        let mut is_done = None;
        self.0.send_modify(|state| {
            if let Some(stop) = state.stop {
                is_done = (stop.call == state.calls).then_some(stop.is_done);
                state.is_shut |= is_done.is_some();
                state.calls += 1;
            }
        });
        is_done
    }

    /// Keeps the connection open, without a byte, until the gate opens; then it breaks.
    async fn hold(&self) -> io::Result<()> {
        self.until(|state| !state.is_shut).await;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl Protocol {
    /// The length of the first request, once all of it is there.
    fn first_request(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Http => {
                let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
                let text = std::str::from_utf8(&bytes[..head]).unwrap().to_ascii_lowercase();
                let body = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                Some(head + body.unwrap_or(0)).filter(|length| *length <= bytes.len())
            }
            Self::Redis => first_command(bytes),
        }
    }

    /// Waits until a request that was just sent is carried out.
    async fn carried_out(self, server: &mut TcpStream) -> io::Result<()> {
        let mut answered = BytesMut::new();
        let mark = match self {
            // The first byte of the response to the only request under way.
            Self::Http => &b"H"[..],
            Self::Redis => {
                server.write_all(MARK).await?;
                &b"all-were-done"[..]
            }
        };
        while !answered.windows(mark.len()).any(|part| part == mark) {
            if server.read_buf(&mut answered).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// The length of the first command, once all of it is there.
///
/// Source: Redis serialization protocol specification, "Arrays", "Bulk strings".
#[must_use]
pub fn first_command(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let number = |at: &mut usize, sign: &str| {
        let end = *at + bytes.get(*at..)?.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&bytes[*at..end]).unwrap();
        *at = end + 2;
        Some(line.strip_prefix(sign).unwrap().parse::<usize>().unwrap())
    };
    for _ in 0..number(&mut at, "*")? {
        at += number(&mut at, "$")? + 2;
    }
    (at <= bytes.len()).then_some(at)
}
