//! An AWS service of the Query protocol that a test plays: it takes forms and answers with what the test says.

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
pub(crate) type Form = BTreeMap<String, String>;

/// A status and a body.
pub(crate) type Answer = (u16, String);

/// A running service; it ends with the test's runtime.
pub(crate) struct Service {
    pub(crate) url: String,
    asked: watch::Sender<Vec<Asked>>,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) form: Form,
    pub(crate) authorization: String,
}

impl Service {
    /// A service whose `answer` gets the form, and how many there were before.
    pub(crate) async fn new(answer: impl Fn(&Form, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, answer) = (watch::Sender::new(Vec::new()), Arc::new(answer));
        let service = Self { url, asked: asked.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, answer) = (asked.clone(), Arc::clone(&answer));
                let take = service_fn(move |request| {
                    let (asked, answer) = (asked.clone(), Arc::clone(&answer));
                    async move {
                        let one = read(request).await;
                        let mut before = 0;
                        asked.send_modify(|all| {
                            before = all.len();
                            all.push(one.clone());
                        });
                        let (status, body) = answer(&one.form, before);
                        let response = Response::builder().status(status).header("content-type", "text/xml");
                        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), take));
            }
        });
        service
    }

    /// Everything that came until now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// The same, as soon as there are so many.
    pub(crate) async fn asked_at_least(&self, count: usize) -> Vec<Asked> {
        let mut asked = self.asked.subscribe();
        let enough = timeout(Duration::from_mins(1), asked.wait_for(|all| all.len() >= count)).await;
        enough.unwrap_or_else(|_| panic!("nobody asked {count} times")).unwrap().clone()
    }
}

async fn read(request: Request<Incoming>) -> Asked {
    let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let form = form_urlencoded::parse(&body).into_owned().collect();
    Asked { form, authorization: authorization.unwrap_or_default() }
}

/// The answer of a service that refuses, in the form of the Query protocol's errors.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    let id = "<RequestId>b25f48e8-84fd-11e6-80d9-574e0c4664cb</RequestId>";
    (status, format!("<ErrorResponse>{error}{id}</ErrorResponse>"))
}
