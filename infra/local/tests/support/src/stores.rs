//! Raw access to the stores of the app under test, not through the fault proxies.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::client::{HttpResponse, post_signed};

impl TestApp {
    /// The reply to the last of these commands, which share a connection: one line, or the text of a bulk string.
    pub async fn redis(&self, commands: &[&str]) -> String {
        redis(&self.emulator.cache_url(), commands).await
    }

    /// A call of DynamoDB, which must succeed.
    pub async fn dynamodb(&self, operation: &str, body: &Value) -> Value {
        let response = dynamodb(&self.emulator.dynamodb_url(), operation, body).await;
        assert_eq!(response.status, 200, "{operation}: {}", response.text());
        response.json()
    }
}

/// The same for the server at a `redis://` URL.
pub async fn redis(url: &str, commands: &[&str]) -> String {
    let stream = TcpStream::connect(url.strip_prefix("redis://").unwrap()).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut reply = String::new();
    for command in commands {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        reply.clear();
        stream.read_line(&mut reply).await.unwrap();
        reply.truncate(reply.trim_end().len());
        if let Some(length) = reply.strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) {
            let mut text = vec![0; length + 2];
            stream.read_exact(&mut text).await.unwrap();
            reply = String::from_utf8_lossy(&text[..length]).into_owned();
        }
    }
    reply
}

/// A call of the DynamoDB at that URL, or of its streams if `operation` names their API.
pub async fn dynamodb(url: &str, operation: &str, body: &Value) -> HttpResponse {
    let target = if operation.contains('.') { operation.to_owned() } else { format!("DynamoDB_20120810.{operation}") };
    let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.0")];
    post_signed(&format!("{url}/"), "dynamodb", &headers, body.to_string()).await
}
