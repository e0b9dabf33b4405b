//! Known devices: what the token of a device says, and who is counted as one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::user::UserId;

/// How long a device is known: 90 days.
pub const DEVICE_TTL_SECS: u64 = 90 * 24 * 3600;

/// Bytes of the part that is signed: the user's id, its epoch and the end.
pub const SIGNED_BYTES: usize = 32;

/// Bytes of the signature.
pub const MAC_BYTES: usize = 32;

/// Who tries or asks for a code. Strangers share the limits of a phone; its known devices have limits of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Client {
    /// Anybody.
    Stranger,
    /// A device on which the phone's user signed in or registered.
    KnownDevice,
}

impl Client {
    /// The word in names of the cache.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::KnownDevice => "device",
        }
    }
}

/// A device on which a user signed in or registered. It signs nobody in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Device {
    /// Whose device.
    pub user_id: UserId,
    /// The user's epoch at that time; a device of an older one is a stranger.
    pub epoch: u64,
    /// Seconds since the Unix epoch after which it is a stranger.
    pub ends: u64,
}

impl Device {
    /// What is signed.
    #[must_use]
    pub fn to_bytes(self) -> [u8; SIGNED_BYTES] {
        let mut bytes = [0; SIGNED_BYTES];
        bytes[..16].copy_from_slice(self.user_id.as_bytes());
        bytes[16..24].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[24..].copy_from_slice(&self.ends.to_be_bytes());
        bytes
    }

    /// Reads [`Self::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; SIGNED_BYTES]) -> Self {
        let (mut user_id, mut epoch, mut ends) = ([0; 16], [0; 8], [0; 8]);
        user_id.copy_from_slice(&bytes[..16]);
        epoch.copy_from_slice(&bytes[16..24]);
        ends.copy_from_slice(&bytes[24..]);
        let (epoch, ends) = (u64::from_be_bytes(epoch), u64::from_be_bytes(ends));
        Self { user_id: UserId::from_bytes(user_id), epoch, ends }
    }

    /// The token: what is signed and the signature, in base64url.
    #[must_use]
    pub fn token(self, mac: &[u8; MAC_BYTES]) -> String {
        URL_SAFE_NO_PAD.encode([self.to_bytes(), *mac].concat())
    }

    /// What a token says, and its signature, which is not verified here.
    #[must_use]
    pub fn read(token: &str) -> Option<(Self, [u8; MAC_BYTES])> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, mac) = bytes.split_first_chunk()?;
        Some((Self::from_bytes(*signed), mac.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_for_90_days_and_under_the_name_of_its_kind() {
        assert_eq!(DEVICE_TTL_SECS, 7_776_000);
        assert_eq!([Client::Stranger, Client::KnownDevice].map(Client::as_str), ["stranger", "device"]);
    }

    #[test]
    fn a_token_reads_back() {
        let device = Device { user_id: UserId::new(1, 16).unwrap(), epoch: 7, ends: 1_803_052_800 };
        let token = device.token(&[9; MAC_BYTES]);
        assert_eq!(Device::read(&token), Some((device, [9; MAC_BYTES])));
        for other in ["", "x", &token[1..], &format!("{token}AAAA"), &format!("{token}="), &format!(" {token}")] {
            assert_eq!(Device::read(other), None, "{other}");
        }
    }
}
