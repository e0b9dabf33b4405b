//! A Runtime API that refuses what a function sends back. Source: AWS Lambda Developer Guide, "Using the Lambda runtime
//! API for custom runtimes".

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Starts one: it hands out `event` twice, answers what comes back for the first with that status, and then has no more
/// work. Gives the value for `AWS_LAMBDA_RUNTIME_API`.
pub(crate) async fn refusing(status: u16, event: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let handed_out = Arc::new(AtomicUsize::new(0));
        while let Ok((stream, _)) = listener.accept().await {
            let handed_out = Arc::clone(&handed_out);
            let take = service_fn(move |request| answer(request, status, event, Arc::clone(&handed_out)));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), take));
        }
    });
    address
}

async fn answer(
    request: Request<Incoming>,
    status: u16,
    event: &'static str,
    handed_out: Arc<AtomicUsize>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().strip_prefix("/2018-06-01/runtime/invocation/").unwrap();
    let response = match (request.method(), path) {
        (&Method::GET, "next") => {
            let number = handed_out.fetch_add(1, Ordering::Relaxed);
            if number == 2 {
                std::future::pending::<()>().await;
            }
            Response::builder()
                .header("lambda-runtime-aws-request-id", format!("request-{number}"))
                .header("lambda-runtime-deadline-ms", "4102444800000")
                .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:f")
                .header("lambda-runtime-trace-id", "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c")
                .body(Bytes::from(event))
        }
        (_, "request-0/response") => Response::builder().status(status).body("{\"errorType\":\"Refused\"}".into()),
        (_, "request-1/response") => Response::builder().status(202).body("{\"status\":\"OK\"}".into()),
        (method, path) => panic!("{method} {path}"),
    };
    Ok(response.unwrap().map(Full::new))
}
