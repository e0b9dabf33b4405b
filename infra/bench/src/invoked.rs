//! Lambda's `Invoke` for the sandbox that is measured: every event is taken and nothing is done with it, so that no
//! task's process competes for the machine.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::wire::Wire;

/// The events that were taken.
pub(crate) struct Invoked {
    url: String,
    events: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Invoked {
    pub(crate) fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let events = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let received = Arc::clone(&events);
        thread::spawn(move || {
            for wire in listener.incoming().flatten().map(Wire::new) {
                let received = Arc::clone(&received);
                thread::spawn(move || -> io::Result<()> {
                    let mut wire = wire?;
                    while let Some(request) = wire.read()? {
                        if request.start.starts_with("POST ") {
                            received.lock().unwrap_or_else(PoisonError::into_inner).push(request.body);
                        }
                        wire.write("HTTP/1.1 202 Accepted\r\n", b"")?;
                    }
                    Ok(())
                });
            }
        });
        Ok(Self { url, events })
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// The events since the last call, oldest first.
    pub(crate) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
