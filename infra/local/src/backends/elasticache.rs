//! A double of `ElastiCache`'s control plane, for the calls that functions make. There is one cache, and its description
//! is that of the running server.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderValue, StatusCode, header};

use super::cache::CacheAddress;
use crate::random;
use crate::server::Reply;

const NAMESPACE: &str = "http://elasticache.amazonaws.com/doc/2015-02-02/";

/// Answers a call of the AWS Query protocol: a form that names its action. The cache has these names, and functions reach
/// it at `port`.
///
/// Source: Amazon `ElastiCache` API Reference. There is a serverless cache and nothing else.
pub(super) async fn answer(body: &[u8], names: &[String], cache: CacheAddress, port: u16) -> Reply {
    let form: BTreeMap<Cow<'_, str>, Cow<'_, str>> = form_urlencoded::parse(body).collect();
    let field = |name: &str| form.get(name).map(Cow::as_ref).filter(|value| !value.is_empty());
    let not_found = |fault: &str, what: &str, name: &str| {
        fault_reply(StatusCode::NOT_FOUND, fault, &format!("{what} {name} not found."))
    };
    let action = field("Action").unwrap_or_default();
    match (action, field("ServerlessCacheName")) {
        ("DescribeServerlessCaches" | "DescribeServerlessCacheSnapshots", Some(name))
            if !names.iter().any(|known| known == name) =>
        {
            not_found("ServerlessCacheNotFoundFault", "Serverless Cache", name)
        }
        ("DescribeServerlessCaches", name) => match cache.engine().await {
            Ok((engine, version)) => {
                let names = names.iter().filter(|known| name.is_none_or(|name| *known == name));
                let members: String = names.map(|name| describe(name, &engine, &version, port)).collect();
                result(action, &format!("<ServerlessCaches>{members}</ServerlessCaches>"))
            }
            Err(error) => fault_reply(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", &error.to_string()),
        },
        // The server writes no snapshots.
        ("DescribeServerlessCacheSnapshots", _) => result(action, "<ServerlessCacheSnapshots/>"),
        ("DescribeReplicationGroups", _) => match field("ReplicationGroupId") {
            Some(id) => not_found("ReplicationGroupNotFoundFault", "ReplicationGroup", id),
            None => result(action, "<ReplicationGroups/>"),
        },
        ("DescribeCacheClusters", _) => match field("CacheClusterId") {
            Some(id) => not_found("CacheClusterNotFound", "CacheCluster", id),
            None => result(action, "<CacheClusters/>"),
        },
        _ => {
            let message = "the local emulator has no such action of ElastiCache";
            fault_reply(StatusCode::BAD_REQUEST, "InvalidAction", message)
        }
    }
}

fn describe(name: &str, engine: &str, version: &str, port: u16) -> String {
    let major = version.split('.').next().unwrap_or(version);
    format!(
        "<member><ServerlessCacheName>{name}</ServerlessCacheName><Status>available</Status>\
         <Engine>{engine}</Engine><MajorEngineVersion>{major}</MajorEngineVersion>\
         <FullEngineVersion>{version}</FullEngineVersion>\
         <Endpoint><Address>127.0.0.1</Address><Port>{port}</Port></Endpoint></member>"
    )
}

fn result(action: &str, inner: &str) -> Reply {
    let body = format!("<{action}Result>{inner}</{action}Result><ResponseMetadata>{}</ResponseMetadata>", request_id());
    xml(StatusCode::OK, &format!("{action}Response"), &body)
}

fn fault_reply(status: StatusCode, code: &str, message: &str) -> Reply {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    xml(status, "ErrorResponse", &format!("{error}{}", request_id()))
}

fn request_id() -> String {
    format!("<RequestId>{}</RequestId>", random::id())
}

fn xml(status: StatusCode, root: &str, inner: &str) -> Reply {
    let mut reply = Reply::new(format!("<{root} xmlns=\"{NAMESPACE}\">{inner}</{root}>").into());
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    reply
}
