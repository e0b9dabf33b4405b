//! What a function keeps between calls, and the moment of the call at hand.

mod need;

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use jiff::Timestamp;

pub use self::need::Need;
use crate::aws::{Aws, Caller};
use crate::cache::Cache;
use crate::clock::Now;
use crate::config::{AwsEnv, Config};
use crate::elasticache::ElastiCache;
use crate::error::{Cause, Error, Fatal};
use crate::secrets::{KeyRing, Secret};
use crate::sns::Sns;
use crate::store::Store;
use crate::telemetry::Tally;

/// The context of one call. Clones are cheap.
#[derive(Clone)]
pub struct Ctx {
    kept: Arc<Kept>,
    now: Timestamp,
}

/// What outlives a call.
pub(crate) struct Kept {
    pub(crate) config: Config,
    pub(crate) tally: Tally,
    aws: Aws,
    store: Option<Store>,
    cache: Option<Cache>,
    elasticache: Option<ElastiCache>,
    code_key: Option<Secret>,
    token_key: Option<Secret>,
    sms_key: Option<Secret>,
    sns: Option<Sns>,
    lambda: Option<Caller>,
}

impl Kept {
    /// Builds what `needs` names, without a round trip.
    pub(crate) fn build(config: Config, needs: &[Need]) -> Result<Self, Fatal> {
        let aws = Aws::new(AwsEnv::load().map_err(Fatal::of)?);
        let mut kept = Self {
            config,
            tally: Tally::default(),
            aws,
            store: None,
            cache: None,
            elasticache: None,
            code_key: None,
            token_key: None,
            sms_key: None,
            sns: None,
            lambda: None,
        };
        for need in needs {
            (need.open)(&mut kept)?;
        }
        Ok(kept)
    }

    /// Opens connections and reads keys, all at once. A backend that is down stops nothing: the first call that
    /// needs it tries again. A key that cannot be used stops the start. Gives what went wrong and may pass.
    pub(crate) async fn warm(&self, needs: &[Need]) -> Result<Vec<Error>, Fatal> {
        let warmed = join_all(needs.iter().map(|need| (need.warm)(self))).await;
        self.tally.take(Instant::now());
        warmed.into_iter().filter_map(Result::transpose).collect()
    }
}

impl Ctx {
    pub(crate) fn new(kept: Arc<Kept>, now: Timestamp) -> Self {
        Self { kept, now }
    }

    /// The moment of this call.
    #[must_use]
    pub fn now(&self) -> Now {
        Now::new(self.now, self.kept.config.zone.clone())
    }

    /// The stage's settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.kept.config
    }

    /// DynamoDB.
    ///
    /// # Errors
    /// [`Error::Internal`] when the function did not say that it needs it; so the five below.
    pub fn store(&self) -> Result<&Store, Error> {
        declared(self.kept.store.as_ref(), "Need::STORE")
    }

    /// Redis.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub fn cache(&self) -> Result<&Cache, Error> {
        declared(self.kept.cache.as_ref(), "Need::CACHE")
    }

    /// What AWS knows of Redis.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub fn elasticache(&self) -> Result<&ElastiCache, Error> {
        declared(self.kept.elasticache.as_ref(), "Need::ELASTICACHE")
    }

    /// The keys of verification codes.
    ///
    /// # Errors
    /// As [`Self::store`], and [`Error::Http`] when they have to be read and cannot be.
    pub async fn code_keys(&self) -> Result<Arc<KeyRing>, Error> {
        declared(self.kept.code_key.as_ref(), "Need::CODE_KEY")?.keys(&self.kept.aws, self.now).await
    }

    /// The keys of tokens.
    ///
    /// # Errors
    /// As [`Self::code_keys`].
    pub async fn token_keys(&self) -> Result<Arc<KeyRing>, Error> {
        declared(self.kept.token_key.as_ref(), "Need::TOKEN_KEY")?.keys(&self.kept.aws, self.now).await
    }

    /// Amazon SNS.
    ///
    /// # Errors
    /// As [`Self::store`], and when it is not the SMS provider.
    pub fn sns(&self) -> Result<&Sns, Error> {
        declared(self.kept.sns.as_ref(), "Need::SNS")
    }

    /// The keys that sign messages to the SMS provider `http`.
    ///
    /// # Errors
    /// As [`Self::code_keys`], and when that is not the SMS provider.
    pub async fn sms_keys(&self) -> Result<Arc<KeyRing>, Error> {
        declared(self.kept.sms_key.as_ref(), "Need::SMS_KEY")?.keys(&self.kept.aws, self.now).await
    }

    /// AWS Lambda.
    pub(crate) fn lambda(&self) -> Result<&Caller, Error> {
        declared(self.kept.lambda.as_ref(), "Need::TASKS or Need::AGAIN")
    }

    pub(crate) fn aws(&self) -> &Aws {
        &self.kept.aws
    }
}

fn declared<'a, T>(part: Option<&'a T>, need: &str) -> Result<&'a T, Error> {
    part.ok_or_else(|| Error::Internal(Cause::new(&format!("this function does not declare {need}"))))
}
