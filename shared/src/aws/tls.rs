//! TLS of every client, to the cache as to AWS: rustls on `ring`, with one list of authorities.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, Der, TrustAnchor};
use tokio_rustls::rustls::{CipherSuite, ClientConfig, RootCertStore, SupportedCipherSuite};

use crate::error::StartError;

/// AWS's own authorities and nobody else's: those of `roots.pem`, as they stand in the
/// [Amazon Trust Services repository](https://www.amazontrust.com/repository/).
const AMAZON_ROOTS: [TrustAnchor<'static>; 5] = include!(concat!(env!("OUT_DIR"), "/authorities.rs"));

/// A client that trusts AWS's authorities and those of `authorities` (PEM, may be empty).
///
/// # Errors
/// What is wrong with `authorities`.
pub(crate) fn client_config(authorities: &[u8]) -> Result<Arc<ClientConfig>, StartError> {
    trusting(Vec::new(), authorities)
}

/// The same, which trusts the authorities of Mozilla's list too: those of any service on the public Internet.
///
/// # Errors
/// As [`client_config`].
pub(super) fn public_client_config(authorities: &[u8]) -> Result<Arc<ClientConfig>, StartError> {
    trusting(webpki_roots::TLS_SERVER_ROOTS.to_vec(), authorities)
}

fn trusting(mut roots: Vec<TrustAnchor<'static>>, authorities: &[u8]) -> Result<Arc<ClientConfig>, StartError> {
    roots.extend(AMAZON_ROOTS);
    let mut roots = RootCertStore { roots };
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        roots.add(certificate.map_err(StartError::of)?).map_err(StartError::of)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(StartError::of)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// That of `ring`, which would rather have AES-128 than AES-256: its handshake hashes with SHA-256, for which processors have
/// instructions, and P-256, with which nearly all servers prove who they are, has no more than those 128 bits.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    let is_other = |suite: &SupportedCipherSuite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider.cipher_suites.sort_by_key(is_other);
    provider
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_s_authorities_are_those_of_the_file() {
        let mut read = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(include_bytes!("roots.pem")) {
            read.add(certificate.unwrap()).unwrap();
        }
        assert_eq!(read.roots, AMAZON_ROOTS);
    }

    #[test]
    fn aes_128_is_asked_for_first_and_nothing_is_left_out() {
        let config = client_config(&[]).unwrap();
        let suites = &config.crypto_provider().cipher_suites;
        assert_eq!(suites[0].suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(suites.len(), ring::default_provider().cipher_suites.len());
    }

    #[test]
    fn public_authorities_are_those_of_any_service() {
        assert!(public_client_config(&[]).is_ok());
        // By the name of the authority, as it stands in its certificate.
        let has = |name: &str| {
            let mut subjects = webpki_roots::TLS_SERVER_ROOTS.iter().map(|root| root.subject.as_ref());
            subjects.any(|subject| subject.windows(name.len()).any(|bytes| bytes == name.as_bytes()))
        };
        for name in ["Amazon Root CA 1", "ISRG Root X1", "GlobalSign", "DigiCert Global Root G2"] {
            assert!(has(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let pem = b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        assert!(client_config(pem).is_err());
    }
}
