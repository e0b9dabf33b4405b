//! Serves HTTP/1.1 on loopback, and builds replies. Every port of the emulator that speaks HTTP is served by this loop,
//! except DynamoDB's.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::guard;

pub(crate) type Reply = Response<Body>;

/// Listens on loopback; port 0 is any free one.
pub(crate) async fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Answers every request with `service` until the future is dropped, which also drops all connections.
pub(crate) async fn serve<S, F>(listener: TcpListener, service: S) -> Infallible
where
    S: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, peer)) = accepted else {
                    // Out of file descriptors: wait until connections end.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                // Without it a reply may wait for the client's delayed acknowledgement. A failure is harmless.
                let _ = stream.set_nodelay(true);
                let service = service.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let reply = service(request, peer);
                        async move { Ok::<_, Infallible>(reply.await) }
                    });
                    // An error means that the client disconnected.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The same for a server that is not the API: requests from pages of other sites are refused.
pub(crate) async fn serve_guarded<S, F>(listener: TcpListener, service: S) -> Infallible
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    serve(listener, move |request, _| {
        let service = service.clone();
        async move {
            match guard::refuse(&request) {
                Some(refusal) => refusal,
                None => service(request).await,
            }
        }
    })
    .await
}

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    TooLarge,
    Broken,
}

/// Reads a body of at most `limit_bytes`.
pub(crate) async fn read<B>(body: B, limit_bytes: usize) -> Result<Bytes, BodyError>
where
    B: HttpBody,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit_bytes as u64 {
        return Err(BodyError::TooLarge);
    }
    match Limited::new(body, limit_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Err(_) => Err(BodyError::Broken),
    }
}

/// A reply with a JSON body.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Body::from(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A reply with plain text.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = json(status, body);
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}

/// A reply with a value as JSON.
pub(crate) fn json_of(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => json(status, body),
        Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "the reply cannot be written as JSON"),
    }
}

/// A reply for browsers, with the headers that restrict what they do with it.
pub(crate) fn page(status: StatusCode, kind: &'static str, policy: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = json(status, body);
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // A new build has the same file names.
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// `{"message": …}`, the body of errors of API Gateway and of the control API.
pub(crate) fn message(status: StatusCode, text: &str) -> Reply {
    json(status, serde_json::json!({ "message": text }).to_string())
}

/// Percent-decodes a part of a path; bytes that are not UTF-8 become replacement characters.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('%') { percent_decode_str(text).decode_utf8_lossy() } else { Cow::Borrowed(text) }
}
