//! Faults on demand: what goes wrong in the stage, and how often, while a test asks for it.

use std::time::Duration;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::random;

/// The faults of a stage. Each part fails by itself; one that is not named works.
#[derive(Debug, Default)]
pub(crate) struct Faults(RwLock<Plan>);

/// What fails, as `PUT /_stage/faults` takes it and `GET /_stage/state` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    invoke: Option<InvokeFault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sms: Option<SmsFault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct InvokeFault {
    mode: InvokeMode,
    #[serde(default)]
    rate: Rate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum InvokeMode {
    /// An asynchronous event or the tick of a schedule is delivered twice, at the same time.
    Duplicate,
    /// The sandbox is killed when it has sent its response, which is thrown away.
    KillBeforeReply,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SmsFault {
    mode: SmsMode,
    /// How long it hangs (for ever without it) or how slow it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(default)]
    rate: Rate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum SmsMode {
    Refuse,
    Hang,
    Slow,
}

/// The share of cases that fail: from 0, none, to 1, all.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
struct Rate(f64);

/// What the SMS provider does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Takes,
    /// After this time.
    TakesAfter(Duration),
    Refuses,
    /// Without taking it; for ever if there is no time.
    Hangs(Option<Duration>),
}

impl Faults {
    /// Replaces all faults.
    pub(crate) fn set(&self, plan: Plan) {
        *self.0.write() = plan;
    }

    pub(crate) fn plan(&self) -> Plan {
        *self.0.read()
    }

    /// Whether this event is to be delivered twice.
    pub(crate) fn duplicates(&self) -> bool {
        self.hits_invocation(InvokeMode::Duplicate)
    }

    /// Whether this sandbox is to be killed before its response counts.
    pub(crate) fn kills_before_reply(&self) -> bool {
        self.hits_invocation(InvokeMode::KillBeforeReply)
    }

    /// What happens to this message.
    pub(crate) fn provider(&self) -> Provider {
        let fault = self.plan().sms.filter(|fault| fault.rate.hits());
        let Some(fault) = fault else { return Provider::Takes };
        let time = fault.ms.map(Duration::from_millis);
        match fault.mode {
            SmsMode::Refuse => Provider::Refuses,
            SmsMode::Hang => Provider::Hangs(time),
            SmsMode::Slow => Provider::TakesAfter(time.unwrap_or(Duration::ZERO)),
        }
    }

    fn hits_invocation(&self, mode: InvokeMode) -> bool {
        self.plan().invoke.is_some_and(|fault| fault.mode == mode && fault.rate.hits())
    }
}

impl Rate {
    fn hits(self) -> bool {
        random::chance(self.0)
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for Rate {
    type Error = &'static str;

    fn try_from(rate: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&rate) { Ok(Self(rate)) } else { Err("rate is from 0 to 1") }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Faults, Plan, Provider};

    fn faults(text: &str) -> Faults {
        let faults = Faults::default();
        faults.set(serde_json::from_str(text).unwrap());
        faults
    }

    #[test]
    fn a_fault_hits_as_often_as_its_rate_says() {
        let always = faults(r#"{"invoke": {"mode": "duplicate"}}"#);
        assert!(always.duplicates() && !always.kills_before_reply());
        let never = faults(r#"{"invoke": {"mode": "kill_before_reply", "rate": 0}}"#);
        assert!(!never.duplicates() && !never.kills_before_reply());
        let half = faults(r#"{"invoke": {"mode": "kill_before_reply", "rate": 0.5}}"#);
        let hits = (0..1_000).filter(|_| half.kills_before_reply()).count();
        // A fair draw is outside these bounds once in far more than a billion runs.
        assert!((350..=650).contains(&hits), "{hits}");
    }

    #[test]
    fn the_provider_does_what_its_mode_says() {
        let provider = |text| faults(text).provider();
        assert_eq!(provider("{}"), Provider::Takes);
        assert_eq!(provider(r#"{"sms": {"mode": "refuse"}}"#), Provider::Refuses);
        assert_eq!(provider(r#"{"sms": {"mode": "hang"}}"#), Provider::Hangs(None));
        let slow = Provider::TakesAfter(Duration::from_millis(7));
        assert_eq!(provider(r#"{"sms": {"mode": "slow", "ms": 7}}"#), slow);
    }

    #[test]
    fn an_unknown_fault_is_refused() {
        for text in [
            r#"{"invoke": {"mode": "explode"}}"#,
            r#"{"invoke": {"mode": "duplicate", "rate": 2}}"#,
            r#"{"sms": {"mode": "slow", "seconds": 1}}"#,
            r#"{"weather": {"mode": "refuse"}}"#,
        ] {
            assert!(serde_json::from_str::<Plan>(text).is_err(), "{text}");
        }
    }
}
