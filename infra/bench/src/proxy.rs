//! Proxies before the backends of a sandbox: some terminate TLS, others measure round trips.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::runtime::{self, Runtime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::{Result, sandbox};

/// Proxies that terminate TLS. The hop is in every time that is measured behind one, and in no processor time of a function.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    runtime: Runtime,
    /// The file with the certificate that clients have to trust.
    pub(crate) authority: String,
}

impl Tls {
    pub(crate) fn new() -> Result<Self> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::try_from(signing_key.serialize_der())?)?;
        let authority = "/tmp/badge-bench-authority.pem".to_owned();
        fs::write(&authority, cert.pem())?;
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { acceptor: Arc::new(config).into(), runtime, authority })
    }

    pub(crate) fn before(&self, backend: &str) -> io::Result<String> {
        let listener = self.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?.to_string();
        let (backend, acceptor) = (backend.to_owned(), self.acceptor.clone());
        self.runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (backend, acceptor) = (backend.clone(), acceptor.clone());
                tokio::spawn(async move {
                    client.set_nodelay(true)?;
                    let mut backend = tokio::net::TcpStream::connect(backend).await?;
                    backend.set_nodelay(true)?;
                    tokio::io::copy_bidirectional(&mut acceptor.accept(client).await?, &mut backend).await
                });
            }
        });
        Ok(address)
    }
}

/// How long the calls of a function are under way on bare, blocking sockets, which run on its core: from before a call is written
/// until its response has been read. Calls that are under way together count once.
#[derive(Clone, Default)]
pub(crate) struct RoundTrips(Arc<Mutex<Clock>>);

#[derive(Default)]
struct Clock {
    busy: BTreeSet<SocketAddr>,
    since: Option<Instant>,
    total: Duration,
}

impl RoundTrips {
    /// Puts a proxy before a backend, both as `host:port`.
    pub(crate) fn before(&self, backend: &str) -> io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, backend, own) = (listener.local_addr()?.to_string(), backend.to_owned(), self.clone());
        let serve = move || {
            for client in listener.incoming().flatten() {
                // A connection that fails is closed, and the function says what is wrong.
                let _ = own.carry(&client, &backend);
            }
        };
        sandbox::on_sandbox_core(|| thread::spawn(serve))?;
        Ok(address)
    }

    pub(crate) fn take(&self) -> Duration {
        std::mem::take(&mut self.clock().total)
    }

    fn carry(&self, client: &TcpStream, backend: &str) -> io::Result<()> {
        let (server, caller) = (TcpStream::connect(backend)?, client.peer_addr()?);
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (calls, responses) = (self.clone(), self.clone());
        pump(client, &server, move || {
            let mut clock = calls.clock();
            clock.busy.insert(caller);
            clock.since.get_or_insert_with(Instant::now);
        })?;
        pump(&server, client, move || {
            let (now, mut clock) = (Instant::now(), responses.clock());
            clock.busy.remove(&caller);
            if clock.busy.is_empty() {
                let since = clock.since.take().unwrap_or(now);
                clock.total += now - since;
            }
        })
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies in a thread of its own until either side ends it, and calls `pass` before it passes bytes on.
fn pump(from: &TcpStream, to: &TcpStream, pass: impl Fn() + Send + 'static) -> io::Result<()> {
    let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
    thread::spawn(move || {
        let mut part = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut part) {
            pass();
            if to.write_all(&part[..length]).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Both)
    });
    Ok(())
}
