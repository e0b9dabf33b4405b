//! TLS of every client, to the cache as to AWS: rustls on `ring`, with one list of authorities.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::StartError;

/// AWS's own authorities and nobody else's, as they stand in the
/// [Amazon Trust Services repository](https://www.amazontrust.com/repository/).
pub(super) const AMAZON_ROOTS: &[u8] = include_bytes!("roots.pem");

/// The authorities that Mozilla trusts, in PEM: those of any service on the public Internet.
pub(super) fn public_authorities() -> String {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        STANDARD.encode_string(certificate, &mut pem);
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    pem
}

/// A client that trusts AWS's authorities and those of `authorities` (PEM, may be empty).
///
/// # Errors
/// What is wrong with `authorities`.
pub(crate) fn client_config(authorities: &[u8]) -> Result<Arc<ClientConfig>, StartError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(AMAZON_ROOTS).chain(CertificateDer::pem_slice_iter(authorities)) {
        roots.add(certificate.map_err(StartError::of)?).map_err(StartError::of)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(StartError::of)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_five_authorities_of_aws_are_good() {
        assert!(client_config(&[]).is_ok());
        assert_eq!(CertificateDer::pem_slice_iter(AMAZON_ROOTS).flatten().count(), 5);
    }

    #[test]
    fn public_authorities_are_good_and_more_than_those_of_aws() {
        let public = public_authorities();
        assert!(client_config(public.as_bytes()).is_ok());
        let public: Vec<_> = CertificateDer::pem_slice_iter(public.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(public.len(), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        // By the name of the authority, as it stands in its certificate.
        let has = |name: &str| public.iter().any(|one| one.windows(name.len()).any(|bytes| bytes == name.as_bytes()));
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
