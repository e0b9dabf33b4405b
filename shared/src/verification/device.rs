//! Tokens of known devices (OWASP, "Slow down online guessing attacks with device cookies"): who signed in or registered on a
//! device has an allowance of its own there, so that strangers cannot close a phone for its owner.
//!
//! A token is signed for its phone with the keys of verification codes, and nothing is stored for it. It signs nobody in.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::code::{Codes, Tag, keyed};
use crate::error::Error;
use crate::models::call::Call;
use crate::models::device::{Client, DEVICE_TTL_SECS, Device};
use crate::models::keys::{Key, KeyRing};
use crate::models::phone::Phone;
use crate::models::user::UserId;

/// How long the cache may take for a copy of an epoch: other steps follow, and a reply leaves within 2.5 s.
const EPOCH_KNOWN: Duration = Duration::from_millis(100);

impl Codes {
    /// A token for the device of the phone's user, known from `from_ms` on, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// A key that cannot be had.
    pub async fn device_token(
        &self,
        call: &Call,
        phone: &Phone,
        user_id: UserId,
        epoch: u64,
        from_ms: u64,
    ) -> Result<String, Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        Ok(sign(&keys.current, phone, Device { user_id, epoch, ends: from_ms / 1000 + DEVICE_TTL_SECS }))
    }

    /// The known devices of the phone that a call brings. Whether one is of the user's epoch of today shows in the user's row, or see
    /// [`Self::client_of_now`].
    ///
    /// # Errors
    /// A key that cannot be had.
    pub(super) async fn devices(&self, call: &Call, phone: &Phone) -> Result<Vec<Device>, Error> {
        if call.devices.is_empty() {
            return Ok(Vec::new());
        }
        let keys = self.keys.get(call.now.timestamp()).await?;
        Ok(call.devices.iter().filter_map(|token| verify(&keys, phone, token, call.now.secs())).collect())
    }

    /// Who asks, where no row is read: a device is known unless its user's epoch was raised since, as the cache has it. That costs a
    /// round trip, for who brings a device; while the cache does not answer, everybody is a stranger.
    ///
    /// # Errors
    /// A key that cannot be had.
    pub(super) async fn client_of_now(&self, call: &Call, phone: &Phone) -> Result<Client, Error> {
        let devices = self.devices(call, phone).await?;
        let are_of_now = join_all(devices.iter().map(async |device| {
            let raised = timeout(EPOCH_KNOWN, self.cache.epoch_for_devices(phone, device.user_id)).await;
            raised.is_ok_and(|raised| {
                raised.is_ok_and(|raised| raised.is_none_or(|raised| raised.number <= device.epoch))
            })
        }));
        Ok(client(are_of_now.await.contains(&true)))
    }
}

/// The kind of client that has, or has not, a known device.
pub(super) fn client(is_known: bool) -> Client {
    if is_known { Client::KnownDevice } else { Client::Stranger }
}

pub(crate) fn sign(key: &Key, phone: &Phone, device: Device) -> String {
    let mac = mac_of(key, phone, device).into_bytes();
    device.token(&mac.into())
}

/// The device of a token that one of the keys signed for this phone, and that has not ended.
pub(crate) fn verify(keys: &KeyRing, phone: &Phone, token: &str, now_secs: u64) -> Option<Device> {
    let (device, mac) = Device::read(token)?;
    let mac = Tag::new(mac.into());
    let is_signed = keys.keys().any(|key| mac_of(key, phone, device) == mac);
    (is_signed && now_secs < device.ends).then_some(device)
}

fn mac_of(key: &Key, phone: &Phone, device: Device) -> Tag {
    keyed(key, "device", &[phone.e164().as_bytes(), &device.to_bytes()])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ring(kid: &str, previous: &str) -> KeyRing {
        let key = |kid: &str| json!({ "kid": kid, "key": kid.repeat(32) });
        let mut ring = key(kid);
        ring["previous"] = key(previous);
        serde_json::from_value(ring).unwrap()
    }

    fn phone(e164: &str) -> Phone {
        Phone::stored(e164.to_owned())
    }

    #[test]
    fn a_device_is_known_for_its_phone_until_its_end() {
        let ring = ring("b", "a");
        let one = phone("+8613800138000");
        let device = Device { user_id: UserId::new(1, 1).unwrap(), epoch: 3, ends: 1000 };
        let token = sign(&ring.current, &one, device);
        let known = |phone: &Phone, token: &str, now| verify(&ring, phone, token, now);
        assert_eq!(known(&one, &token, 999), Some(device));
        assert_eq!(known(&one, &token, 1000), None);
        assert_eq!(known(&phone("+8613800138001"), &token, 999), None);
        let forged = Device { epoch: 4, ..device }.token(&Device::read(&token).unwrap().1);
        assert_eq!(known(&one, &forged, 999), None);
    }

    #[test]
    fn a_key_that_has_left_the_ring_knows_no_device() {
        let one = phone("+8613800138000");
        let device = Device { user_id: UserId::new(1, 1).unwrap(), epoch: 0, ends: 1000 };
        let token = sign(&ring("b", "a").current, &one, device);
        let known = |ring: &KeyRing| verify(ring, &one, &token, 1).is_some();
        assert!(known(&ring("c", "b")) && !known(&ring("d", "c")));
    }
}
