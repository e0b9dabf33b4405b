//! Lua scripts, which the cache runs in one step. Each file says at its top what it takes and returns, and why running
//! it twice is harmless.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind};

/// A script, and the hash by which servers know it.
pub(super) struct Script {
    text: &'static str,
    hash: const_hex::Buffer<20>,
}

impl Script {
    /// The compiler takes the hash, so that no cold start does.
    pub(super) const fn new(text: &'static str) -> Self {
        let hash = const_sha1::sha1(text.as_bytes()).as_bytes();
        Self { text, hash: const_hex::const_encode(&hash) }
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
        match command("EVALSHA", self.hash.as_str(), keys, args).query_async(&mut connection).await {
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

#[cfg(test)]
mod tests {
    use super::Script;

    #[test]
    fn the_hash_is_the_one_that_servers_take() {
        // About the length that fills a block of the hash, and a whole script.
        let long: &str = include_str!("scripts/code_judge.lua");
        for text in ["", &long[..55], &long[..56], &long[..64], long] {
            assert_eq!(Script::new(text).hash.as_str(), redis::Script::new(text).get_hash());
        }
    }
}
