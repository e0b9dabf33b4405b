//! HTTP/1.1 on a blocking socket: as much as it takes to talk to a function's process or to the stage, with nothing
//! between the socket and the clock.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// One end of a connection.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A request or a response, whole.
pub(crate) struct Message {
    /// The request line or the status line.
    pub(crate) start: String,
    /// The lines after it.
    headers: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The value of a header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// The next message; none when the other end has closed the connection.
    pub(crate) fn read(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return self.read_body(end).map(Some);
            }
            if !self.receive()? {
                return Ok(None);
            }
        }
    }

    fn read_body(&mut self, end: usize) -> io::Result<Message> {
        let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
        let (start, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
        let mut message = Message { start: start.to_owned(), headers: headers.to_owned(), body: Vec::new() };
        if message.header("transfer-encoding").is_some() {
            return Err(io::Error::other("a body without a length"));
        }
        let length: usize = match message.header("content-length") {
            Some(length) => length.parse().map_err(io::Error::other)?,
            None => 0,
        };
        let whole = end + 4 + length;
        while self.received.len() < whole {
            if !self.receive()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        message.body = self.received[end + 4..whole].to_vec();
        self.received.drain(..whole);
        Ok(message)
    }

    fn receive(&mut self) -> io::Result<bool> {
        let mut part = [0; 8192];
        let length = self.stream.read(&mut part)?;
        self.received.extend_from_slice(&part[..length]);
        Ok(length > 0)
    }

    /// Sends a message in one write. `head` is its first line and its headers, each with its line end.
    pub(crate) fn write(&mut self, head: &str, body: &[u8]) -> io::Result<()> {
        let mut message = format!("{head}content-length: {}\r\n\r\n", body.len()).into_bytes();
        message.extend_from_slice(body);
        self.send(&message)
    }

    /// Sends bytes as they are, in one write.
    pub(crate) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.stream.write_all(message)
    }
}
