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
    /// For the provider `aliyun`.
    #[serde(default)]
    pub aliyun: Aliyun,
    /// For the provider `tencent`.
    #[serde(default)]
    pub tencent: Tencent,
}

/// `[sms.aliyun]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aliyun {
    /// Where the API is: that of mainland China, or `https://dysmsapi.ap-southeast-1.aliyuncs.com` for accounts of
    /// alibabacloud.com.
    pub endpoint: String,
}

impl Default for Aliyun {
    fn default() -> Self {
        Self { endpoint: "https://dysmsapi.aliyuncs.com".to_owned() }
    }
}

/// `[sms.tencent]`
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct Tencent {
    /// Where the API is: that of mainland China, or `https://sms.intl.tencentcloudapi.com` for international accounts.
    pub endpoint: String,
    /// The region of the application: `ap-guangzhou`, `ap-beijing`, `ap-nanjing`, or `ap-singapore`.
    pub region: String,
    /// The application's `SmsSdkAppId`.
    pub app_id: String,
}

impl Default for Tencent {
    fn default() -> Self {
        let endpoint = "https://sms.tencentcloudapi.com".to_owned();
        Self { endpoint, region: "ap-guangzhou".to_owned(), app_id: String::new() }
    }
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
    /// Alibaba Cloud, which sends registered texts only.
    Aliyun,
    /// Tencent Cloud, which sends registered texts only.
    Tencent,
}

impl SmsProvider {
    /// Whether it has keys in the secret `sms`.
    #[must_use]
    pub fn has_keys(self) -> bool {
        self != Self::Sns
    }

    /// Whether the keys are those that the provider has given us, and of a length that it has chosen.
    pub(crate) fn gives_keys(self) -> bool {
        matches!(self, Self::Aliyun | Self::Tencent)
    }
}

impl Sms {
    pub(super) fn check(&self, rules: &PhoneRules) -> Result<(), SettingError> {
        let codes = [Some(&self.texts.code.zh), self.texts.code.en.as_ref()];
        require(
            codes.into_iter().flatten().all(|text| text.text.contains("{code}")),
            "sms.texts",
            "of kind code must each contain {code}",
        )?;
        let kinds = [&self.texts.code, &self.texts.phone_changed, &self.texts.account_deleted];
        let mut texts = kinds.into_iter().flat_map(|kind| [Some(&kind.zh), kind.en.as_ref()]).flatten();
        let has_template = |text: &SmsText| !text.template.is_empty() || !self.provider.gives_keys();
        require(texts.all(has_template), "sms.texts", "must each name the template that the provider has approved")?;
        let is_tencent = self.provider == SmsProvider::Tencent;
        require(!is_tencent || !self.tencent.app_id.is_empty(), "sms.tencent.app_id", "must be an SmsSdkAppId")?;
        for (key, endpoint) in
            [("sms.aliyun.endpoint", &self.aliyun.endpoint), ("sms.tencent.endpoint", &self.tencent.endpoint)]
        {
            // Loopback is for tests.
            let is_safe = endpoint.starts_with("https://") || endpoint.starts_with("http://127.0.0.1:");
            require(is_safe, key, "must begin with https://")?;
        }
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
        // A region without a price is not served; should one come here, it costs what the most expensive one costs.
        let price = phone.region(rules).and_then(|region| self.prices.get(&region.to_string()));
        let most_expensive = || self.prices.values().max_by(|a, b| a.total_cmp(b));
        price.or_else(most_expensive).map_or(0, |price| parts(*price))
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
    fn providers_of_registered_texts_need_a_template_and_tencent_its_application() {
        let rules = Rules::sample().phone;
        let check = |provider: &str, rest: &str| {
            let prices = "prices = { CN = 1.0 }";
            let text = format!("provider = \"{provider}\"\nsignature = \"badge\"\n{prices}\n{rest}");
            toml::from_str::<Sms>(&text).unwrap().check(&rules).map_err(|error| error.to_string())
        };
        let texts = |of_notices: &str| {
            let (code, notice) = (format!("{{ {ZH} }}"), format!("{{ zh = {{ text = \"n\"{of_notices} }} }}"));
            format!("texts = {{ code = {code}, phone_changed = {notice}, account_deleted = {notice} }}")
        };
        let (bare, named) = (texts(""), texts(", template = \"N\""));
        for provider in ["sns", "http"] {
            assert!(check(provider, &bare).is_ok(), "{provider}");
        }
        for provider in ["aliyun", "tencent"] {
            assert!(check(provider, &bare).unwrap_err().starts_with("sms.texts"), "{provider}");
        }
        assert!(check("aliyun", &named).is_ok());
        assert!(check("tencent", &named).unwrap_err().starts_with("sms.tencent.app_id"));
        assert!(check("tencent", &format!("{named}\n[tencent]\napp_id = \"1400006666\"")).is_ok());
        let plain = format!("{named}\n[aliyun]\nendpoint = \"http://sms.example\"");
        assert!(check("aliyun", &plain).unwrap_err().starts_with("sms.aliyun.endpoint"));
    }

    #[test]
    fn providers_have_keys_of_ours_or_of_theirs_or_none() {
        for (provider, has_keys, gives_keys) in [
            (SmsProvider::Http, true, false),
            (SmsProvider::Sns, false, false),
            (SmsProvider::Aliyun, true, true),
            (SmsProvider::Tencent, true, true),
        ] {
            assert_eq!((provider.has_keys(), provider.gives_keys()), (has_keys, gives_keys));
        }
    }

    #[test]
    fn a_message_costs_what_its_region_costs_or_the_most_expensive() {
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
