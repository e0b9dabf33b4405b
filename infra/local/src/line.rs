//! The lines between functions and the stores: every request goes over one, so that a store can be made to fail.
//!
//! A line carries bytes and understands of them only where a request ends. The stage itself goes around it.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::faults::{Backend, Fate, Faults};
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

/// Operations that a transaction under way refuses; the API Reference lists the exception with these three.
const WRITES: [&[u8]; 3] =
    [b"DynamoDB_20120810.PutItem", b"DynamoDB_20120810.UpdateItem", b"DynamoDB_20120810.DeleteItem"];

/// What a full cache says, also `ElastiCache` Serverless at its limit (Amazon `ElastiCache` User Guide,
/// "Scaling serverless"). The server is made to say it in the request's place, so that pipelined replies keep their order.
const OUT_OF_MEMORY: &[u8] = b"*3\r\n$4\r\nEVAL\r\n$83\r\n\
    return redis.error_reply(\"OOM command not allowed when used memory > 'maxmemory'.\")\r\n$1\r\n0\r\n";

/// What one read may bring: most requests and replies are smaller.
const ROOM_BYTES: usize = 16 * 1024;

/// A port that leads to a store.
#[derive(Debug)]
pub(crate) struct Line {
    backend: Backend,
    /// Of the store.
    to: u16,
    faults: Arc<Faults>,
}

/// A request that has come in whole.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    length: usize,
    writes: bool,
}

impl Line {
    /// Takes a port and leads it to the store on port `to`; the new port.
    pub(crate) async fn open(backend: Backend, to: u16, faults: &Arc<Faults>, tasks: &Tasks) -> io::Result<u16> {
        let listener = server::listen(0).await?;
        let port = listener.local_addr()?.port();
        let line = Arc::new(Self { backend, to, faults: Arc::clone(faults) });
        tasks.spawn(async move { match line.serve(listener).await {} });
        Ok(port)
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => {
                        let line = Arc::clone(&self);
                        connections.spawn(async move { line.lead(client).await });
                    }
                    // Out of file descriptors: wait for connections to end instead of spinning.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn lead(&self, mut client: TcpStream) {
        let end = tokio::select! {
            biased;
            () = self.faults.down(self.backend) => Err(io::ErrorKind::ConnectionReset.into()),
            end = self.carry(&mut client) => end,
        };
        if end.is_err() {
            // Closed by a reset, as by a host that has gone. If it cannot be, it is closed like any other.
            let _ = client.set_zero_linger();
        }
    }

    /// Carries requests and replies until one side has had enough.
    async fn carry(&self, client: &mut TcpStream) -> io::Result<()> {
        let mut store = TcpStream::connect((Ipv4Addr::LOCALHOST, self.to)).await?;
        client.set_nodelay(true)?;
        store.set_nodelay(true)?;
        let (mut requests, mut replies) = (BytesMut::new(), BytesMut::new());
        loop {
            // A buffer without room grows by 64 bytes a read, and each piece costs the other side a read too.
            requests.reserve(ROOM_BYTES);
            replies.reserve(ROOM_BYTES);
            tokio::select! {
                read = client.read_buf(&mut requests) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    while let Some(request) = self.backend.whole(&requests) {
                        let bytes = requests.split_to(request.length);
                        let fate = tokio::select! {
                            biased;
                            fate = self.faults.fate(self.backend) => fate,
                            () = is_gone(client) => return Ok(()),
                        };
                        match (fate, self.backend) {
                            (Fate::Breaks, _) => return Err(io::ErrorKind::ConnectionReset.into()),
                            (Fate::Throttled, Backend::Redis) => store.write_all(OUT_OF_MEMORY).await?,
                            (Fate::Throttled, Backend::DynamoDb) => client.write_all(&refusal(THROTTLED)).await?,
                            (Fate::Conflicts, _) if request.writes => client.write_all(&refusal(CONFLICT)).await?,
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

/// Waits until the client has closed; a request that it no longer waits for is not carried out behind its back.
async fn is_gone(client: &TcpStream) {
    if let Ok(1) = client.peek(&mut [0]).await {
        // It sends on, so it is there. Only reading on would tell when it goes.
        pending::<()>().await;
    }
}

impl Backend {
    /// The first request in `bytes`, once it is there to its end. What is none is passed on for the store to judge.
    fn whole(self, bytes: &[u8]) -> Option<Request> {
        if bytes.is_empty() {
            return None;
        }
        match self {
            Self::DynamoDb => http_request(bytes),
            Self::Redis => {
                let length = command(bytes)?;
                Some(Request { length, writes: false })
            }
        }
    }
}

/// An HTTP/1.1 request whose body, if any, has a stated length: AWS's SDKs send no other.
fn http_request(bytes: &[u8]) -> Option<Request> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(Request { length: bytes.len(), writes: false }),
    };
    let header =
        |name: &str| request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|one| one.value);
    let body = header("content-length").and_then(|value| str::from_utf8(value).ok()?.trim().parse().ok()).unwrap_or(0);
    let writes = header("x-amz-target").is_some_and(|target| WRITES.contains(&target));
    let length = head.checked_add(body)?;
    (length <= bytes.len()).then_some(Request { length, writes })
}

/// The length of a command: an array of bulk strings, or a line.
///
/// Source: "Redis serialization protocol specification".
fn command(bytes: &[u8]) -> Option<usize> {
    let (strings, mut length) = announced(bytes, b'*')?;
    for _ in 0..strings {
        let (string, head) = announced(bytes.get(length..)?, b'$')?;
        length = length.saturating_add(head).saturating_add(string).saturating_add(2);
    }
    (length <= bytes.len()).then_some(length)
}

/// The number of a line `*3` or `$4`, and the line's length; any other line announces nothing.
fn announced(bytes: &[u8], sign: u8) -> Option<(usize, usize)> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let number = bytes[..end].strip_prefix(&[sign]).and_then(|line| str::from_utf8(line).ok()?.trim().parse().ok());
    Some((number.unwrap_or(0), end + 1))
}

/// A refusal as DynamoDB writes it.
fn refusal((kind, message): (&str, &str)) -> Vec<u8> {
    let body = serde_json::json!({ "__type": kind, "message": message }).to_string();
    let id = crate::random::id();
    let length = body.len();
    format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: {id}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Backend, OUT_OF_MEMORY, Request};

    fn whole(backend: Backend, text: &str) -> Option<(usize, bool)> {
        backend.whole(text.as_bytes()).map(|Request { length, writes }| (length, writes))
    }

    #[test]
    fn a_command_ends_where_its_last_string_does() {
        let two = "*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*1\r\n$4\r\nPING\r\n";
        assert_eq!(whole(Backend::Redis, two), Some((23, false)));
        for end in 1..23 {
            assert_eq!(whole(Backend::Redis, &two[..end]), None, "{end}");
        }
        assert_eq!(whole(Backend::Redis, "PING\r\nPING\r\n"), Some((6, false)));
        let ours = str::from_utf8(OUT_OF_MEMORY).unwrap();
        assert_eq!(whole(Backend::Redis, ours), Some((ours.len(), false)), "{ours}");
    }

    #[test]
    fn a_request_ends_where_its_body_does() {
        let put = "POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Length: 2\r\n\r\n{}";
        let get = put.replace("PutItem", "GetItem");
        assert_eq!(whole(Backend::DynamoDb, &format!("{put}GET")), Some((put.len(), true)));
        assert_eq!(whole(Backend::DynamoDb, &get), Some((get.len(), false)));
        assert_eq!(whole(Backend::DynamoDb, &put[..put.len() - 1]), None);
        assert_eq!(whole(Backend::DynamoDb, "GET / HTTP/1.1\r\n\r\n"), Some((18, false)));
        assert_eq!(whole(Backend::DynamoDb, "\0\0"), Some((2, false)));
    }
}
