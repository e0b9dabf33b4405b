//! Serving HTTP/1.1 on a loopback listener: the one loop behind every port of the stage.

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Channel, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A reply that is whole before it is sent, as all are but one.
pub(crate) type Reply = Response<Full<Bytes>>;

/// A reply of the front: whole, or events for as long as somebody listens.
pub(crate) type FrontReply = Response<Either<Full<Bytes>, Channel<Bytes>>>;

/// Takes a port on loopback; 0 is any free one.
pub(crate) async fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Answers every request with `service` until the future is dropped, which also drops all connections.
pub(crate) async fn serve<S, F, B>(listener: TcpListener, service: S) -> Infallible
where
    S: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, peer)) = accepted else {
                    // Out of file descriptors: wait for connections to end instead of spinning.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                // Without it a reply may wait for the client's delayed acknowledgement; losing that is no error.
                let _ = stream.set_nodelay(true);
                let service = service.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let reply = service(request, peer);
                        async move { Ok::<_, Infallible>(reply.await) }
                    });
                    // A client that went away is its own business.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    TooLarge,
    Broken,
}

/// The whole body, at most `limit_bytes` long.
pub(crate) async fn read(body: Incoming, limit_bytes: usize) -> Result<Bytes, BodyError> {
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
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A reply with a text for people and shells.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = json(status, body);
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}

/// A reply with a value written as JSON.
pub(crate) fn json_of(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => json(status, body),
        Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "the reply cannot be written as JSON"),
    }
}

/// A reply that a browser shows or runs, and how it learns what else it must not do with that.
pub(crate) fn page(status: StatusCode, kind: &'static str, policy: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = json(status, body);
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // What is built anew has the same name.
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// `{"message": …}`, the shape of API Gateway's own errors and of the doors'.
pub(crate) fn message(status: StatusCode, text: &str) -> Reply {
    json(status, serde_json::json!({ "message": text }).to_string())
}
