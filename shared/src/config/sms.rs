//! `[sms]`: the provider of text messages, and what they cost.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::{SettingError, require};
use super::money::parts;
use crate::models::phone::{Phone, PhoneRules};

/// `[sms]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Which provider sends.
    pub provider: SmsProvider,
    /// The name before the text, as Chinese carriers ask for it: `【badge】`. With `sns` it is the sender's name too, if
    /// it has at most 11 letters and digits of ASCII and one of them is a letter.
    pub signature: String,
    /// What one message costs, by region. Any unit will do, as long as `max_money` in `limits` has the same.
    prices: BTreeMap<String, f64>,
}

/// The known providers.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SmsProvider {
    /// A JSON POST to `SMS_URL`.
    Http,
    /// Amazon SNS.
    Sns,
}

impl Sms {
    pub(super) fn check(&self, rules: &PhoneRules) -> Result<(), SettingError> {
        let is_possible = self.prices.values().all(|price| (0.0..1000.0).contains(price));
        require(is_possible, "sms.prices", "must be 0 to 1000")?;
        let has_price = |code: &String| self.prices.contains_key(code);
        require(
            rules.allowed_regions.iter().all(|region| has_price(&region.to_string())),
            "sms.prices",
            "must have a price for each of phone.allowed_regions",
        )
    }

    /// What a message to this phone costs, in parts of money.
    #[must_use]
    pub fn price(&self, phone: &Phone, rules: &PhoneRules) -> u64 {
        // A region without a price is not served; should one come here, it costs what the dearest costs.
        let price = phone.region(rules).and_then(|region| self.prices.get(&region.to_string()));
        let dearest = || self.prices.values().max_by(|a, b| a.total_cmp(b));
        price.or_else(dearest).map_or(0, |price| parts(*price))
    }
}
