//! Abuse limits: which rows of the table in `conf/` a request has to pass. `docs/abuse.md` says what each one stops.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cache::codes::Day;
use crate::cache::limits::{Claim, Row, SENDS, Taken, Wish};
use crate::cache::slot_of;
use crate::config::{Action, Limit, Subject, Window};
use crate::ctx::Ctx;
use crate::error::Error;
use crate::phone::Phone;
use crate::random;

/// Who asks, as far as the network tells: the address that the front saw, never one that the client states.
pub struct Network(pub(crate) String);

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
}

/// The wish to send a message.
pub(crate) fn to_send<'a>(
    ctx: &'a Ctx,
    phone: &Phone,
    network: &Network,
    claim: Option<Claim>,
) -> Result<Wish<'a>, Error> {
    let rows = ctx.config().limits.on(Action::Send).map(|limit| {
        let subject = match limit.key {
            Subject::Phone => phone.e164().to_owned(),
            Subject::Prefix | Subject::Block | Subject::Area => range(phone, limit.key),
            Subject::Ip => network.0.clone(),
            Subject::Stage => "all".to_owned(),
        };
        let cost = if limit.is_money { ctx.config().price(phone) } else { 1 };
        row(limit, subject, cost)
    });
    wish(ctx, SENDS.to_owned(), rows.collect(), "sms_sent", claim)
}

/// How long somebody must not try codes any more.
///
/// # Errors
/// [`Error::Redis`].
pub(crate) async fn wait_to_try(ctx: &Ctx, network: &Network) -> Result<Option<Duration>, Error> {
    match ctx.cache()?.look(&to_try(ctx, network)?).await? {
        Taken::Wait(wait) => Ok(Some(wait)),
        _ => Ok(None),
    }
}

/// Counts a wrong try. A right one does not count, so the limit is asked before and counted after: tries that are
/// judged at the same moment can pass together, and each then counts against its phone, which is exact.
///
/// # Errors
/// [`Error::Redis`].
pub(crate) async fn count_miss(ctx: &Ctx, network: &Network) -> Result<(), Error> {
    ctx.cache()?.take(&to_try(ctx, network)?).await.map(drop)
}

/// The code that has `mac` was used, so somebody reads what is sent to these numbers. If this fails they stay in debt
/// for a day.
pub(crate) async fn prove(ctx: &Ctx, phone: &Phone, mac: &str) {
    let subjects: Vec<_> = ctx
        .config()
        .limits
        .on(Action::Send)
        .filter(|limit| limit.unproven.is_some())
        .map(|limit| range(phone, limit.key))
        .collect();
    if let (false, Ok(cache)) = (subjects.is_empty(), ctx.cache()) {
        drop(cache.prove(mac, &subjects, ctx.config().veri_code.ttl_secs).await);
    }
}

/// The error of a limit.
pub(crate) fn too_many(wait: Duration) -> Error {
    Error::TooManyRequests { retry_after_secs: ceil_secs(wait).max(1) }
}

/// Whole seconds, rounded up, so that nobody comes back too early.
pub(crate) fn ceil_secs(span: Duration) -> u64 {
    u64::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// The stage's day.
pub(crate) fn day(ctx: &Ctx) -> Day {
    Day { date: ctx.now().today(), left: Duration::from_millis(ctx.now().rest_millis_of_day()) }
}

/// The wish to try a code, as far as the network is concerned; what a phone may is counted with its code.
fn to_try<'a>(ctx: &'a Ctx, network: &Network) -> Result<Wish<'a>, Error> {
    let by_network = ctx.config().limits.on(Action::Try).filter(|limit| limit.key == Subject::Ip);
    let rows = by_network.map(|limit| row(limit, network.0.clone(), 1)).collect();
    wish(ctx, slot_of(&network.0), rows, "", None)
}

fn row(limit: &Limit, subject: String, cost: u64) -> Row<'_> {
    let window = match limit.window {
        Window::Sliding(span) => Some(span),
        Window::Day => None,
    };
    Row { name: &limit.name, subject, window, max: limit.max, cost, unproven: limit.unproven }
}

fn wish<'a>(
    ctx: &Ctx,
    slot: String,
    rows: Vec<Row<'a>>,
    figure: &'static str,
    claim: Option<Claim>,
) -> Result<Wish<'a>, Error> {
    // It only has to differ from others of the same millisecond and subject.
    let id = URL_SAFE_NO_PAD.encode(random::bytes::<6>()?);
    Ok(Wish { slot, id, now_ms: ctx.now().millis(), day: day(ctx), rows, figure, claim })
}

/// The number without its last digits.
fn range(phone: &Phone, key: Subject) -> String {
    let left_away = match key {
        Subject::Prefix => 4,
        Subject::Block => 6,
        Subject::Area => 8,
        Subject::Phone | Subject::Ip | Subject::Stage => 0,
    };
    let e164 = phone.e164();
    e164[..e164.len().saturating_sub(left_away)].to_owned()
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
            assert_eq!(Network::of(source_ip).0, network, "{source_ip}");
        }
    }

    #[test]
    fn a_range_lacks_four_six_or_eight_digits() {
        let phone = Phone::stored("+8613800138000".to_owned());
        let ranges = [Subject::Prefix, Subject::Block, Subject::Area].map(|key| range(&phone, key));
        assert_eq!(ranges, ["+861380013", "+8613800", "+86138"]);
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        assert_eq!(ceil_secs(Duration::from_millis(1)), 1);
        assert_eq!(ceil_secs(Duration::from_millis(59_001)), 60);
        assert_eq!(ceil_secs(Duration::from_mins(1)), 60);
    }
}
