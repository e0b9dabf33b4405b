//! TCP proxies between functions and the stores, which make a store fail on demand.
//!
//! A proxy parses only where a request ends. The emulator's own requests do not pass it.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::faults::{Backend, Fate, Faults};
use crate::guard;
use crate::server;
use crate::tasks::Tasks;

/// Source: Amazon DynamoDB Developer Guide, "Error handling with DynamoDB": on-demand tables throttle so.
const THROTTLED: (&str, &str) = (
    "com.amazon.coral.availability#ThrottlingException",
    "Throughput exceeds the current capacity of your table or index.",
);

/// Source: Amazon DynamoDB API Reference, `PutItem`.
const CONFLICT: (&str, &str) =
    ("com.amazonaws.dynamodb.v20120810#TransactionConflictException", "Transaction is ongoing for the item");

/// Operations that a transaction under way refuses; the API Reference lists the exception with the first three.
const WRITES: [&[u8]; 4] =
    [b"DynamoDB_20120810.PutItem", b"DynamoDB_20120810.UpdateItem", b"DynamoDB_20120810.DeleteItem", TRANSACTION];

/// A transaction that meets another one is cancelled, and says why for each of its writes.
const TRANSACTION: &[u8] = b"DynamoDB_20120810.TransactWriteItems";

/// The error of a full cache, also of `ElastiCache` Serverless at its limit (Amazon `ElastiCache` User Guide, "Scaling
/// serverless"). The server itself returns it in the request's place, so that pipelined replies stay in order.
const OUT_OF_MEMORY: &[u8] = b"*3\r\n$4\r\nEVAL\r\n$83\r\n\
    return redis.error_reply(\"OOM command not allowed when used memory > 'maxmemory'.\")\r\n$1\r\n0\r\n";

/// Buffer for one read; most requests and replies are smaller.
const READ_BYTES: usize = 16 * 1024;

/// A port that forwards to a store.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    backend: Backend,
    /// The store.
    to: SocketAddr,
    faults: Arc<Faults>,
}

/// A complete request.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    length: usize,
    writes: bool,
    /// Why it is refused: a page of another site may have sent it, or it is no request.
    refusal: Option<&'static str>,
}

impl FaultProxy {
    /// Starts a proxy for the store at `to`; returns its port.
    pub(crate) async fn start(
        backend: Backend,
        to: SocketAddr,
        faults: &Arc<Faults>,
        tasks: &Tasks,
    ) -> io::Result<u16> {
        let listener = server::listen(0).await?;
        let port = listener.local_addr()?.port();
        let proxy = Arc::new(Self { backend, to, faults: Arc::clone(faults) });
        tasks.spawn(async move { match proxy.serve(listener).await {} });
        Ok(port)
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => {
                        let proxy = Arc::clone(&self);
                        connections.spawn(async move { proxy.forward(client).await });
                    }
                    // Out of file descriptors: wait until connections end.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn forward(&self, mut client: TcpStream) {
        let end = tokio::select! {
            biased;
            () = self.faults.down(self.backend) => Err(io::ErrorKind::ConnectionReset.into()),
            end = self.exchange(&mut client) => end,
        };
        if end.is_err() {
            // Closes with a reset, as a lost host does. If that fails, it closes normally.
            let _ = client.set_zero_linger();
        }
    }

    /// Forwards requests and replies until one side closes.
    async fn exchange(&self, client: &mut TcpStream) -> io::Result<()> {
        let mut store = TcpStream::connect(self.to).await?;
        client.set_nodelay(true)?;
        store.set_nodelay(true)?;
        let (mut requests, mut replies) = (BytesMut::new(), BytesMut::new());
        loop {
            // A full buffer grows by 64 bytes a read, and each piece costs the other side a read too.
            requests.reserve(READ_BYTES);
            replies.reserve(READ_BYTES);
            tokio::select! {
                read = client.read_buf(&mut requests) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    while let Some(request) = self.backend.first_request(&requests) {
                        let bytes = requests.split_to(request.length);
                        if let Some(refusal) = request.refusal {
                            return client.write_all(&error_reply(403, ("AccessDeniedException", refusal))).await;
                        }
                        let fate = tokio::select! {
                            biased;
                            fate = self.faults.fate(self.backend) => fate,
                            () = closed(client) => return Ok(()),
                        };
                        match (fate, self.backend) {
                            (Fate::Breaks, _) => return Err(io::ErrorKind::ConnectionReset.into()),
                            (Fate::Throttled, Backend::Redis) => store.write_all(OUT_OF_MEMORY).await?,
                            (Fate::Throttled, Backend::DynamoDb) => client.write_all(&error_reply(400, THROTTLED)).await?,
                            (Fate::Conflicts, _) if request.writes => client.write_all(&conflict(&bytes)).await?,
                            (Fate::Passes | Fate::Conflicts, _) => store.write_all(&bytes).await?,
                        }
                    }
                }
                read = store.read_buf(&mut replies) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    client.write_all_buf(&mut replies).await?;
                }
            }
        }
    }
}

/// Waits until the client has closed: a request that it has given up is not carried out later.
async fn closed(client: &TcpStream) {
    if let Ok(1) = client.peek(&mut [0]).await {
        // The client has sent more, so it is still there; only reading on would show when it closes.
        pending::<()>().await;
    }
}

impl Backend {
    /// The first request in `bytes`, once it is complete.
    fn first_request(self, bytes: &[u8]) -> Option<Request> {
        if bytes.is_empty() {
            return None;
        }
        match self {
            Self::DynamoDb => http_request(bytes),
            Self::Redis => {
                let length = command(bytes)?;
                Some(Request { length, writes: false, refusal: None })
            }
        }
    }
}

/// An HTTP/1.1 request with a `content-length`: AWS's SDKs send no other.
fn http_request(bytes: &[u8]) -> Option<Request> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return None,
        // With too many headers, for instance: what is not understood cannot be guarded.
        Err(_) => {
            return Some(Request { length: bytes.len(), writes: false, refusal: Some("not an HTTP/1.1 request") });
        }
    };
    let header =
        |name: &str| request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|one| one.value);
    let body = header("content-length").and_then(|value| str::from_utf8(value).ok()?.trim().parse().ok()).unwrap_or(0);
    let writes = header("x-amz-target").is_some_and(|target| WRITES.contains(&target));
    let length = head.checked_add(body)?;
    let refusal = guard::check(request.method.unwrap_or_default(), header).err();
    (length <= bytes.len()).then_some(Request { length, writes, refusal })
}

/// The length of a command: an array of bulk strings, or a line.
///
/// Source: "Redis serialization protocol specification".
fn command(bytes: &[u8]) -> Option<usize> {
    let (strings, mut length) = length_line(bytes, b'*')?;
    for _ in 0..strings {
        let (string, head) = length_line(bytes.get(length..)?, b'$')?;
        length = length.saturating_add(head).saturating_add(string).saturating_add(2);
    }
    (length <= bytes.len()).then_some(length)
}

/// The number in a line `*3` or `$4`, else 0, and the line's length.
fn length_line(bytes: &[u8], sign: u8) -> Option<(usize, usize)> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let number = bytes[..end].strip_prefix(&[sign]).and_then(|line| str::from_utf8(line).ok()?.trim().parse().ok());
    Some((number.unwrap_or(0), end + 1))
}

/// An error reply of DynamoDB.
fn error_reply(status: u16, (kind, message): (&str, &str)) -> Vec<u8> {
    reply(status, &json!({ "__type": kind, "message": message }))
}

/// How a write ends that meets a transaction.
fn conflict(request: &[u8]) -> Vec<u8> {
    if !request.windows(TRANSACTION.len()).any(|part| part == TRANSACTION) {
        return error_reply(400, CONFLICT);
    }
    let reasons = json!([{ "Code": "TransactionConflict", "Message": CONFLICT.1 }, { "Code": "None" }]);
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    reply(400, &json!({ "__type": kind, "Message": "Transaction cancelled", "CancellationReasons": reasons }))
}

fn reply(status: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let id = crate::random::id();
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Refused\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: {id}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Backend, OUT_OF_MEMORY, conflict};

    fn first_request(backend: Backend, text: &str) -> Option<(usize, bool)> {
        backend.first_request(text.as_bytes()).map(|request| (request.length, request.writes))
    }

    #[test]
    fn a_command_ends_where_its_last_string_does() {
        let two = "*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*1\r\n$4\r\nPING\r\n";
        assert_eq!(first_request(Backend::Redis, two), Some((23, false)));
        for end in 1..23 {
            assert_eq!(first_request(Backend::Redis, &two[..end]), None, "{end}");
        }
        assert_eq!(first_request(Backend::Redis, "PING\r\nPING\r\n"), Some((6, false)));
        let ours = str::from_utf8(OUT_OF_MEMORY).unwrap();
        assert_eq!(first_request(Backend::Redis, ours), Some((ours.len(), false)), "{ours}");
    }

    #[test]
    fn a_request_ends_where_its_body_does() {
        let put = "POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Length: 2\r\n\r\n{}";
        let get = put.replace("PutItem", "GetItem");
        let transaction = put.replace("PutItem", "TransactWriteItems");
        assert_eq!(first_request(Backend::DynamoDb, &transaction), Some((transaction.len(), true)));
        let cancelled = String::from_utf8(conflict(transaction.as_bytes())).unwrap();
        assert!(cancelled.contains("TransactionCanceledException"), "{cancelled}");
        assert_eq!(first_request(Backend::DynamoDb, &format!("{put}GET")), Some((put.len(), true)));
        assert_eq!(first_request(Backend::DynamoDb, &get), Some((get.len(), false)));
        assert_eq!(first_request(Backend::DynamoDb, &put[..put.len() - 1]), None);
        assert_eq!(first_request(Backend::DynamoDb, "GET / HTTP/1.1\r\n\r\n"), Some((18, false)));
        assert_eq!(first_request(Backend::DynamoDb, "\0\0"), Some((2, false)));
    }
}
