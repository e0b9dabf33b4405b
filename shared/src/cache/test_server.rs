//! A server for tests, which gives replies by number of connection and of request.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::client::Cache;
use super::connection::Connection;

/// Requests by connection, in the order in which the connections were opened.
#[derive(Clone, Default)]
pub(crate) struct Requests(Arc<Mutex<Vec<Vec<String>>>>);

impl Requests {
    /// Requests of each connection.
    pub(crate) fn counts(&self) -> Vec<usize> {
        self.0.lock().unwrap().iter().map(Vec::len).collect()
    }

    /// All requests, the first connection's first.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().concat()
    }
}

/// Starts a server and returns its URL. `reply` gets the numbers of connection and request, both from 0. After `None` the
/// connection is closed.
pub(crate) async fn start<R>(reply: impl Fn(usize, usize) -> Option<R> + Send + Sync + 'static) -> (String, Requests)
where
    R: AsRef<str> + Send,
{
    let reply = Arc::new(reply);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (reply, seen) = (Arc::clone(&reply), seen.clone());
            let connection = {
                let mut seen = seen.0.lock().unwrap();
                seen.push(Vec::new());
                seen.len() - 1
            };
            tokio::spawn(async move {
                let mut buffer = vec![0; 16 * 1024];
                // The client waits for the reply to a request, and each request here comes in one piece.
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    let request = {
                        let mut seen = seen.0.lock().unwrap();
                        seen[connection].push(String::from_utf8_lossy(&buffer[..length]).into_owned());
                        seen[connection].len() - 1
                    };
                    let Some(reply) = reply(connection, request) else { break };
                    stream.write_all(reply.as_ref().as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, requests)
}

/// A cache that gives this reply to every request.
pub(crate) async fn cache(reply: &'static str) -> (Cache, Requests) {
    let (url, requests) = start(move |_, _| Some(reply)).await;
    (Cache::new(Connection::new(&url, &[], None).unwrap(), "iwc"), requests)
}
