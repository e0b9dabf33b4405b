//! Sending a code: at most once for a request, and never beyond a limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::code::{Codes, Recipient};
use super::limits::{self, ceil_secs, too_many};
use super::sms::SendSms;
use crate::aws::{Clients, SecretKeys, Tasks};
use crate::cache::{Cache, Candidate, Decision, IdempotencyRecord, PhoneState, Spend, StoredCode};
use crate::config::Config;
use crate::error::{Cause, Error, StartError};
use crate::models::call::Call;
use crate::models::device::Client;
use crate::models::idempotency_key::IdempotencyKey;
use crate::models::phone::Phone;

/// How long a request waits for another one with its idempotency key.
const PATIENCE: Duration = Duration::from_millis(600);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(30);

/// How long the reply waits for what is written behind the message. The device's epoch, the limits and handing the message over may
/// have taken 2.3 s, and an answer leaves within 2.5 s.
const AFTERWARDS: Duration = Duration::from_millis(200);

/// A code that is good for less is not sent again: a new one is made, so that every message is worth reading.
const WORTH_SENDING: Duration = Duration::from_mins(1);

/// After this time a request with the key has ended, with or without a reply: no function runs as long.
const ENDED: Duration = Duration::from_secs(10);

/// What the client receives; the same whether or not the phone has a user.
#[derive(Serialize, Deserialize)]
pub struct Sent {
    /// Seconds that the code is still good.
    expires_in: u64,
    /// Seconds until the next send.
    retry_after: u64,
}

/// What sends codes to phones.
pub struct Sender {
    cache: Cache,
    codes: Codes,
    tasks: Tasks,
    config: Arc<Config>,
}

impl Sender {
    /// Opens the cache, the key of codes and the client of tasks, concurrently.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = Arc::clone(&clients.config);
        let (cache, keys, tasks) = tokio::try_join!(
            Cache::connect(clients),
            SecretKeys::connect(clients, &config.secrets.veri_code),
            Tasks::connect(clients)
        )?;
        let codes = Codes::new(cache.clone(), keys, Arc::clone(&config));
        Ok(Self { cache, codes, tasks, config })
    }

    /// Sends a code to the phone: the one that is still good, else a new one.
    ///
    /// With an idempotency key the same request sends one message in 24 hours and gets one reply, also when it arrives
    /// twice at the same moment (draft-ietf-httpapi-idempotency-key-header). A refusal is not stored: the key may come
    /// again.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] by any limit; [`Error::Redis`] when the limits cannot be looked up, and then nothing is
    /// sent.
    pub async fn send(&self, call: &Call, recipient: &Recipient, key: Option<IdempotencyKey>) -> Result<Sent, Error> {
        let phone = &recipient.phone;
        let ttl = Duration::from_secs(self.config.veri_code.ttl_secs);
        let client = self.codes.client_of_now(call, phone).await?;
        if self.config.veri_code.fixed_code(phone, call.now.today()).is_some() {
            return Ok(self.sent(client, ttl));
        }
        let record = key.map(|key| IdempotencyRecord { key: key_of_phone(&key, phone) });
        let spend = limits::to_send(&self.config, call, phone, client, record)?;
        let (decision, state) = tokio::join!(self.cache.spend(&spend), self.codes.state(call, phone));
        if let Some(before) = self.replay(&spend, client, decision?, state.as_ref().ok()).await? {
            return Ok(before);
        }
        let outcome = match state {
            Ok(state) => match (state.wait(client), self.pending(&state, client)) {
                (Some(wait), _) => Err(too_many(wait)),
                (None, Some(code)) => {
                    self.spawn(call, phone, code.seed.clone(), code.good_for).await.map(|()| code.good_for)
                }
                (None, None) => self.send_new(call, phone, ttl).await.map(|()| ttl),
            },
            Err(error) => Err(error),
        };
        match outcome {
            // Ours, so it must not cost the client the wait; a message whose code the cache did not take may be under
            // way, and is then not counted. If this fails too, the limits end by themselves.
            Err(error) => {
                drop(timeout(AFTERWARDS, self.cache.refund(&spend)).await);
                Err(error)
            }
            Ok(good_for) => {
                let sent = self.sent(client, good_for);
                if let (Some(record), Ok(reply)) = (&spend.idempotency, serde_json::to_string(&sent)) {
                    // Without it, a repetition is answered later, and still no second message is sent.
                    drop(timeout(AFTERWARDS, self.cache.store_reply(record, &reply)).await);
                }
                Ok(sent)
            }
        }
    }

    /// `None` when the request was counted and may send. What was answered before, when it was fulfilled before.
    async fn replay(
        &self,
        spend: &Spend<'_>,
        client: Client,
        mut decision: Decision,
        state: Option<&PhoneState>,
    ) -> Result<Option<Sent>, Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            match decision {
                Decision::Counted => return Ok(None),
                Decision::Wait(wait) => return Err(too_many(wait)),
                Decision::Before { reply: Some(reply), .. } => {
                    return serde_json::from_str(&reply).map(Some).map_err(|cause| Error::Redis(Cause::of(&cause)));
                }
                // The process that had the key died before its reply. A message may be under way, and a second one is
                // worse.
                Decision::Before { age, reply: None } if age > ENDED => {
                    let code = state.and_then(|state| state.codes.first());
                    return Ok(Some(self.sent(client, code.map_or(Duration::ZERO, |code| code.good_for))));
                }
                Decision::Before { reply: None, .. } if Instant::now() > end => return Err(too_many(LOOK)),
                Decision::Before { reply: None, .. } => tokio::time::sleep(LOOK).await,
            }
            decision = self.cache.spend(spend).await?;
        }
    }

    /// The code that the next message to such a client carries again, if it is not a new one.
    fn pending<'a>(&self, state: &'a PhoneState, client: Client) -> Option<&'a StoredCode> {
        let is_open = |code: &&StoredCode| !code.is_used && code.claims.is_empty();
        let newest = state.codes.first().filter(is_open)?;
        (newest.tries(client) < self.config.veri_code.tries && newest.good_for >= WORTH_SENDING).then_some(newest)
    }

    /// Makes a code and spawns its message, both at once: nobody reads a message before the cache has its code. Should
    /// the cache fail at that very moment, the client gets an error and asks for another one.
    async fn send_new(&self, call: &Call, phone: &Phone, ttl: Duration) -> Result<(), Error> {
        let (seed, mac) = self.codes.candidate(call, phone).await?;
        let candidate = Candidate { seed: seed.clone(), mac };
        let (placed, spawned) =
            tokio::join!(self.cache.place_code(phone, &candidate, ttl.as_secs()), self.spawn(call, phone, seed, ttl));
        spawned.and(placed)
    }

    async fn spawn(&self, call: &Call, phone: &Phone, seed: String, good_for: Duration) -> Result<(), Error> {
        self.tasks.spawn(&call.now, &SendSms::new(call, phone, seed, good_for)).await
    }

    fn sent(&self, client: Client, good_for: Duration) -> Sent {
        Sent { expires_in: ceil_secs(good_for), retry_after: self.config.limits.cool_down_secs(client) }
    }
}

/// A key belongs to its phone: nobody learns by it what others have sent. A phone has a fixed alphabet, so no two pairs
/// give one text.
fn key_of_phone(key: &IdempotencyKey, phone: &Phone) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{} {}", phone.e164(), key.as_str())))
}
