//! HTTP/1.1 on a blocking socket: whole messages, and nothing between the socket and the clock.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use httparse::{EMPTY_HEADER, Header, Status};

pub(crate) const LONGEST: Duration = Duration::from_secs(30);

pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) cookie: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LONGEST))?;
        Self::new(stream)
    }

    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(8192) })
    }

    /// Sends a message in one write. `head` is its first line and its headers, each with its line end.
    pub(crate) fn send(&mut self, head: &str, body: &[u8]) -> io::Result<()> {
        let head = format!("{head}content-length: {}\r\n\r\n", body.len());
        self.stream.write_all(&[head.as_bytes(), body].concat())
    }

    /// The next request; none when the other end has closed the connection.
    fn request(&mut self) -> io::Result<Option<Request>> {
        let parse = |received: &[u8]| {
            let mut headers = [EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut headers);
            let Status::Complete(head) = request.parse(received).map_err(io::Error::other)? else { return Ok(None) };
            let [method, path] = [request.method, request.path].map(|text| text.unwrap_or_default().to_owned());
            Ok(Some(((method, path), head, content_length(request.headers)?)))
        };
        Ok(self.message(parse)?.map(|((method, path), body)| Request { method, path, body }))
    }

    pub(crate) fn response(&mut self) -> io::Result<Response> {
        let parse = |received: &[u8]| {
            let mut headers = [EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut headers);
            let Status::Complete(head) = response.parse(received).map_err(io::Error::other)? else { return Ok(None) };
            let cookie = header(response.headers, "set-cookie").and_then(|cookie| cookie.split(';').next());
            let parsed = (response.code.unwrap_or_default(), cookie.map(str::to_owned));
            Ok(Some((parsed, head, content_length(response.headers)?)))
        };
        let ((status, cookie), body) = self.message(parse)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Response { status, cookie, body })
    }

    /// The next message. Once its head is there, `parse` gives what it needs of it, and the lengths of head and body.
    fn message<T>(
        &mut self,
        parse: impl Fn(&[u8]) -> io::Result<Option<(T, usize, usize)>>,
    ) -> io::Result<Option<(T, Vec<u8>)>> {
        loop {
            match parse(&self.received)? {
                Some((parsed, head, length)) if self.received.len() >= head + length => {
                    let rest = self.received.split_off(head + length);
                    return Ok(Some((parsed, std::mem::replace(&mut self.received, rest).split_off(head))));
                }
                _ if self.receive()? => {}
                _ => return Ok(None),
            }
        }
    }

    fn receive(&mut self) -> io::Result<bool> {
        let mut part = [0; 8192];
        let length = self.stream.read(&mut part)?;
        self.received.extend_from_slice(&part[..length]);
        Ok(length > 0)
    }
}

/// Listens in threads that end with the bench. `answer` gives the head and the body of a response, or ends the connection.
pub(crate) fn serve(
    answer: impl Fn(Request) -> Option<(String, Vec<u8>)> + Clone + Send + 'static,
) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || -> io::Result<()> {
                let mut connection = Connection::new(stream)?;
                while let Some((head, body)) = connection.request()?.and_then(&answer) {
                    connection.send(&head, &body)?;
                }
                Ok(())
            });
        }
    });
    Ok(address)
}

fn header<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    str::from_utf8(found.value).ok()
}

fn content_length(headers: &[Header<'_>]) -> io::Result<usize> {
    if header(headers, "transfer-encoding").is_some() {
        return Err(io::Error::other("a body without a length"));
    }
    header(headers, "content-length").map_or(Ok(0), |length| length.parse().map_err(io::Error::other))
}
