//! A front of our own before the API, as `CloudFront` with a WAF: it shows a key, and then its word for a client's address
//! counts. Without one the address is that of the connection, whatever headers say.
//!
//! Sources: Amazon `CloudFront` Developer Guide, "Add custom headers to origin requests" (a header of the viewer with the same
//! name is replaced); `infra/front.yaml`, which sets both headers.

use std::net::IpAddr;

use ::http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq;

const KEY: HeaderName = HeaderName::from_static("x-front-key");
const ADDRESS: HeaderName = HeaderName::from_static("x-front-address");

/// How a request came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// The stage has no front of its own, or the request came by it and it did not name the client.
    Direct,
    /// By the front, which saw this client.
    ByFront(IpAddr),
    /// Past it.
    Past,
}

impl Passage {
    /// Takes both headers out, so that nobody behind reads them. `keys` are those of the front; none if there is none.
    pub(super) fn take(headers: &mut HeaderMap, keys: &[String]) -> Self {
        let (key, address) = (headers.remove(KEY), headers.remove(ADDRESS));
        if keys.is_empty() {
            return Self::Direct;
        }
        if !key.is_some_and(|key| keys.iter().any(|known| known.as_bytes().ct_eq(key.as_bytes()).into())) {
            return Self::Past;
        }
        let address = address.and_then(|address| address.to_str().ok()?.parse().ok());
        address.map_or(Self::Direct, Self::ByFront)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "0123456789abcdef0123456789abcdef";
    const K2: &str = "fedcba9876543210fedcba9876543210";

    fn take(headers: &[(&'static str, &str)], keys: &[&str]) -> Passage {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, value.parse().unwrap());
        }
        let passage = Passage::take(&mut all, &keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert!(!all.contains_key(KEY) && !all.contains_key(ADDRESS));
        passage
    }

    #[test]
    fn an_address_in_a_header_counts_with_a_key_alone() {
        let address = ("x-front-address", "198.51.100.1");
        let by_front = Passage::ByFront("198.51.100.1".parse().unwrap());
        assert_eq!(take(&[address], &[]), Passage::Direct);
        assert_eq!(take(&[address, ("x-front-key", K1)], &[]), Passage::Direct, "the stage has no front");
        assert_eq!(take(&[address], &[K1]), Passage::Past);
        assert_eq!(take(&[address, ("x-front-key", K1)], &[K1]), by_front);
        assert_eq!(take(&[address, ("x-front-key", K2)], &[K1, K2]), by_front, "while the front changes over");
    }

    #[test]
    fn a_key_that_is_not_the_whole_one_is_none() {
        let last_differs = K1.replace("cdef0", "cdef1");
        for key in ["", &K1[..31], &format!("{K1}0"), &last_differs, &format!("{K1}, {K1}"), K2] {
            assert_eq!(take(&[("x-front-key", key)], &[K1]), Passage::Past, "{key}");
        }
    }

    #[test]
    fn a_front_that_names_nobody_leaves_the_address_of_the_connection() {
        for address in ["", "unknown", "198.51.100.1:46532", "198.51.100.1, 203.0.113.7"] {
            assert_eq!(take(&[("x-front-key", K1), ("x-front-address", address)], &[K1]), Passage::Direct, "{address}");
        }
        let v6 = [("x-front-key", K1), ("x-front-address", "2001:db8::1")];
        assert_eq!(take(&v6, &[K1]), Passage::ByFront("2001:db8::1".parse().unwrap()));
    }
}
