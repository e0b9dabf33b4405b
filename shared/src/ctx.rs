//! What a function keeps between calls, and the moment of the call at hand.

use std::sync::Arc;

use jiff::Timestamp;

use crate::aws::Aws;
use crate::cache::Cache;
use crate::clock::{self, Now};
use crate::config::{AwsEnv, Config, SmsProvider};
use crate::elasticache::ElastiCache;
use crate::error::{Cause, Error, Fatal};
use crate::http::Http;
use crate::secrets::{KeyRing, Secret, SecretError};
use crate::sns::Sns;
use crate::store::Store;
use crate::telemetry::Tally;

/// What a function uses; opened in init, all at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// DynamoDB.
    Store,
    /// Redis.
    Cache,
    /// What AWS knows of Redis.
    ElastiCache,
    /// The key of verification codes.
    CodeKey,
    /// The key of tokens.
    TokenKey,
    /// The key that signs messages to the SMS provider, if that is `http`.
    SmsKey,
    /// Amazon SNS, if that is the SMS provider.
    Sns,
}

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
}

impl Kept {
    /// Builds what `needs` names, without a round trip.
    pub(crate) fn build(config: Config, needs: &[Need]) -> Result<Self, Fatal> {
        let tally = Tally::default();
        let http = Http::new(tally.clone()).map_err(Fatal::of)?;
        let aws = Aws::new(AwsEnv::load().map_err(Fatal::of)?, http);
        let has = |need| needs.contains(&need);
        let store = has(Need::Store).then(|| Store::new(&aws, &config, tally.clone()));
        let cache = has(Need::Cache).then(|| Cache::new(&config, &aws, tally.clone())).transpose()?;
        let elasticache = has(Need::ElastiCache).then(|| ElastiCache::new(&aws, tally.clone()));
        let code_key = has(Need::CodeKey).then(|| Secret::new(&config.secrets.veri_code));
        let token_key = has(Need::TokenKey).then(|| Secret::new(&config.secrets.jwt));
        let (mut sms_key, mut sns) = (None, None);
        match config.sms.provider {
            SmsProvider::Http if has(Need::SmsKey) => {
                config.sms_url().map_err(Fatal::of)?;
                sms_key = Some(Secret::new(&config.secrets.sms));
            }
            SmsProvider::Sns if has(Need::Sns) => sns = Some(Sns::new(&aws, tally.clone())),
            SmsProvider::Http | SmsProvider::Sns => {}
        }
        Ok(Self { config, tally, aws, store, cache, elasticache, code_key, token_key, sms_key, sns })
    }

    /// Opens connections and reads keys, all at once. A backend that is down stops nothing: the first call that
    /// needs it tries again. A key that cannot be used stops the start. Gives what went wrong and may pass.
    pub(crate) async fn warm(&self) -> Result<Vec<Error>, Fatal> {
        let cache = async {
            match &self.cache {
                Some(cache) => cache.warm().await,
                None => Ok(()),
            }
        };
        let store = async {
            match &self.store {
                Some(store) => store.warm().await,
                None => Ok(()),
            }
        };
        // No event has come yet that would bring the time.
        let now = clock::wall_timestamp();
        let key = async |secret: &Option<Secret>| match secret {
            Some(secret) => secret.load(&self.aws, now).await.map(drop),
            None => Ok(()),
        };
        // Who needs the key of codes reads phones. It runs while the backends think.
        let phones = async {
            if self.code_key.is_some() {
                self.config.phone.warm();
            }
        };
        let (cache, store, code_key, token_key, sms_key, ()) =
            tokio::join!(cache, store, key(&self.code_key), key(&self.token_key), key(&self.sms_key), phones);
        self.tally.take();
        let mut passing: Vec<Error> = [cache, store].into_iter().filter_map(Result::err).collect();
        for outcome in [code_key, token_key, sms_key] {
            match outcome {
                Ok(()) => {}
                Err(SecretError::Unusable(sentence)) => return Err(Fatal::new(sentence)),
                Err(SecretError::Unreachable(error)) => passing.push(error),
            }
        }
        Ok(passing)
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
        declared(self.kept.store.as_ref(), Need::Store)
    }

    /// Redis.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub fn cache(&self) -> Result<&Cache, Error> {
        declared(self.kept.cache.as_ref(), Need::Cache)
    }

    /// What AWS knows of Redis.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub fn elasticache(&self) -> Result<&ElastiCache, Error> {
        declared(self.kept.elasticache.as_ref(), Need::ElastiCache)
    }

    /// The keys of verification codes.
    ///
    /// # Errors
    /// As [`Self::store`], and [`Error::Http`] when they have to be read and cannot be.
    pub async fn code_keys(&self) -> Result<Arc<KeyRing>, Error> {
        declared(self.kept.code_key.as_ref(), Need::CodeKey)?.keys(&self.kept.aws, self.now).await
    }

    /// The keys of tokens.
    ///
    /// # Errors
    /// As [`Self::code_keys`].
    pub async fn token_keys(&self) -> Result<Arc<KeyRing>, Error> {
        declared(self.kept.token_key.as_ref(), Need::TokenKey)?.keys(&self.kept.aws, self.now).await
    }

    /// Amazon SNS.
    ///
    /// # Errors
    /// As [`Self::store`], and when it is not the SMS provider.
    pub fn sns(&self) -> Result<&Sns, Error> {
        declared(self.kept.sns.as_ref(), Need::Sns)
    }

    /// The keys that sign messages to the SMS provider `http`.
    ///
    /// # Errors
    /// As [`Self::code_keys`], and when that is not the SMS provider.
    pub async fn sms_keys(&self) -> Result<Arc<KeyRing>, Error> {
        declared(self.kept.sms_key.as_ref(), Need::SmsKey)?.keys(&self.kept.aws, self.now).await
    }

    pub(crate) fn aws(&self) -> &Aws {
        &self.kept.aws
    }
}

fn declared<T>(part: Option<&T>, need: Need) -> Result<&T, Error> {
    part.ok_or_else(|| Error::Internal(Cause::new(&format!("this function does not declare Need::{need:?}"))))
}
