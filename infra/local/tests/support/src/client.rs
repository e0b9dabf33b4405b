//! A small HTTP client with one connection for each request.

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A response.
#[derive(Debug)]
pub struct HttpResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl HttpResponse {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Sends a request to an `http://` URL. A header `host` replaces that of the URL.
pub async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> HttpResponse {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let stream = TcpStream::connect(host).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(format!("/{path}"));
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", host);
    }
    for (name, value) in headers {
        request = request.header(*name, value.as_bytes());
    }
    let response = sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    HttpResponse { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
}

/// `GET` without headers.
pub async fn get(url: &str) -> HttpResponse {
    send("GET", url, &[], "").await
}

/// `POST` of JSON.
pub async fn post(url: &str, body: &Value) -> HttpResponse {
    send("POST", url, &[("content-type", "application/json")], body.to_string()).await
}

/// `POST` with the headers of a request that is signed for that service. The signature itself is not valid.
pub async fn post_signed(url: &str, service: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> HttpResponse {
    let authorization = signature(service);
    let mut all = vec![("authorization", authorization.as_str()), ("x-amz-date", "20261122T000000Z")];
    all.extend(headers);
    send("POST", url, &all, body).await
}

/// The header `authorization` of a request that is signed for that service.
#[must_use]
pub fn signature(service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=AK/20261122/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0")
}
