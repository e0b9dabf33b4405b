//! Lua scripts, which the cache runs in one step. Each file says at its top what it takes and returns, and why running
//! it twice is harmless.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind};

/// A script, and the hash by which servers know it.
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Runs the script: one round trip, and another one on a server that has not had it since it started.
    ///
    /// That one is `EVAL`, where `redis::Script` sends `SCRIPT LOAD`: a command without keys, which a proxy in front of
    /// several shards cannot send to the shard that needs it.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        mut connection: MultiplexedConnection,
        keys: &[String],
        args: &[Vec<u8>],
    ) -> RedisResult<T> {
        match command("EVALSHA", &self.hash, keys, args).query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", self.text, keys, args).query_async(&mut connection).await
            }
            outcome => outcome,
        }
    }
}

fn command(name: &str, script: &str, keys: &[String], args: &[Vec<u8>]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len()).arg(keys).arg(args);
    command
}
