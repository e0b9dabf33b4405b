//! The network that a request comes from.

use std::net::{IpAddr, Ipv6Addr};

/// Who asks, as far as the network shows: the address that the front saw, never one that the client states.
#[derive(Clone)]
pub struct Network(String);

impl Network {
    /// An IPv4 address as it is. Of an IPv6 address the first 64 bits: one subscriber has all that share them (RFC
    /// 6177), and an attacker would have each as many addresses as it wants.
    #[must_use]
    pub fn of(source_ip: &str) -> Self {
        Self(match source_ip.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => address.to_string(),
            Ok(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            // No gateway sends such an event. Whoever finds a way shares one count.
            Err(_) => "unknown".to_owned(),
        })
    }

    /// What limits count by.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
}
