//! `[sms]`: the provider of text messages, and what they cost.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::{SettingError, require};
use super::money::parts;
use crate::models::language::Language;
use crate::models::message_kind::MessageKind;
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
    texts: Texts,
}

/// `[sms.texts]`: what messages of each kind say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    code: Translations,
    phone_changed: Translations,
    account_deleted: Translations,
}

/// `[sms.texts.<kind>]`. Where a text has to be registered before it is sent, a language whose text is not can be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Translations {
    zh: SmsText,
    en: Option<SmsText>,
}

/// A text of a message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsText {
    /// The text, in which `{signature}` is replaced and what [`MessageKind::places`] names.
    pub text: String,
    /// The provider's name of the text, for those that send registered texts only.
    #[serde(default)]
    pub template: String,
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
        let mut texts = [Some(&self.texts.code.zh), self.texts.code.en.as_ref()].into_iter().flatten();
        require(
            texts.all(|text| text.text.contains("{code}")),
            "sms.texts",
            "must each have the place {code} in a code's text",
        )?;
        let is_possible = self.prices.values().all(|price| (0.0..1000.0).contains(price));
        require(is_possible, "sms.prices", "must be 0 to 1000")?;
        let has_price = |code: &String| self.prices.contains_key(code);
        require(
            rules.allowed_regions.iter().all(|region| has_price(&region.to_string())),
            "sms.prices",
            "must have a price for each of phone.allowed_regions",
        )
    }

    /// The text of messages of this kind in this language, or the Chinese one.
    #[must_use]
    pub fn text(&self, kind: MessageKind, language: Language) -> &SmsText {
        let texts = match kind {
            MessageKind::Code => &self.texts.code,
            MessageKind::PhoneChanged => &self.texts.phone_changed,
            MessageKind::AccountDeleted => &self.texts.account_deleted,
        };
        match language {
            Language::English => texts.en.as_ref().unwrap_or(&texts.zh),
            Language::Chinese => &texts.zh,
        }
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

#[cfg(test)]
mod tests {
    use rlibphonenumber::enums::Region;

    use super::*;
    use crate::models::params::Rules;

    fn sms(rest: &str) -> Result<Sms, String> {
        let notices = format!("texts.phone_changed = {{ {ZH} }}\ntexts.account_deleted = {{ {ZH} }}");
        toml::from_str(&format!("provider = \"http\"\nsignature = \"badge\"\n{notices}\n{rest}"))
            .map_err(|error| error.to_string())
    }

    const ZH: &str = "zh = { text = \"码{code}\", template = \"T\" }";

    #[test]
    fn a_message_costs_what_its_region_costs_or_the_dearest() {
        let settings = sms(&format!("prices = {{ CN = 0.045, DE = 0.1 }}\ntexts.code = {{ {ZH} }}")).unwrap();
        let rules = Rules::sample().phone;
        let phone = Phone::parse("13800138000", &rules).ok().unwrap();
        assert_eq!(settings.price(&phone, &rules), 45_000);
        let without = PhoneRules { allowed_regions: vec![Region::US], ..rules };
        assert_eq!(settings.price(&phone, &without), 100_000);
    }

    #[test]
    fn every_served_region_has_a_possible_price() {
        let rules = Rules::sample().phone;
        let check =
            |prices: &str| sms(&format!("prices = {{ {prices} }}\ntexts.code = {{ {ZH} }}")).unwrap().check(&rules);
        assert!(check("CN = 0.0").is_ok() && check("CN = 999.9, DE = 1.0").is_ok());
        for prices in ["DE = 1.0", "", "CN = -0.1", "CN = 1000.0", "CN = nan", "CN = 1.0, DE = -1.0"] {
            assert!(check(prices).unwrap_err().to_string().starts_with("sms.prices"), "{prices}");
        }
    }

    fn text(sms: &Sms, language: Language) -> &SmsText {
        sms.text(MessageKind::Code, language)
    }

    #[test]
    fn a_text_is_of_its_language_and_has_a_place_for_the_code() {
        let with = |texts: &str| sms(&format!("prices = {{ CN = 1.0 }}\ntexts.code = {{ {texts} }}"));
        let both = with(&format!("{ZH}, en = {{ text = \"{{code}}!\" }}")).unwrap();
        assert_eq!(
            (&*text(&both, Language::Chinese).text, &*text(&both, Language::English).text),
            ("码{code}", "{code}!")
        );
        assert_eq!((&*text(&both, Language::Chinese).template, &*text(&both, Language::English).template), ("T", ""));
        assert_eq!(text(&with(ZH).unwrap(), Language::English).text, "码{code}");
        assert_eq!(both.text(MessageKind::PhoneChanged, Language::English).template, "T");
        let rules = Rules::sample().phone;
        assert!(both.check(&rules).is_ok());
        for texts in ["zh = { text = \"码\" }", &format!("{ZH}, en = {{ text = \"code\" }}")] {
            assert!(with(texts).unwrap().check(&rules).unwrap_err().to_string().starts_with("sms.texts"), "{texts}");
        }
        for texts in ["", "en = { text = \"{code}\" }", &format!("{ZH}, fr = {{ text = \"{{code}}\" }}")] {
            assert!(with(texts).is_err(), "{texts}");
        }
    }
}
