//! A double of `ElastiCache`'s control plane, as far as functions ask it. The stage has one cache, which answers to any
//! name, and what is told of it is true of the server that runs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderValue, StatusCode, header};

use crate::cache::Address;
use crate::random;
use crate::server::Reply;

const NAMESPACE: &str = "http://elasticache.amazonaws.com/doc/2015-02-02/";

/// Answers a call: a form that names its action, as the AWS Query protocol has it. Functions reach the cache at `port`.
///
/// Source: Amazon `ElastiCache` API Reference, `DescribeServerlessCaches` and `DescribeServerlessCacheSnapshots`.
pub(crate) async fn answer(body: &[u8], cache: Address, port: u16) -> Reply {
    let form: BTreeMap<Cow<'_, str>, Cow<'_, str>> = form_urlencoded::parse(body).collect();
    let name = form.get("ServerlessCacheName").map(Cow::as_ref).unwrap_or_default();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return fault(StatusCode::BAD_REQUEST, "InvalidParameterValue", "the stage's cache is asked for by a name");
    }
    match form.get("Action").map(Cow::as_ref) {
        Some(action @ "DescribeServerlessCaches") => match cache.engine().await {
            Ok((engine, version)) => result(action, &describe(name, &engine, &version, port)),
            Err(error) => fault(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", &error.to_string()),
        },
        // The stage's server keeps nothing on disk.
        Some(action @ "DescribeServerlessCacheSnapshots") => result(action, "<ServerlessCacheSnapshots/>"),
        _ => fault(StatusCode::BAD_REQUEST, "InvalidAction", "the local stage knows no such action of ElastiCache"),
    }
}

fn describe(name: &str, engine: &str, version: &str, port: u16) -> String {
    let major = version.split('.').next().unwrap_or(version);
    format!(
        "<ServerlessCaches><member><ServerlessCacheName>{name}</ServerlessCacheName><Status>available</Status>\
         <Engine>{engine}</Engine><MajorEngineVersion>{major}</MajorEngineVersion>\
         <FullEngineVersion>{version}</FullEngineVersion>\
         <Endpoint><Address>127.0.0.1</Address><Port>{port}</Port></Endpoint></member></ServerlessCaches>"
    )
}

fn result(action: &str, inner: &str) -> Reply {
    let body = format!("<{action}Result>{inner}</{action}Result><ResponseMetadata>{}</ResponseMetadata>", request_id());
    xml(StatusCode::OK, &format!("{action}Response"), &body)
}

fn fault(status: StatusCode, code: &str, message: &str) -> Reply {
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
