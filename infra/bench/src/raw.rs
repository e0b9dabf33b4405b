//! The raw round trips of a request: the very bytes that a function sent, on blocking sockets, with nothing between them
//! and the clock. What a function takes above this and the floor is its own.
//!
//! A request changes what is stored, and the second time it would be answered otherwise, mostly sooner. So before each
//! replay its keys of the cache are set back to what they were (in another database of the same server), and the items
//! that it writes are deleted.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failure;
use crate::figures::{Samples, Trips};
use crate::record::{Recorder, Sent, Step};
use crate::resp;
use crate::wire::Wire;

/// Databases of the cache: as it was before the recorded requests, and where they are replayed.
const BEFORE: &str = "1";
const REPLAYS: &str = "2";

/// Copies keys from the database ARGV[1] to the database ARGV[2], all of them if none is named.
const COPY: &str = "local keys = KEYS \
    redis.call('SELECT', ARGV[1]) \
    if #keys == 0 then keys = redis.call('KEYS', '*') end \
    for _, key in ipairs(keys) do \
      redis.call('SELECT', ARGV[1]) \
      local value, left = redis.call('DUMP', key), redis.call('PTTL', key) \
      redis.call('SELECT', ARGV[2]) \
      if value then redis.call('RESTORE', key, math.max(left, 0), value, 'REPLACE') else redis.call('DEL', key) end \
    end \
    return 'OK'";

/// Requests that were recorded, to be replayed in turn.
#[derive(Default)]
pub(crate) struct Raw {
    records: Vec<Record>,
    /// The median of each block.
    pub(crate) block_us: Samples,
    next: usize,
}

struct Record {
    steps: Vec<Step>,
    /// Keys of the cache that it names.
    keys: Vec<Vec<u8>>,
    /// Items that it writes: the address of the store, and the body of a `DeleteItem`.
    items: Vec<(String, String)>,
}

/// Keeps the cache as it is now, for replays of what comes after this.
pub(crate) fn keep(cache: &str) -> Result<(), Failure> {
    copy(&mut Redis::connect(cache)?, "0", BEFORE, &[])
}

impl Raw {
    /// Adds what is said while `work` is done.
    pub(crate) fn record<T>(
        &mut self,
        recorder: &Recorder,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<(), Failure> {
        let steps = recorder.record(work)?;
        let sent = || steps.iter().flat_map(BTreeMap::values);
        let mut keys: Vec<_> = sent()
            .filter(|sent| sent.is_redis)
            .flat_map(|sent| resp::commands(&sent.bytes))
            .flat_map(|words| resp::keys(&words).to_vec())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let mut items: Vec<_> = sent().filter(|sent| !sent.is_redis).filter_map(deletion).collect();
        items.dedup();
        self.records.push(Record { steps, keys, items });
        Ok(())
    }

    /// The round trips, and what `warm` is to them and the floor's blocks, which were measured in turn with them.
    pub(crate) fn trips(&self, warm: &Samples, floor: &Samples) -> Option<Trips> {
        let steps = self.records.last()?.steps.len();
        let ratio = warm.ratio_to(&floor.plus(&self.block_us));
        Some(Trips { p50_us: self.block_us.median(), steps, ratio })
    }

    /// Forgets what was recorded, so that there are no [`Self::trips`].
    pub(crate) fn forget(&mut self) {
        self.records.clear();
    }

    /// Replays `count` requests, on connections that are opened for it.
    pub(crate) fn block(&mut self, cache: &str, count: usize) -> Result<(), Failure> {
        let mut lanes = Lanes { cache: cache.to_owned(), control: Redis::connect(cache)?, open: BTreeMap::new() };
        let mut samples = Samples::default();
        // The first opens connections and does not count.
        for at in 0..=count {
            let record = &self.records[self.next % self.records.len()];
            self.next += 1;
            lanes.set_back(record)?;
            let took = lanes.replay(record)?;
            if at > 0 {
                samples.push(took.as_secs_f64() * 1e6);
            }
        }
        self.block_us.push(samples.median());
        Ok(())
    }
}

/// The `DeleteItem` that undoes a write.
fn deletion(sent: &Sent) -> Option<(String, String)> {
    let end = sent.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&sent.bytes[..end]).into_owned();
    let request: Value = serde_json::from_slice(&sent.bytes[end + 4..]).ok()?;
    let key = if head.contains("DynamoDB_20120810.PutItem") {
        // The tables of this service have one of these as their key.
        let name = ["phone", "run"].into_iter().find(|name| !request["Item"][name].is_null())?;
        json!({ name: request["Item"][name] })
    } else if head.contains("DynamoDB_20120810.UpdateItem") {
        request["Key"].clone()
    } else {
        return None;
    };
    Some((sent.to.clone(), json!({ "TableName": request["TableName"], "Key": key }).to_string()))
}

/// The connections of a block of replays.
struct Lanes {
    cache: String,
    control: Redis,
    open: BTreeMap<(usize, String), Lane>,
}

enum Lane {
    Redis(Redis),
    Http(Wire),
}

impl Lanes {
    /// Makes the stores what they were before the record.
    fn set_back(&mut self, record: &Record) -> Result<(), Failure> {
        if !record.keys.is_empty() {
            copy(&mut self.control, BEFORE, REPLAYS, &record.keys)?;
        }
        for (store, body) in &record.items {
            let mut wire = Wire::new(TcpStream::connect(store)?)?;
            wire.write(&dynamodb_head("DeleteItem"), body.as_bytes())?;
            let answer = wire.read()?.ok_or("the store has closed the connection")?;
            if !answer.start.contains(" 200 ") {
                return Err(format!("DeleteItem: {}", String::from_utf8_lossy(&answer.body)).into());
            }
        }
        Ok(())
    }

    fn replay(&mut self, record: &Record) -> Result<Duration, Failure> {
        for step in &record.steps {
            for (connection, sent) in step {
                let key = (*connection, sent.to.clone());
                if !self.open.contains_key(&key) {
                    let lane = if sent.is_redis {
                        let mut redis = Redis::connect(&self.cache)?;
                        redis.ask(&resp::command_of(&[b"SELECT", REPLAYS.as_bytes()]))?;
                        Lane::Redis(redis)
                    } else {
                        Lane::Http(Wire::new(TcpStream::connect(&sent.to)?)?)
                    };
                    self.open.insert(key, lane);
                }
            }
        }
        let mut lane = |connection: &usize, sent: &Sent, is_send: bool| -> Result<(), Failure> {
            match self.open.get_mut(&(*connection, sent.to.clone())) {
                Some(Lane::Redis(redis)) if is_send => Ok(redis.stream.write_all(&sent.bytes)?),
                Some(Lane::Redis(redis)) => redis.replies(resp::commands(&sent.bytes).len()),
                Some(Lane::Http(wire)) if is_send => Ok(wire.send(&sent.bytes)?),
                Some(Lane::Http(wire)) => {
                    let answer = wire.read()?.ok_or("a backend has closed the connection")?;
                    let is_good = answer.start.starts_with("HTTP/1.1 2");
                    if is_good {
                        Ok(())
                    } else {
                        Err(format!("replayed: {}", String::from_utf8_lossy(&answer.body)).into())
                    }
                }
                None => Err("no connection".into()),
            }
        };
        let begin = Instant::now();
        for step in &record.steps {
            for (connection, sent) in step {
                lane(connection, sent, true)?;
            }
            for (connection, sent) in step {
                lane(connection, sent, false)?;
            }
        }
        Ok(begin.elapsed())
    }
}

/// The head of a call that nobody signs: the embedded store does not look.
pub(crate) fn dynamodb_head(operation: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: dynamodb\r\ncontent-type: application/x-amz-json-1.0\r\n\
         x-amz-target: DynamoDB_20120810.{operation}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host, Signature=0\r\nx-amz-date: 20260101T000000Z\r\n"
    )
}

fn copy(redis: &mut Redis, from: &str, to: &str, keys: &[Vec<u8>]) -> Result<(), Failure> {
    let count = keys.len().to_string();
    let mut words: Vec<&[u8]> = vec![b"EVAL", COPY.as_bytes(), count.as_bytes()];
    words.extend(keys.iter().map(Vec::as_slice));
    words.extend([from.as_bytes(), to.as_bytes()]);
    redis.ask(&resp::command_of(&words)).map(drop)
}

/// A blocking connection to the cache.
pub(crate) struct Redis {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Redis {
    /// `url` is `redis://host:port`.
    pub(crate) fn connect(url: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(url.trim_start_matches("redis://"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends one command; its reply as it came.
    pub(crate) fn ask(&mut self, command: &[u8]) -> Result<Vec<u8>, Failure> {
        self.stream.write_all(command)?;
        self.reply()
    }

    /// Sends commands in one go and reads their replies.
    pub(crate) fn pipeline(&mut self, commands: &[u8], count: usize) -> Result<(), Failure> {
        self.stream.write_all(commands)?;
        self.replies(count)
    }

    fn replies(&mut self, count: usize) -> Result<(), Failure> {
        (0..count).try_for_each(|_| self.reply().map(drop))
    }

    fn reply(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(length) = resp::reply_length(&self.received) {
                let reply: Vec<u8> = self.received.drain(..length).collect();
                let is_error = reply.starts_with(b"-");
                return if is_error { Err(String::from_utf8_lossy(&reply).into()) } else { Ok(reply) };
            }
            let mut part = [0; 16_384];
            let length = self.stream.read(&mut part)?;
            if length == 0 {
                return Err("the cache has closed the connection".into());
            }
            self.received.extend_from_slice(&part[..length]);
        }
    }
}
