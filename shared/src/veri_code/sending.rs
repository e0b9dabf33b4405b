//! Sending a code: at most once for a wish, and never beyond a limit.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{Recipient, code_of, hex, mac_of, seed_of};
use crate::cache::codes::{Candidate, Pending};
use crate::cache::limits::{Claim, Taken, Wish};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Reason};
use crate::limits::{self, Network, ceil_secs, too_many};
use crate::request::IdempotencyKey;
use crate::sms::SendSms;

/// How long a request waits for another one with its idempotency key.
const PATIENCE: Duration = Duration::from_millis(600);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(30);

/// How long the reply waits for what is written behind the message. Looking up the limits and handing the message over may
/// have taken 2.2 s, and an answer leaves within 2.5 s.
const AFTERWARDS: Duration = Duration::from_millis(250);

/// After this time a request with the key has ended, with or without a reply: no function runs as long.
const ENDED: Duration = Duration::from_secs(10);

/// What the asker is told; the same whether or not the phone has a user.
#[derive(Serialize, Deserialize)]
pub struct Sent {
    /// Seconds that the code is still good.
    expires_in: u64,
    /// Seconds until the next send.
    retry_after: u64,
}

/// Sends a code to the phone: the one that is still good, else a new one.
///
/// With an idempotency key the same wish sends one message in 24 hours and gets one reply, also when it arrives twice
/// at the same moment (draft-ietf-httpapi-idempotency-key-header). A refusal is not kept: the key may come again.
///
/// # Errors
/// [`Error::TooManyRequests`] by any limit; [`Error::Invalid`] when the key was used for another phone;
/// [`Error::Redis`] when the limits cannot be looked up, and then nothing is sent.
pub async fn send(
    ctx: &Ctx,
    recipient: &Recipient,
    network: &Network,
    key: Option<IdempotencyKey>,
) -> Result<Sent, Error> {
    let phone = &recipient.phone;
    let ttl = Duration::from_secs(ctx.config().veri_code.ttl_secs);
    if ctx.config().fixed_code(phone, ctx.now().today()).is_some() {
        return Ok(sent(ctx, ttl));
    }
    let claim = key.map(|key| Claim { key: sha256(&key.0), mark: sha256(phone.e164()) });
    let wish = limits::to_send(ctx, phone, network, claim)?;
    let (tries, tries_per_day) = (ctx.config().veri_code.tries, ctx.config().limits.tries_per_day());
    let (taken, pending) = tokio::join!(async { ctx.cache()?.take(&wish).await }, async {
        ctx.cache()?.pending_code(phone, tries, tries_per_day).await
    });
    if let Some(before) = refused(ctx, &wish, taken?, pending.as_ref().ok()).await? {
        return Ok(before);
    }
    let outcome = match pending {
        Ok(Pending::None) => new_code(ctx, recipient, ttl).await.map(|()| ttl),
        Ok(Pending::Code { seed, good_for }) => spawn(ctx, recipient, seed, good_for).await.map(|()| good_for),
        Ok(Pending::Closed(wait)) => Err(too_many(wait)),
        Err(error) => Err(error),
    };
    match outcome {
        // Ours, so it must not cost the asker the wait; a message whose code the cache did not take may be under way, and
        // is then not counted. If this fails too, the limits end by themselves.
        Err(error) => {
            drop(timeout(AFTERWARDS, ctx.cache()?.give_back(&wish)).await);
            Err(error)
        }
        Ok(good_for) => {
            let sent = sent(ctx, good_for);
            if let (Some(claim), Ok(reply)) = (&wish.claim, serde_json::to_string(&sent)) {
                // Without it, who comes again is told later, and still no second message is sent.
                drop(timeout(AFTERWARDS, ctx.cache()?.keep_reply(claim, &reply)).await);
            }
            Ok(sent)
        }
    }
}

/// `None` when the wish was taken. What was answered before, when it was fulfilled before.
async fn refused(
    ctx: &Ctx,
    wish: &Wish<'_>,
    mut taken: Taken,
    pending: Option<&Pending>,
) -> Result<Option<Sent>, Error> {
    let end = Instant::now() + PATIENCE;
    loop {
        match taken {
            Taken::Yes => return Ok(None),
            Taken::Wait(wait) => return Err(too_many(wait)),
            Taken::Other => return Err(Error::Invalid(vec![("idempotency_key", Reason::KeyOfAnother)])),
            Taken::Before { reply: Some(reply), .. } => {
                return serde_json::from_str(&reply).map(Some).map_err(|cause| Error::Redis(Cause::of(&cause)));
            }
            // Whoever had the key died before its reply. A message may be under way, and a second one is worse.
            Taken::Before { age, reply: None } if age > ENDED => {
                let good_for =
                    if let Some(Pending::Code { good_for, .. }) = pending { *good_for } else { Duration::ZERO };
                return Ok(Some(sent(ctx, good_for)));
            }
            Taken::Before { reply: None, .. } if Instant::now() > end => return Err(too_many(LOOK)),
            Taken::Before { reply: None, .. } => tokio::time::sleep(LOOK).await,
        }
        taken = ctx.cache()?.take(wish).await?;
    }
}

/// Makes a code and spawns its message, both at once: nobody reads a message before the cache has its code. Should the
/// cache fail at that very moment, the asker is told so and asks for another one.
async fn new_code(ctx: &Ctx, recipient: &Recipient, ttl: Duration) -> Result<(), Error> {
    let phone = &recipient.phone;
    let key = &ctx.code_keys().await?.current;
    let seed = seed_of(key)?;
    let mac = hex(&mac_of(key, phone, &code_of(key, phone, &seed)?)?);
    let candidate = Candidate { seed: seed.clone(), mac };
    let (placed, spawned) = tokio::join!(
        async { ctx.cache()?.place_code(phone, &candidate, ttl.as_secs()).await },
        spawn(ctx, recipient, seed, ttl)
    );
    spawned.and(placed)
}

async fn spawn(ctx: &Ctx, recipient: &Recipient, seed: String, good_for: Duration) -> Result<(), Error> {
    ctx.spawn(&SendSms::new(ctx, &recipient.phone, seed, good_for)).await
}

fn sent(ctx: &Ctx, good_for: Duration) -> Sent {
    Sent { expires_in: ceil_secs(good_for), retry_after: ctx.config().limits.cool_down_secs() }
}

fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}
