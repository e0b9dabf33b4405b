//! TLS of every client, to the cache as to AWS: rustls on `ring`, with one list of authorities.

use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::Fatal;

/// Trust in AWS's own authorities and nobody else, as they stand in the
/// [Amazon Trust Services repository](https://www.amazontrust.com/repository/). DER, because reading PEM is work that
/// every cold start would do again.
const ROOTS: [&[u8]; 5] = [
    include_bytes!("roots/amazon_root_ca_1.cer"),
    include_bytes!("roots/amazon_root_ca_2.cer"),
    include_bytes!("roots/amazon_root_ca_3.cer"),
    include_bytes!("roots/amazon_root_ca_4.cer"),
    include_bytes!("roots/starfield_services_root_g2.cer"),
];

/// Trust in AWS's authorities and in those of `authorities` (PEM, may be empty).
///
/// # Errors
/// What is wrong with `authorities`.
pub(crate) fn client(authorities: &[u8]) -> Result<Arc<ClientConfig>, Fatal> {
    static AWS_ALONE: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if !authorities.is_empty() {
        return build(authorities);
    }
    match AWS_ALONE.get() {
        Some(config) => Ok(Arc::clone(config)),
        None => build(&[]).map(|config| Arc::clone(AWS_ALONE.get_or_init(|| config))),
    }
}

fn build(authorities: &[u8]) -> Result<Arc<ClientConfig>, Fatal> {
    let mut roots = RootCertStore::empty();
    for root in ROOTS {
        roots.add(CertificateDer::from(root)).map_err(Fatal::of)?;
    }
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        roots.add(certificate.map_err(Fatal::of)?).map_err(Fatal::of)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Fatal::of)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorities_of_aws_are_good_and_kept_once() {
        let once = client(&[]).ok().unwrap();
        assert!(Arc::ptr_eq(&once, &client(&[]).ok().unwrap()));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let pem = b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        assert!(client(pem).is_err());
    }
}
