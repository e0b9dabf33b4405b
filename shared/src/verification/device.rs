//! Tokens of known devices (OWASP, "Slow down online guessing attacks with device cookies"): who signed in or registered on a
//! device has an allowance of its own there, so that strangers cannot close a phone for its owner.
//!
//! A token is signed for its phone with the keys of verification codes, and nothing is stored for it. It signs nobody in.

use super::code::{Codes, Tag, keyed};
use crate::error::Error;
use crate::models::call::Call;
use crate::models::device::{Client, DEVICE_TTL_SECS, Device};
use crate::models::keys::{Key, KeyRing};
use crate::models::phone::Phone;
use crate::models::user::UserId;

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

    /// The known device of the phone that a call comes from; of several the one of the newest epoch. Whether that is the epoch of
    /// today shows in the user's row, or see [`Self::device_of_now`].
    ///
    /// # Errors
    /// A key that cannot be had.
    pub(super) async fn device(&self, call: &Call, phone: &Phone) -> Result<Option<Device>, Error> {
        if call.devices.is_empty() {
            return Ok(None);
        }
        let keys = self.keys.get(call.now.timestamp()).await?;
        let known = call.devices.iter().filter_map(|token| verify(&keys, phone, token, call.now.secs()));
        Ok(known.max_by_key(|device| (device.epoch, device.ends)))
    }

    /// The same where no row is read: not a device whose user's epoch was raised since, as the cache has it. That costs a round trip,
    /// for who brings a device.
    ///
    /// # Errors
    /// A key that cannot be had, or [`Error::Redis`].
    pub(super) async fn device_of_now(&self, call: &Call, phone: &Phone) -> Result<Option<Device>, Error> {
        let Some(device) = self.device(call, phone).await? else { return Ok(None) };
        let raised = self.cache.epoch_for_devices(phone, device.user_id).await?;
        Ok(raised.is_none_or(|raised| raised.number <= device.epoch).then_some(device))
    }
}

/// The kind of client that has, or has not, a known device.
pub(super) fn client(device: Option<Device>) -> Client {
    if device.is_some() { Client::KnownDevice } else { Client::Stranger }
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
