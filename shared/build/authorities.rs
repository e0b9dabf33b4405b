//! Certificate authorities as they are compared with.

use std::error::Error;
use std::fmt::Write;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use webpki::anchor_from_trusted_cert;

/// The authorities of a PEM file, as the source of an array of `TrustAnchor`.
pub(crate) fn anchors(pem: &[u8]) -> Result<String, Box<dyn Error>> {
    let mut source = String::from("[");
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate?;
        let anchor = anchor_from_trusted_cert(&certificate)?;
        if anchor.name_constraints.is_some() {
            return Err("an authority has name constraints, which would be lost".into());
        }
        let (subject, key) = (anchor.subject.as_ref(), anchor.subject_public_key_info.as_ref());
        write!(
            source,
            "TrustAnchor {{ subject: Der::from_slice(&{subject:?}), subject_public_key_info: Der::from_slice(&{key:?}), \
             name_constraints: None }},"
        )?;
    }
    source.push(']');
    Ok(source)
}
