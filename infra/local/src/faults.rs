//! Fault injection: which part fails, how, and how often.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::random;

/// The current faults. Each part fails independently; a part without a fault works.
#[derive(Debug, Default)]
pub(crate) struct Faults(watch::Sender<Plan>);

/// The faults, as `PUT /_stage/faults` takes it and `GET /_stage/state` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dynamodb: Option<Fault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    invoke: Option<InvokeFault>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "without_conflict")]
    redis: Option<Fault>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "without_conflict")]
    sms: Option<Fault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream: Option<StreamFault>,
}

/// What happens to batches of streams.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StreamFault {
    /// The share of batches that are delivered twice.
    #[serde(default = "Rate::never")]
    duplicate_rate: Rate,
    /// The share of batches whose response is lost, so that they are retried although they were handled.
    #[serde(default = "Rate::never")]
    lose_rate: Rate,
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
    /// An asynchronous or scheduled event is delivered twice, at the same time.
    Duplicate,
    /// Lambda accepts no asynchronous or scheduled event, as when it throttles.
    Refuse,
    /// The sandbox is killed when it has sent its response, which is discarded.
    KillBeforeReply,
}

/// A fault of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, remote = "Self")]
struct Fault {
    mode: Mode,
    /// How long it hangs (without it: until the fault is cleared), or its delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(default)]
    rate: Rate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Refuse,
    Hang,
    Slow,
    Throttle,
    /// Another transaction holds the item.
    Conflict,
}

/// The share of requests that fail, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
struct Rate(f64);

/// The stores whose requests pass a fault proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    DynamoDb,
    Redis,
}

/// What happens to a request to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Passes,
    /// Its connection is reset.
    Breaks,
    Throttled,
    /// Only if it writes; else it passes.
    Conflicts,
}

/// What the SMS provider does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Takes,
    /// After a delay.
    TakesAfter(Duration),
    Refuses,
    /// Too many messages.
    Throttles,
    /// Without accepting it; without a duration, forever.
    Hangs(Option<Duration>),
}

impl Faults {
    /// Replaces all faults.
    pub(crate) fn set(&self, plan: Plan) {
        self.0.send_replace(plan);
    }

    pub(crate) fn plan(&self) -> Plan {
        *self.0.borrow()
    }

    /// Whether to deliver this event twice.
    pub(crate) fn duplicates(&self) -> bool {
        self.hits_invocation(InvokeMode::Duplicate)
    }

    /// Whether Lambda refuses this event.
    pub(crate) fn refuses(&self) -> bool {
        self.hits_invocation(InvokeMode::Refuse)
    }

    /// Whether to kill this sandbox before its response counts.
    pub(crate) fn kills_before_reply(&self) -> bool {
        self.hits_invocation(InvokeMode::KillBeforeReply)
    }

    /// Whether to deliver this batch of a stream twice.
    pub(crate) fn duplicates_batch(&self) -> bool {
        self.plan().stream.is_some_and(|fault| fault.duplicate_rate.hits())
    }

    /// Whether the response to this batch is lost.
    pub(crate) fn loses_batch(&self) -> bool {
        self.plan().stream.is_some_and(|fault| fault.lose_rate.hits())
    }

    /// What happens to this message.
    pub(crate) fn provider(&self) -> Provider {
        let fault = self.plan().sms.filter(|fault| fault.rate.hits());
        let Some(fault) = fault else { return Provider::Takes };
        match fault.mode {
            Mode::Refuse => Provider::Refuses,
            Mode::Throttle | Mode::Conflict => Provider::Throttles,
            Mode::Hang => Provider::Hangs(fault.time()),
            Mode::Slow => Provider::TakesAfter(fault.time().unwrap_or_default()),
        }
    }

    /// What happens to this request to a store, after its delay.
    pub(crate) async fn fate(&self, backend: Backend) -> Fate {
        let Some(fault) = self.plan().of(backend).filter(|fault| fault.rate.hits()) else { return Fate::Passes };
        match fault.mode {
            Mode::Refuse => Fate::Breaks,
            Mode::Throttle => Fate::Throttled,
            Mode::Conflict => Fate::Conflicts,
            Mode::Slow => {
                sleep(fault.time().unwrap_or_default()).await;
                Fate::Passes
            }
            Mode::Hang => {
                let over = self.until(|plan| plan.of(backend) != Some(fault));
                match fault.time() {
                    // Ends when the time is up or the fault is cleared.
                    Some(time) => drop(timeout(time, over).await),
                    None => over.await,
                }
                // The client may have given up: a late reply would answer another request.
                Fate::Breaks
            }
        }
    }

    /// Waits until a store refuses everything.
    pub(crate) async fn down(&self, backend: Backend) {
        self.until(|plan| plan.of(backend).is_some_and(|fault| fault.mode == Mode::Refuse && fault.rate.0 >= 1.0))
            .await;
    }

    async fn until(&self, is_so: impl Fn(&Plan) -> bool) {
        // Cannot fail: `self` owns the sender.
        let _ = self.0.subscribe().wait_for(is_so).await;
    }

    fn hits_invocation(&self, mode: InvokeMode) -> bool {
        self.plan().invoke.is_some_and(|fault| fault.mode == mode && fault.rate.hits())
    }
}

impl Plan {
    fn of(&self, backend: Backend) -> Option<Fault> {
        match backend {
            Backend::DynamoDb => self.dynamodb,
            Backend::Redis => self.redis,
        }
    }
}

impl Fault {
    fn time(&self) -> Option<Duration> {
        self.ms.map(Duration::from_millis)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The derived implementation, which `remote` makes an inherent function.
        let fault = Self::deserialize(deserializer)?;
        match (fault.mode, fault.ms) {
            (Mode::Slow, None) => Err(de::Error::custom("slow needs ms")),
            (Mode::Refuse | Mode::Throttle | Mode::Conflict, Some(_)) => {
                Err(de::Error::custom("ms is for slow and hang"))
            }
            _ => Ok(fault),
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

fn without_conflict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Fault>, D::Error> {
    let fault = Option::<Fault>::deserialize(deserializer)?;
    if fault.is_some_and(|fault| fault.mode == Mode::Conflict) {
        return Err(de::Error::custom("conflict is for dynamodb: nothing else has transactions"));
    }
    Ok(fault)
}

impl Rate {
    fn never() -> Self {
        Self(0.0)
    }

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

    use super::{Backend, Fate, Faults, Plan, Provider};

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
    fn a_batch_is_duplicated_or_lost_only_when_asked_to() {
        let (none, both) = (faults("{}"), faults(r#"{"stream": {"duplicate_rate": 1, "lose_rate": 1}}"#));
        assert!(!none.duplicates_batch() && !none.loses_batch());
        assert!(both.duplicates_batch() && both.loses_batch());
        let one = faults(r#"{"stream": {"duplicate_rate": 1}}"#);
        assert!(one.duplicates_batch() && !one.loses_batch());
    }

    #[test]
    fn the_provider_does_what_its_mode_says() {
        let provider = |text| faults(text).provider();
        assert_eq!(provider("{}"), Provider::Takes);
        assert_eq!(provider(r#"{"sms": {"mode": "refuse"}}"#), Provider::Refuses);
        assert_eq!(provider(r#"{"sms": {"mode": "throttle"}}"#), Provider::Throttles);
        assert_eq!(provider(r#"{"sms": {"mode": "hang"}}"#), Provider::Hangs(None));
        let slow = Provider::TakesAfter(Duration::from_millis(7));
        assert_eq!(provider(r#"{"sms": {"mode": "slow", "ms": 7}}"#), slow);
    }

    #[tokio::test]
    async fn a_hanging_request_is_lost_when_the_fault_is_cleared() {
        let faults = faults(r#"{"redis": {"mode": "hang"}}"#);
        let (fate, ()) = tokio::join!(faults.fate(Backend::Redis), async { faults.set(Plan::default()) });
        assert_eq!(fate, Fate::Breaks);
        assert_eq!(faults.fate(Backend::Redis).await, Fate::Passes);
        assert_eq!(faults.fate(Backend::DynamoDb).await, Fate::Passes);
    }

    #[test]
    fn an_unknown_fault_is_refused() {
        for text in [
            r#"{"invoke": {"mode": "explode"}}"#,
            r#"{"invoke": {"mode": "duplicate", "rate": 2}}"#,
            r#"{"sms": {"mode": "slow", "seconds": 1}}"#,
            r#"{"stream": {"mode": "refuse"}}"#,
            r#"{"weather": {"mode": "refuse"}}"#,
            r#"{"redis": {"mode": "conflict"}}"#,
            r#"{"sms": {"mode": "conflict"}}"#,
            r#"{"dynamodb": {"mode": "slow"}}"#,
            r#"{"dynamodb": {"mode": "refuse", "ms": 1}}"#,
        ] {
            assert!(serde_json::from_str::<Plan>(text).is_err(), "{text}");
        }
    }
}
