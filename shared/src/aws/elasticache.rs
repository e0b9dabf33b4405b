//! `ElastiCache`'s control plane: what AWS says of a cache. Nothing here speaks to the cache itself.

use std::time::Duration;

use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::config::retry::RetryConfig;
use aws_sdk_elasticache::config::timeout::TimeoutConfig;
use aws_sdk_elasticache::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_elasticache::types::{Endpoint, Snapshot};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use tracing::Instrument;

use super::clients::{CONNECT, Clients, sdk_cause};
use crate::config::{Cache, CacheKind};
use crate::error::{Error, StartError};
use crate::telemetry::{Backend, round_trip};

/// How long one attempt may take. Nobody waits for a control plane's answer.
const ATTEMPT: Duration = Duration::from_secs(3);

/// How often a call is tried. AWS limits how often an account may ask, and others in it ask too.
const ATTEMPTS: u32 = 4;

/// The snapshots and the caches that can be used have this status; serverless caches are documented to write it in
/// capitals and do not.
const AVAILABLE: &str = "available";

/// A client for the control plane.
pub struct ElastiCache {
    client: Client,
}

/// A cache, as AWS describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// `available`, `modifying`, `deleting` and others, in lower case.
    pub status: String,
    /// `valkey` or `redis`.
    pub engine: String,
    /// As precise as AWS tells it.
    pub version: String,
    /// Host and port, once it has them.
    pub endpoint: Option<(String, u16)>,
    /// When the data of the newest usable snapshot was taken; not asked for where nobody expects snapshots.
    pub snapshot: Option<Timestamp>,
}

impl Description {
    /// Whether the cache serves, by what AWS says.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.status == AVAILABLE
    }
}

impl ElastiCache {
    /// A client; nothing is opened yet.
    ///
    /// # Errors
    /// As [`Clients::http`].
    pub fn new(clients: &Clients) -> Result<Self, StartError> {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
        let retries =
            RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(200));
        let config = clients.sdk_config("AWS_ENDPOINT_URL_ELASTICACHE")?;
        Ok(Self { client: Client::new(&config.timeout_config(timeouts).retry_config(retries).build()) })
    }

    /// The cache of that kind and name; `None` if AWS knows none.
    ///
    /// # Errors
    /// [`Error::Http`] when AWS does not tell.
    pub async fn describe(&self, expected: &Cache) -> Result<Option<Description>, Error> {
        let described = match expected.kind {
            CacheKind::Serverless => self.serverless(&expected.name).await?,
            CacheKind::ReplicationGroup => self.replication_group(&expected.name).await?,
        };
        match (described, expected.snapshot_max_hours) {
            (Some(cache), Some(_)) => {
                Ok(Some(Description { snapshot: self.newest_snapshot(expected).await?, ..cache }))
            }
            (described, _) => Ok(described),
        }
    }

    async fn serverless(&self, name: &str) -> Result<Option<Description>, Error> {
        let caches = self.client.describe_serverless_caches().serverless_cache_name(name);
        let caches = self.all(caches.into_paginator().items().send()).await?;
        let Some(cache) = caches.into_iter().find(|one| one.serverless_cache_name() == Some(name)) else {
            return Ok(None);
        };
        Ok(Some(Description {
            status: small(cache.status()),
            engine: small(cache.engine()),
            version: cache.full_engine_version().or(cache.major_engine_version()).unwrap_or_default().to_owned(),
            endpoint: address(cache.endpoint()),
            snapshot: None,
        }))
    }

    async fn replication_group(&self, name: &str) -> Result<Option<Description>, Error> {
        let groups = self.client.describe_replication_groups().replication_group_id(name);
        let groups = self.all(groups.into_paginator().items().send()).await?;
        let Some(group) = groups.into_iter().find(|one| one.replication_group_id() == Some(name)) else {
            return Ok(None);
        };
        // A group does not tell its version; its members do, and all have the same.
        let members = match group.member_clusters().first() {
            Some(member) => {
                let members = self.client.describe_cache_clusters().cache_cluster_id(member);
                self.all(members.into_paginator().items().send()).await?
            }
            None => Vec::new(),
        };
        let member = members.first();
        let primary = group.node_groups().first().and_then(|shard| shard.primary_endpoint());
        Ok(Some(Description {
            status: small(group.status()),
            engine: small(group.engine().or(member.and_then(|one| one.engine()))),
            version: member.and_then(|one| one.engine_version()).unwrap_or_default().to_owned(),
            endpoint: address(group.configuration_endpoint().or(primary)),
            snapshot: None,
        }))
    }

    async fn newest_snapshot(&self, of: &Cache) -> Result<Option<Timestamp>, Error> {
        match of.kind {
            CacheKind::Serverless => {
                let snapshots = self.client.describe_serverless_cache_snapshots().serverless_cache_name(&of.name);
                let snapshots = self.all(snapshots.into_paginator().items().send()).await?;
                let usable = snapshots.iter().filter(|one| is_available(one.status()));
                Ok(newest(usable.map(|one| one.create_time())))
            }
            CacheKind::ReplicationGroup => {
                let snapshots = self.client.describe_snapshots().replication_group_id(&of.name);
                let snapshots = self.all(snapshots.into_paginator().items().send()).await?;
                let usable = snapshots.iter().filter(|one| is_available(one.snapshot_status()));
                let nodes = usable.flat_map(Snapshot::node_snapshots);
                Ok(newest(nodes.map(|node| node.snapshot_create_time())))
            }
        }
    }

    /// The items of all pages; none if what was asked for by name is not there.
    async fn all<T, E>(&self, pages: PaginationStream<Result<T, SdkError<E>>>) -> Result<Vec<T>, Error>
    where
        E: ProvideErrorMetadata,
    {
        match pages.try_collect().instrument(round_trip(Backend::Http)).await {
            Err(error) if error.code().is_some_and(|code| code.ends_with("NotFoundFault")) => Ok(Vec::new()),
            outcome => outcome.map_err(|error| Error::Http(sdk_cause(&error))),
        }
    }
}

fn small(text: Option<&str>) -> String {
    text.unwrap_or_default().to_ascii_lowercase()
}

fn is_available(status: Option<&str>) -> bool {
    small(status) == AVAILABLE
}

fn address(endpoint: Option<&Endpoint>) -> Option<(String, u16)> {
    let endpoint = endpoint?;
    Some((endpoint.address()?.to_owned(), endpoint.port()?.try_into().ok()?))
}

fn newest<'a>(times: impl Iterator<Item = Option<&'a DateTime>>) -> Option<Timestamp> {
    times.flatten().max().and_then(|time| Timestamp::from_second(time.secs()).ok())
}
