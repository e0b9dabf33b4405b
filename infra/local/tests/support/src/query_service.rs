//! A mock of an AWS service with the Query protocol: it records forms and replies with what the test says.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

/// The fields of a request; `Action` is one of them.
pub type Form = BTreeMap<String, String>;

/// A status and a body.
pub type QueryReply = (u16, String);

/// A running mock; it ends with the test's runtime.
#[derive(Debug)]
pub struct QueryService {
    /// Its address.
    pub url: String,
    received: watch::Sender<Vec<Received>>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its form.
    pub form: Form,
    /// Its header `authorization`.
    pub authorization: String,
}

impl QueryService {
    /// Starts a mock; `answer` gets the form and the number of earlier requests.
    pub async fn new(answer: impl Fn(&Form, usize) -> QueryReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (received, answer) = (watch::Sender::new(Vec::new()), Arc::new(answer));
        let service = Self { url, received: received.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (received, answer) = (received.clone(), Arc::clone(&answer));
                let handler = service_fn(move |request| {
                    let (received, answer) = (received.clone(), Arc::clone(&answer));
                    async move {
                        let one = read(request).await;
                        let mut before = 0;
                        received.send_modify(|all| {
                            before = all.len();
                            all.push(one.clone());
                        });
                        let (status, body) = answer(&one.form, before);
                        let response = Response::builder().status(status).header("content-type", "text/xml");
                        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), handler));
            }
        });
        service
    }

    /// All requests until now.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.borrow().clone()
    }

    /// The same, once there are so many.
    pub async fn received_at_least(&self, count: usize) -> Vec<Received> {
        let mut received = self.received.subscribe();
        let enough = timeout(Duration::from_mins(1), received.wait_for(|all| all.len() >= count)).await;
        enough.unwrap_or_else(|_| panic!("fewer than {count} requests")).unwrap().clone()
    }
}

async fn read(request: Request<Incoming>) -> Received {
    let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let form = form_urlencoded::parse(&body).into_owned().collect();
    Received { form, authorization: authorization.unwrap_or_default() }
}

/// An error reply of the Query protocol.
#[must_use]
pub fn query_error(status: u16, code: &str, message: &str) -> QueryReply {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    let id = "<RequestId>b25f48e8-84fd-11e6-80d9-574e0c4664cb</RequestId>";
    (status, format!("<ErrorResponse>{error}{id}</ErrorResponse>"))
}
