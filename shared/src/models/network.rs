//! The network that a request comes from.

use std::net::{IpAddr, Ipv6Addr};

/// Who asks, as far as the network shows: the address that the front saw, never one that the client states.
#[derive(Clone)]
pub struct Network {
    name: String,
    v6: Option<Ipv6Addr>,
}

impl Network {
    /// An IPv4 address as it is. Of an IPv6 address the first 64 bits: one subscriber has all that share them (RFC
    /// 6177), and an attacker would have each as many addresses as it wants.
    #[must_use]
    pub fn of(source_ip: &str) -> Self {
        match source_ip.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => Self { name: address.to_string(), v6: None },
            Ok(IpAddr::V6(address)) => Self { name: range(address, 64), v6: Some(address) },
            // No gateway sends such an event. If one comes all the same, all of them share one count.
            Err(_) => Self { name: "unknown".to_owned(), v6: None },
        }
    }

    /// What limits count by.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What its user may be shown: an address without its last part.
    #[must_use]
    pub fn masked(&self) -> String {
        match (self.range(48), self.name.rsplit_once('.')) {
            (Some(range), _) => range,
            (None, Some((rest, _))) => format!("{rest}.*"),
            (None, None) => self.name.clone(),
        }
    }

    /// The range of IPv6 addresses with the same first `bits`, of which a customer or a provider may have many
    /// networks; none of an IPv4 address.
    #[must_use]
    pub fn range(&self, bits: u8) -> Option<String> {
        self.v6.map(|address| range(address, bits))
    }
}

fn range(address: Ipv6Addr, bits: u8) -> String {
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
    format!("{}/{bits}", Ipv6Addr::from_bits(address.to_bits() & mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscriber_of_either_protocol_is_one_network() {
        for (source_ip, network) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
            ("203.0.113.7, 10.0.0.1", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(Network::of(source_ip).as_str(), network, "{source_ip}");
        }
    }

    #[test]
    fn what_is_shown_lacks_the_last_part() {
        for (source_ip, shown) in [
            ("203.0.113.7", "203.0.113.*"),
            ("::ffff:203.0.113.7", "203.0.113.*"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("", "unknown"),
        ] {
            assert_eq!(Network::of(source_ip).masked(), shown, "{source_ip}");
        }
    }

    #[test]
    fn networks_of_ipv6_lie_in_wider_ranges() {
        let ranges = |source_ip: &str| [56, 48].map(|bits| Network::of(source_ip).range(bits));
        let expected = ["2001:db8:1:ab00::/56", "2001:db8:1::/48"].map(|range| Some(range.to_owned()));
        assert_eq!(ranges("2001:db8:1:abcd:3:4:5:6"), expected);
        for source_ip in ["203.0.113.7", "::ffff:203.0.113.7", "unknown"] {
            assert_eq!(ranges(source_ip), [None, None], "{source_ip}");
        }
    }
}
