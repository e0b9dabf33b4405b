//! Text messages: with a code, and notices.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::aws::Task;
use crate::clock::Now;
use crate::config::SmsText;
use crate::models::call::Call;
use crate::models::language::Language;
use crate::models::message_kind::MessageKind;
use crate::models::notice::Notice;
use crate::models::phone::Phone;

/// How long a notice may be late.
const NOTICE_MS: u64 = 3_600_000;

/// The task of sending a message. It carries the code's seed and not the code, so that no queue holds one.
#[derive(Serialize, Deserialize)]
pub struct SendSms {
    /// What it is about. Older code sent codes alone.
    #[serde(default)]
    pub(crate) kind: MessageKind,
    /// E.164.
    pub(crate) phone: String,
    /// The code follows from it; empty in a notice.
    pub(crate) seed: String,
    /// The last moment at which it helps somebody, in milliseconds since the Unix epoch.
    good_until_ms: u64,
    /// Whole minutes for which it was good when it was asked for, rounded down. Older code did not write it.
    #[serde(default = "unknown_minutes")]
    minutes: u64,
    /// That of the request. Older code did not write it.
    #[serde(default)]
    pub(crate) language: Language,
    /// Days for which a deleted account can be restored.
    #[serde(default)]
    days: u16,
}

/// As many as are left when the message is sent.
fn unknown_minutes() -> u64 {
    u64::MAX
}

impl Task for SendSms {
    const NAME: &'static str = "send_sms";

    fn masked_phone(&self) -> Option<String> {
        Some(Phone::stored(self.phone.clone()).masked())
    }
}

impl SendSms {
    /// The code of `seed`, to `phone`, good for so long from the call on, in the language of the caller.
    pub(crate) fn new(call: &Call, phone: &Phone, seed: String, good_for: Duration) -> Self {
        let good_for_ms = u64::try_from(good_for.as_millis()).unwrap_or(u64::MAX);
        let good_until_ms = call.now.millis().saturating_add(good_for_ms);
        Self {
            kind: MessageKind::Code,
            phone: phone.e164().to_owned(),
            seed,
            good_until_ms,
            minutes: good_for_ms / 60_000,
            language: call.language,
            days: 0,
        }
    }

    /// A notice of what was done at that time.
    pub(crate) fn notice(notice: &Notice, made_at_ms: u64, days: u16) -> Self {
        let Notice { kind, phone, language } = notice.clone();
        let good_until_ms = made_at_ms.saturating_add(NOTICE_MS);
        Self { kind, phone, seed: String::new(), good_until_ms, minutes: NOTICE_MS / 60_000, language, days }
    }

    /// What the message says. A notice has no code.
    pub(crate) fn message<'a>(&self, now: &Now, text: &'a SmsText, signature: &'a str, code: &'a str) -> Message<'a> {
        // The task runs a moment after the request; a late delivery names fewer.
        let minutes = self.minutes.min(self.good_until_ms.saturating_sub(now.millis()).div_ceil(60_000));
        let value = |place: &str| match place {
            "code" => code.to_owned(),
            "minutes" => minutes.to_string(),
            _ => self.days.to_string(),
        };
        let params = self.kind.places().iter().map(|place| (*place, value(place))).collect();
        Message { text, signature, params }
    }

    /// Whether its time is over, and so it helps nobody.
    pub(crate) fn has_expired(&self, now: &Now) -> bool {
        self.good_until_ms <= now.millis()
    }
}

/// A text with what stands in its places.
pub struct Message<'a> {
    text: &'a SmsText,
    signature: &'a str,
    params: Params,
}

/// What the places of a text, and of a provider's own template, are filled with; in the order of [`MessageKind::places`].
type Params = Vec<(&'static str, String)>;

impl<'a> Message<'a> {
    /// The whole text.
    pub(super) fn text(&self) -> String {
        // The signature last, so that nothing in it is taken for a place.
        let fill = |text: String, (place, value): &(&str, String)| text.replace(&format!("{{{place}}}"), value);
        let text = self.params.iter().rev().fold(self.text.text.clone(), fill);
        text.replace("{signature}", self.signature)
    }

    /// The name of the sender.
    pub(super) fn signature(&self) -> &'a str {
        self.signature
    }

    /// The provider's name of the text.
    pub(super) fn template(&self) -> &'a str {
        &self.text.template
    }

    /// The places of the text with what stands in them, in the order of the text; the signature is none.
    pub(super) fn places(&self) -> Vec<(&'static str, &str)> {
        let found = self
            .params
            .iter()
            .filter_map(|(name, value)| Some((self.text.text.find(&format!("{{{name}}}"))?, *name, value.as_str())));
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        found.into_iter().map(|(_, name, value)| (name, value)).collect()
    }

    /// What the template is filled with.
    pub(super) fn params(&self) -> BTreeMap<&'static str, &str> {
        self.params.iter().map(|(place, value)| (*place, value.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;

    fn task(language: &str) -> SendSms {
        serde_json::from_value(
            json!({ "phone": "+8613800138000", "seed": "s", "good_until_ms": 300_000, "minutes": 5, "language": language }),
        )
        .unwrap()
    }

    #[test]
    fn the_places_of_a_text_are_filled() {
        let text =
            SmsText { text: "[{signature}] {code} is good for {minutes} min".to_owned(), template: "T1".to_owned() };
        let now = Now::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let sms = task("en");
        let message = sms.message(&now, &text, "{code}", "012345");
        assert_eq!(message.text(), "[{code}] 012345 is good for 5 min");
        assert_eq!((message.template(), message.signature()), ("T1", "{code}"));
        assert_eq!(serde_json::to_value(message.params()).unwrap(), json!({ "code": "012345", "minutes": "5" }));
    }

    #[test]
    fn places_stand_in_the_order_of_the_text() {
        let now = Now::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        for (text, expected) in [
            ("[{signature}] {code}, {minutes} min", &[("code", "012345"), ("minutes", "5")][..]),
            ("{minutes} min: {code}", &[("minutes", "5"), ("code", "012345")]),
            ("{code}", &[("code", "012345")]),
        ] {
            let text = SmsText { text: text.to_owned(), template: "T1".to_owned() };
            assert_eq!(task("en").message(&now, &text, "badge", "012345").places(), expected);
        }
    }

    #[test]
    fn the_text_names_whole_minutes_rounded_down() {
        let text = SmsText { text: "{minutes}".to_owned(), template: String::new() };
        for (good_for, late, minutes) in
            [(300, 0, 5), (300, 1, 5), (299, 0, 4), (200, 1, 3), (60, 0, 1), (60, 30, 1), (300, 61, 4), (300, 250, 1)]
        {
            let sms = SendSms {
                kind: MessageKind::Code,
                phone: "+8613800138000".to_owned(),
                seed: "k1.x".to_owned(),
                good_until_ms: good_for * 1_000,
                minutes: good_for / 60,
                language: Language::Chinese,
                days: 0,
            };
            let now = Now::new(Timestamp::from_second(late).unwrap(), TimeZone::UTC);
            assert_eq!(sms.message(&now, &text, "", "").text(), minutes.to_string(), "{good_for} {late}");
        }
    }

    #[test]
    fn a_notice_has_the_places_of_its_kind() {
        let text = SmsText { text: "[{signature}] {days} days {code}".to_owned(), template: "T2".to_owned() };
        let now = Now::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let mut sms = task("en");
        for (kind, says, params) in [
            (MessageKind::AccountDeleted, "[b] 15 days {code}", json!({ "days": "15" })),
            (MessageKind::PhoneChanged, "[b] {days} days {code}", json!({})),
        ] {
            (sms.kind, sms.days) = (kind, 15);
            let message = sms.message(&now, &text, "b", "");
            assert_eq!(message.text(), says);
            assert_eq!(serde_json::to_value(message.params()).unwrap(), params);
        }
    }

    #[test]
    fn a_task_of_older_code_is_a_code_in_chinese() {
        let task: SendSms = serde_json::from_value(json!({ "phone": "p", "seed": "s", "good_until_ms": 1 })).unwrap();
        assert_eq!((task.language, task.minutes, task.kind), (Language::Chinese, u64::MAX, MessageKind::Code));
        assert_eq!(serde_json::to_value(self::task("en")).unwrap()["language"], "en");
    }

    #[test]
    fn a_code_expires_at_its_last_moment() {
        let at = |millis| Now::new(Timestamp::from_millisecond(millis).unwrap(), TimeZone::UTC);
        assert!(!task("zh").has_expired(&at(299_999)) && task("zh").has_expired(&at(300_000)));
    }
}
