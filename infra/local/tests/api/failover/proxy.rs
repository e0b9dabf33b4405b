//! One address for a cache: connections lead to the server of the moment and stay where they are, and the proxy answers
//! commands itself where a test says so.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use support::first_command;

/// A running proxy; it ends with the test's runtime.
pub(crate) struct Proxy {
    pub(crate) address: String,
    state: watch::Sender<State>,
}

#[derive(Clone, Default)]
struct State {
    target: String,
    /// Connections since the start.
    opened: usize,
    /// Those that are there.
    open: usize,
    refusal: Option<Refusal>,
}

#[derive(Clone)]
struct Refusal {
    text: String,
    /// Only on connections before this one.
    before: usize,
}

impl Proxy {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = watch::Sender::new(State::default());
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = shared.clone();
                let mut number = 0;
                state.send_modify(|state| {
                    number = state.opened;
                    state.opened += 1;
                    state.open += 1;
                });
                tokio::spawn(async move {
                    // The other side sees who ends a connection, and how.
                    let _ = serve(client, number, &state).await;
                    state.send_modify(|state| state.open -= 1);
                });
            }
        });
        Self { address, state }
    }

    /// Where connections lead that are opened from now on.
    pub(crate) fn lead_to(&self, target: String) {
        self.state.send_modify(|state| state.target = target);
    }

    /// Answers every command with an error, but not on connections that are opened from now on.
    pub(crate) fn refuse_on_open_connections(&self, text: &str) {
        self.state.send_modify(|state| state.refusal = Some(Refusal { text: text.to_owned(), before: state.opened }));
    }

    /// Answers every command with an error, or no longer.
    pub(crate) fn refuse_on_all_connections(&self, text: Option<&str>) {
        let refusal = text.map(|text| Refusal { text: text.to_owned(), before: usize::MAX });
        self.state.send_modify(|state| state.refusal = refusal);
    }

    /// How many connections there were until now.
    pub(crate) fn opened(&self) -> usize {
        self.state.borrow().opened
    }

    /// How many there are now.
    pub(crate) fn open(&self) -> usize {
        self.state.borrow().open
    }

    /// Waits until clients have left all connections but so many.
    pub(crate) async fn has_at_most(&self, count: usize) {
        let mut states = self.state.subscribe();
        let left = timeout(Duration::from_mins(1), states.wait_for(|state| state.open <= count)).await;
        assert!(left.is_ok(), "{} connections are open, and {count} are used", self.open());
    }
}

async fn serve(mut client: TcpStream, number: usize, state: &watch::Sender<State>) -> io::Result<()> {
    let target = state.borrow().target.clone();
    let mut server = TcpStream::connect(target).await?;
    let (mut asked, mut answered) = (BytesMut::new(), BytesMut::new());
    loop {
        tokio::select! {
            length = client.read_buf(&mut asked) => if length? == 0 { return Ok(()) },
            length = server.read_buf(&mut answered) => if length? == 0 { return Ok(()) },
        }
        let refusal = state.borrow().refusal.clone().filter(|refusal| number < refusal.before);
        while let Some(length) = first_command(&asked) {
            match &refusal {
                Some(refusal) => client.write_all(format!("-{}\r\n", refusal.text).as_bytes()).await?,
                None => server.write_all(&asked[..length]).await?,
            }
            asked.advance(length);
        }
        client.write_all_buf(&mut answered).await?;
    }
}
