//! A line between a function and a backend, which a test can let hang or cut.

use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Pass,
    /// Connections are taken and stay; nothing moves.
    Hang,
    /// Connections are closed, old and new.
    Cut,
}

/// A listener that forwards to where it leads.
pub(crate) struct Line {
    address: String,
    target: Arc<OnceLock<String>>,
    mode: watch::Sender<Mode>,
}

impl Line {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let target = Arc::new(OnceLock::<String>::new());
        let (mode, modes) = watch::channel(Mode::Pass);
        let to = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *modes.borrow() == Mode::Cut {
                    continue;
                }
                let server = TcpStream::connect(to.get().unwrap()).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(forward(from_client, to_server, modes.clone()));
                tokio::spawn(forward(from_server, to_client, modes.clone()));
            }
        });
        Self { address, target, mode }
    }

    /// Where functions find it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn lead_to(&self, address: &str) {
        self.target.set(address.to_owned()).unwrap();
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut modes: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            _ = modes.wait_for(|mode| *mode == Mode::Cut) => 0,
        };
        let may_pass = modes.wait_for(|mode| *mode != Mode::Hang).await.is_ok_and(|mode| *mode == Mode::Pass);
        if read == 0 || !may_pass || to.write_all(&buffer[..read]).await.is_err() {
            // Dropping both halves closes the connection in this direction; the other one sees its end.
            return;
        }
    }
}
