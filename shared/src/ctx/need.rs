//! What a function can need. Its `main` names its needs, and what no function names is not linked into its binary: the
//! way to a part leads through the constant that opens it, and through nothing else.

use std::future::Future;
use std::pin::Pin;

use super::Kept;
use crate::aws::Service;
use crate::cache::Cache;
use crate::clock;
use crate::config::SmsProvider;
use crate::elasticache::ElastiCache;
use crate::error::{Error, Fatal};
use crate::secrets::{Secret, SecretError};
use crate::sns::Sns;
use crate::store::Store;

/// What a function uses; opened in init, all at once.
pub struct Need {
    /// Builds the part, without a round trip.
    pub(super) open: fn(&mut Kept) -> Result<(), Fatal>,
    /// Makes the round trips that spare them the first call.
    pub(super) warm: fn(&Kept) -> Warming<'_>,
}

/// Gives what went wrong and may pass, and fails with what will not.
pub(super) type Warming<'a> = Pin<Box<dyn Future<Output = Result<Option<Error>, Fatal>> + 'a>>;

impl Need {
    /// DynamoDB.
    pub const STORE: Self = Self { open: open_store, warm: warm_store };
    /// Redis.
    pub const CACHE: Self = Self { open: open_cache, warm: warm_cache };
    /// What AWS knows of Redis.
    pub const ELASTICACHE: Self = Self { open: open_elasticache, warm: nothing };
    /// The key of verification codes.
    pub const CODE_KEY: Self = Self { open: open_code_key, warm: warm_code_key };
    /// The key of tokens.
    pub const TOKEN_KEY: Self = Self { open: open_token_key, warm: warm_token_key };
    /// The key that signs messages to the SMS provider, if that is `http`.
    pub const SMS_KEY: Self = Self { open: open_sms_key, warm: warm_sms_key };
    /// Amazon SNS, if that is the SMS provider.
    pub const SNS: Self = Self { open: open_sns, warm: nothing };
    /// Lambda, which tasks are handed to.
    pub const TASKS: Self = Self { open: open_lambda, warm: warm_lambda };
    /// Lambda, which a job hands what is left of a long run to. That is seldom, so nothing is opened beforehand.
    pub const AGAIN: Self = Self { open: open_lambda, warm: nothing };
}

fn open_store(kept: &mut Kept) -> Result<(), Fatal> {
    let http = kept.aws.open(&kept.tally)?.clone();
    let dynamodb = kept.aws.caller(&http, Service::DynamoDb)?;
    kept.store = Some(Store::new(dynamodb, &kept.config, kept.tally.clone()));
    Ok(())
}

fn warm_store(kept: &Kept) -> Warming<'_> {
    Box::pin(async {
        match &kept.store {
            Some(store) => Ok(store.warm().await.err()),
            None => Ok(None),
        }
    })
}

fn open_cache(kept: &mut Kept) -> Result<(), Fatal> {
    kept.cache = Some(Cache::new(&kept.config, &kept.aws, kept.tally.clone())?);
    Ok(())
}

fn warm_cache(kept: &Kept) -> Warming<'_> {
    Box::pin(async {
        match &kept.cache {
            Some(cache) => Ok(cache.warm().await.err()),
            None => Ok(None),
        }
    })
}

fn open_elasticache(kept: &mut Kept) -> Result<(), Fatal> {
    let http = kept.aws.open(&kept.tally)?.clone();
    kept.elasticache = Some(ElastiCache::new(&kept.aws, &http, kept.tally.clone()));
    Ok(())
}

fn open_code_key(kept: &mut Kept) -> Result<(), Fatal> {
    kept.aws.open(&kept.tally)?;
    kept.code_key = Some(Secret::new(&kept.config.secrets.veri_code));
    Ok(())
}

fn warm_code_key(kept: &Kept) -> Warming<'_> {
    warm_key(kept, kept.code_key.as_ref())
}

fn open_token_key(kept: &mut Kept) -> Result<(), Fatal> {
    kept.aws.open(&kept.tally)?;
    kept.token_key = Some(Secret::new(&kept.config.secrets.jwt));
    Ok(())
}

fn warm_token_key(kept: &Kept) -> Warming<'_> {
    warm_key(kept, kept.token_key.as_ref())
}

fn open_sms_key(kept: &mut Kept) -> Result<(), Fatal> {
    if kept.config.sms.provider == SmsProvider::Http {
        kept.config.sms_url().map_err(Fatal::of)?;
        kept.aws.open(&kept.tally)?;
        kept.sms_key = Some(Secret::new(&kept.config.secrets.sms));
    }
    Ok(())
}

fn warm_sms_key(kept: &Kept) -> Warming<'_> {
    warm_key(kept, kept.sms_key.as_ref())
}

fn open_sns(kept: &mut Kept) -> Result<(), Fatal> {
    if kept.config.sms.provider == SmsProvider::Sns {
        let http = kept.aws.open(&kept.tally)?.clone();
        kept.sns = Some(Sns::new(&kept.aws, &http, kept.tally.clone()));
    }
    Ok(())
}

fn open_lambda(kept: &mut Kept) -> Result<(), Fatal> {
    let http = kept.aws.open(&kept.tally)?.clone();
    kept.lambda = Some(kept.aws.caller(&http, Service::Lambda)?);
    Ok(())
}

fn warm_lambda(kept: &Kept) -> Warming<'_> {
    Box::pin(async {
        match &kept.lambda {
            Some(lambda) => Ok(lambda.warm().await.err().map(Error::Http)),
            None => Ok(None),
        }
    })
}

/// A key that cannot be used stops the start.
fn warm_key<'a>(kept: &'a Kept, secret: Option<&'a Secret>) -> Warming<'a> {
    Box::pin(async move {
        let Some(secret) = secret else { return Ok(None) };
        // No event has come yet that would bring the time.
        match secret.load(&kept.aws, clock::wall_timestamp()).await {
            Ok(_) => Ok(None),
            Err(SecretError::Unusable(sentence)) => Err(Fatal::new(sentence)),
            Err(SecretError::Unreachable(error)) => Ok(Some(error)),
        }
    })
}

fn nothing(_: &Kept) -> Warming<'_> {
    Box::pin(async { Ok(None) })
}
