//! Abuse limits: which rows of the table in `conf/` a request has to pass. `docs/abuse.md` says what each one stops.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cache::{Cache, Day, Decision, IdempotencyRecord, Row, SENDS, Spend, TryLimit, TryLimits, slot_of};
use crate::clock::Now;
use crate::config::{Action, Config, Limit, Subject, Unverified, Window};
use crate::error::Error;
use crate::models::call::Call;
use crate::models::device::Client;
use crate::models::phone::Phone;
use crate::models::user::UserId;
use crate::random;

/// A message to `phone` that `client` asks for, as the limits count it.
pub(super) fn to_send<'a>(
    config: &'a Config,
    call: &Call,
    phone: &Phone,
    client: Client,
    idempotency: Option<IdempotencyRecord>,
) -> Result<Spend<'a>, Error> {
    let rows = config.limits.on(Action::Send, client).filter_map(|limit| {
        let subject = match limit.key {
            Subject::Phone | Subject::Device => phone.e164().to_owned(),
            Subject::Prefix | Subject::Block | Subject::Area => range(phone, limit.key),
            Subject::Ip => call.network.as_str().to_owned(),
            Subject::Ip56 => call.network.range(56)?,
            Subject::Ip48 => call.network.range(48)?,
            // No row on `send` is by user.
            Subject::User | Subject::Stage => "all".to_owned(),
        };
        let cost = if limit.is_money { config.price(phone) } else { 1 };
        Some(row(limit, client, subject, cost))
    });
    spend(&call.now, SENDS.to_owned(), rows.collect(), "sms_sent", idempotency)
}

/// A notice to `phone`, which the budget alone limits; under the same `id` it counts once.
pub(super) fn to_notify<'a>(config: &'a Config, now: &Now, phone: &Phone, id: &str) -> Result<Spend<'a>, Error> {
    // The reserve is for those who have an account, as they do here.
    let client = Client::KnownDevice;
    let budget = config.limits.on(Action::Send, client).filter(|limit| limit.key == Subject::Stage);
    let cost = |limit: &Limit| if limit.is_money { config.price(phone) } else { 1 };
    let rows = budget.map(|limit| row(limit, client, "all".to_owned(), cost(limit)));
    let once = IdempotencyRecord { key: id.to_owned() };
    spend(now, SENDS.to_owned(), rows.collect(), "sms_sent", Some(once))
}

/// Refuses a network that must not try codes any more.
///
/// # Errors
/// [`Error::TooManyRequests`] or [`Error::Redis`].
pub(crate) async fn may_try(cache: &Cache, config: &Config, call: &Call) -> Result<(), Error> {
    wait_to_try(cache, config, call).await?.map_or(Ok(()), |wait| Err(too_many(wait)))
}

/// How long this network must not try codes any more.
///
/// # Errors
/// [`Error::Redis`].
pub(super) async fn wait_to_try(cache: &Cache, config: &Config, call: &Call) -> Result<Option<Duration>, Error> {
    match cache.check(&to_try(config, call)?).await? {
        Decision::Wait(wait) => Ok(Some(wait)),
        _ => Ok(None),
    }
}

/// Counts a wrong try. A right one does not count, so the limit is asked before and counted after: tries that are
/// judged at the same moment can pass together, and each then counts against its phone, which is exact.
///
/// # Errors
/// [`Error::Redis`].
pub(super) async fn count_miss(cache: &Cache, config: &Config, call: &Call) -> Result<(), Error> {
    cache.spend(&to_try(config, call)?).await.map(drop)
}

/// The code that has `mac` was used, so somebody reads what is sent to these numbers. If this fails, their sends stay
/// unverified for a day.
pub(super) async fn credit(cache: &Cache, config: &Config, phone: &Phone, mac: &str) {
    let counted = config.limits.iter().filter(|limit| limit.on == Action::Send && limit.unverified.is_some());
    let subjects: Vec<_> = counted.map(|limit| range(phone, limit.key)).collect();
    if !subjects.is_empty() {
        drop(cache.credit(mac, &subjects, config.veri_code.ttl_secs).await);
    }
}

/// The limits of a client's wrong tries of a phone.
///
/// # Errors
/// None; see [`crate::config::Limits::tries`].
pub(super) fn tries(config: &Config, client: Client) -> Result<TryLimits<'_>, Error> {
    let limit = |window| config.limits.tries(client, window).map(|row| TryLimit { name: &row.name, max: row.max });
    let (per_day, in_a_row) = (limit(Window::Day)?, limit(Window::Success)?);
    Ok(TryLimits { per_code: config.veri_code.tries, per_day, in_a_row })
}

/// Counts what a signed-in user does, and refuses one too many. A cache that does not answer refuses none.
pub(crate) async fn user_limit(
    cache: &Cache,
    config: &Config,
    call: &Call,
    (action, user): (Action, UserId),
) -> Option<Error> {
    // A user is the same on every device.
    let (user, client) = (user.to_string(), Client::Stranger);
    let rows = config.limits.on(action, client).map(|limit| row(limit, client, user.clone(), 1));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return None;
    }
    let spend = spend(&call.now, slot_of(&user), rows, "", None).ok()?;
    match cache.spend(&spend).await {
        Ok(Decision::Wait(wait)) => Some(too_many(wait)),
        _ => None,
    }
}

/// The error of a limit.
pub(super) fn too_many(wait: Duration) -> Error {
    Error::TooManyRequests { retry_after_secs: ceil_secs(wait).max(1) }
}

/// Whole seconds, rounded up, so that nobody comes back too early.
pub(super) fn ceil_secs(span: Duration) -> u64 {
    u64::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// The stage's day.
pub(super) fn day(now: &Now) -> Day {
    Day { date: now.today(), left: Duration::from_millis(now.rest_millis_of_day()) }
}

/// A try of a code, as far as the network is concerned; what a phone may is counted with its code.
fn to_try<'a>(config: &'a Config, call: &Call) -> Result<Spend<'a>, Error> {
    let network = call.network.as_str();
    // An address is the same for every client.
    let client = Client::Stranger;
    let by_network = config.limits.on(Action::Try, client).filter(|limit| limit.key == Subject::Ip);
    let rows = by_network.map(|limit| row(limit, client, network.to_owned(), 1)).collect();
    spend(&call.now, slot_of(network), rows, "", None)
}

fn row(limit: &Limit, client: Client, subject: String, cost: u64) -> Row<'_> {
    let window = match limit.window {
        Window::Sliding(span) => Some(span),
        Window::Day | Window::Success => None,
    };
    let (max, most) = (limit.max_of(client), limit.max);
    // Unverified sends lower the maximum of strangers alone: the reserve would else be gone when it is needed.
    let unverified = limit.unverified.map(|Unverified { free, max: lower }| Unverified {
        free,
        max: if client == Client::Stranger { lower } else { most },
    });
    Row { name: &limit.name, subject, window, max, most, cost, unverified }
}

fn spend<'a>(
    now: &Now,
    slot: String,
    rows: Vec<Row<'a>>,
    stat: &'static str,
    idempotency: Option<IdempotencyRecord>,
) -> Result<Spend<'a>, Error> {
    // It only has to differ from others of the same millisecond and subject.
    let id = URL_SAFE_NO_PAD.encode(random::bytes::<6>()?);
    Ok(Spend { slot, id, now_ms: now.millis(), day: day(now), rows, stat, idempotency })
}

/// The number without its last digits.
fn range(phone: &Phone, key: Subject) -> String {
    let left_away = match key {
        Subject::Prefix => 4,
        Subject::Block => 6,
        Subject::Area => 8,
        _ => 0,
    };
    let e164 = phone.e164();
    e164[..e164.len().saturating_sub(left_away)].to_owned()
}

#[cfg(test)]
mod tests;
