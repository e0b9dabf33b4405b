//! Scripts that the cache runs in one step. Each is one file in `cache/`, and says at its top what it takes and gives.
//!
//! The server knows a script by the SHA-1 of its text. The redis crate's own scripts are hashed anew in every process, a
//! sixth of the instructions of a cold start; these were hashed by `build.rs`.

use redis::aio::MultiplexedConnection;
use redis::{Arg, Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, ToRedisArgs};

/// The text of a script and its name with the server.
pub(super) struct Script {
    pub(super) text: &'static str,
    /// SHA-1 in hexadecimal.
    pub(super) sha1: &'static str,
}

/// The script of the file `cache/<name>.lua`.
macro_rules! script {
    ($name:literal) => {
        $crate::cache::script::Script {
            text: include_str!(concat!($name, ".lua")),
            sha1: env!(concat!("BADGE_SHA1_", $name)),
        }
    };
}
pub(super) use script;

/// A script, and what it is told.
pub(super) struct Invocation {
    script: &'static Script,
    /// `EVALSHA <name> <number of keys> <keys> <arguments>`
    by_name: Cmd,
}

impl Script {
    pub(super) fn on(&'static self, keys: &[String]) -> Invocation {
        let mut by_name = redis::cmd("EVALSHA");
        by_name.arg(self.sha1).arg(keys.len()).arg(keys);
        Invocation { script: self, by_name }
    }
}

impl Invocation {
    pub(super) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        self.by_name.arg(arg);
        self
    }

    /// One round trip, and one more for a server that has not had the script since it was started.
    pub(super) async fn run<T: FromRedisValue>(&self, mut connection: MultiplexedConnection) -> RedisResult<T> {
        match self.by_name.query_async(&mut connection).await {
            Err(cause) if cause.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.by_text().query_async(&mut connection).await
            }
            outcome => outcome,
        }
    }

    fn by_text(&self) -> Cmd {
        let mut by_text = redis::cmd("EVAL");
        by_text.arg(self.script.text);
        for arg in self.by_name.args_iter().skip(2) {
            if let Arg::Simple(bytes) = arg {
                by_text.arg(bytes);
            }
        }
        by_text
    }
}
