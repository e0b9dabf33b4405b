//! Fronts that speak TLS before the plain backends, with an authority of their own that functions trust.
//!
//! The hop through a front is in every time that is measured behind it, and in no processor time of a function.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::Failure;

/// What is reached through a front is 127.0.0.1.
pub(crate) struct Fronts {
    acceptor: TlsAcceptor,
    authority: PathBuf,
    runtime: Runtime,
}

impl Fronts {
    /// Makes an authority, which lies in a file of the system's folder for such, and a certificate.
    pub(crate) fn new() -> Result<Self, Failure> {
        let authority_key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key)?;
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate()?;
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        let file = std::env::temp_dir().join(format!("badge-bench-authority-{}.pem", std::process::id()));
        fs::write(&file, authority.pem())?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der())?)?;
        // Of its own, so that a front does not wait for the stage.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { acceptor: Arc::new(config).into(), authority: file, runtime })
    }

    /// The certificate of the authority, in PEM.
    pub(crate) fn authority(&self) -> String {
        self.authority.to_string_lossy().into_owned()
    }

    /// Puts a front before `to`, both as `host:port`.
    pub(crate) fn before(&self, to: &str) -> Result<String, Failure> {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?.to_string();
        let (to, acceptor) = (to.to_owned(), self.acceptor.clone());
        self.runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (to, acceptor) = (to.clone(), acceptor.clone());
                tokio::spawn(async move {
                    client.set_nodelay(true)?;
                    let mut backend = TcpStream::connect(to).await?;
                    backend.set_nodelay(true)?;
                    copy_bidirectional(&mut acceptor.accept(client).await?, &mut backend).await
                });
            }
        });
        Ok(address)
    }
}

impl Drop for Fronts {
    fn drop(&mut self) {
        // What is left is of no use to anybody.
        let _ = fs::remove_file(&self.authority);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::thread;

    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::*;

    /// What a client that trusts `authority` gets back for four bytes, by address and by name.
    fn said(fronts: &Fronts, to: &str, authority: Option<&str>, name: &str) -> std::io::Result<[u8; 4]> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut roots = RootCertStore::empty();
        if let Some(file) = authority {
            roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        fronts.runtime.block_on(async {
            let stream = TcpStream::connect(to).await?;
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            stream.write_all(b"ping").await?;
            let mut back = [0; 4];
            stream.read_exact(&mut back).await?;
            Ok(back)
        })
    }

    #[test]
    fn a_front_carries_both_ways_for_who_trusts_its_authority() {
        let backend = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = backend.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for mut stream in backend.incoming().flatten() {
                let mut bytes = [0; 4];
                if stream.read_exact(&mut bytes).is_ok() {
                    bytes.reverse();
                    stream.write_all(&bytes).unwrap();
                }
            }
        });
        let fronts = Fronts::new().unwrap();
        let front = fronts.before(&to).unwrap();
        for name in ["127.0.0.1", "localhost"] {
            assert_eq!(&said(&fronts, &front, Some(&fronts.authority()), name).unwrap(), b"gnip");
            let refused = said(&fronts, &front, None, name).unwrap_err();
            assert!(refused.to_string().contains("certificate"), "{refused}");
        }
    }
}
