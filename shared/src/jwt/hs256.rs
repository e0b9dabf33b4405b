//! HMAC with SHA-256 (RFC 7518, section 3.2), and nothing else.

use hmac::{Hmac, Mac};
use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use sha2::Sha256;
use signature::{Signer, Verifier};

use crate::mac::hmac_sha256;

/// Gives `jsonwebtoken` its cryptography: HS256 alone. Its own back ends bring RSA and elliptic curves, which no
/// token of ours uses and every cold start would load.
pub(super) fn install() {
    static HS256: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| match algorithm {
            Algorithm::HS256 => Ok(Box::new(Hs256(hmac_sha256(key.as_bytes())))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        },
        verifier_factory: |algorithm, key| match algorithm {
            Algorithm::HS256 => Ok(Box::new(Hs256(hmac_sha256(key.try_get_as_bytes()?)))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // The second call of a process finds it installed, which is what it wanted.
    let _ = HS256.install_default();
}

struct Hs256(Hmac<Sha256>);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> Result<(), signature::Error> {
        // Compares in constant time.
        self.0.clone().chain_update(message).verify_slice(tag).map_err(signature::Error::from_source)
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{DecodingKey, Validation};
    use serde::Deserialize;
    use serde::de::IgnoredAny;

    use super::*;

    /// Vectors of Project Wycheproof; the file says which.
    const VECTORS: &str = include_str!("wycheproof_hs256.json");

    /// Vectors that say the opposite of RFC 7515, section 2, or of themselves.
    const MISTAKEN: [(u32, &str); 4] = [
        (367, "the same text as 357, which is said to be valid: its padding was lost"),
        (370, "the same"),
        (372, "said to be valid with a `?` in its header, which is outside of the alphabet"),
        (373, "the same in its payload"),
    ];

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vectors {
        test_groups: Vec<Group>,
    }

    #[derive(Deserialize)]
    struct Group {
        private: Jwk,
        tests: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Jwk {
        k: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vector {
        tc_id: u32,
        comment: String,
        jws: String,
        result: String,
    }

    /// Whether the signature is accepted. Payloads of the vectors are no claims, so a good one fails at those, later.
    fn is_accepted(jws: &str, key: &[u8]) -> bool {
        let outcome =
            jsonwebtoken::decode::<IgnoredAny>(jws, &DecodingKey::from_secret(key), &Validation::new(Algorithm::HS256));
        jsonwebtoken::decode_header(jws).is_ok() && !outcome.is_err_and(|e| !matches!(e.kind(), ErrorKind::Json(_)))
    }

    #[test]
    fn the_vectors_of_wycheproof_are_judged_as_they_say() {
        install();
        let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
        let mut counts = [0, 0];
        for group in vectors.test_groups {
            let key = URL_SAFE_NO_PAD.decode(group.private.k).unwrap();
            for Vector { tc_id, comment, jws, result } in group.tests {
                let is_mistaken = MISTAKEN.iter().any(|(id, _)| *id == tc_id);
                let expected = (result == "valid") != is_mistaken;
                assert_eq!(is_accepted(&jws, &key), expected, "{tc_id} {comment}");
                counts[usize::from(expected)] += 1;
            }
        }
        assert_eq!(counts, [30, 10], "refused and accepted");
    }
}
