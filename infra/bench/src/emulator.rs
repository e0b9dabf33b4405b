//! The service around a sandbox that is measured: a local emulator with its stores. Its own sandboxes and gateway are not measured.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::{fs, io};

use serde_json::{Value, json};
use tokio::runtime::{self, Runtime};

use crate::Result;
use crate::http::{self, Connection, Request, Response};
use crate::people::People;
use crate::proxy::Tls;
use crate::sandbox::Environment;

/// The function that everything is measured against.
pub(crate) const FLOOR: &str = "hello";

/// What the crates of AWS make of one write, as they come.
pub(crate) const PEER: &str = "peer";

/// An emulator without fault proxies and without streams.
pub(crate) struct Emulator {
    emulator: local::Emulator,
    /// Dropped after it.
    _runtime: Runtime,
    pub(crate) people: People,
    pub(crate) bin_dir: PathBuf,
    /// Lambda's `Invoke`, which accepts every event, so that no task's process competes for the machine.
    lambda_url: String,
    pub(crate) invoked: Receiver<Vec<u8>>,
    store: Connection,
    tls: Option<Tls>,
}

impl Emulator {
    /// Starts one with the functions beside this program, which cargo has put there.
    pub(crate) fn start(is_tls: bool) -> Result<Self> {
        let program = std::env::current_exe()?;
        let (root, bin_dir) = (Path::new("."), program.parent().ok_or("this program is in no folder")?.to_owned());
        let settings = Command::new("python3").args(["infra/deploy/pack.py", "--settings"]).arg(&bin_dir).status()?;
        if !settings.success() {
            return Err("the settings cannot be packed".into());
        }
        // An earlier commit reads them as they are written.
        fs::copy("conf/local.toml", bin_dir.join("conf/local.toml"))?;
        let options = local::Options::new(root, &bin_dir, "local");
        let options = local::Options { logs: None, state_dir: None, streams: false, ..options };
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let emulator = runtime.block_on(local::Emulator::start(options))?;
        let people = People::of(emulator.url())?;
        let (sender, invoked) = channel();
        let accept = move |Request { method, body, .. }: Request| {
            // A GET only opens the connection.
            let sent = if method == "POST" { sender.send(body) } else { Ok(()) };
            sent.ok().map(|()| ("HTTP/1.1 202 Accepted\r\n".to_owned(), Vec::new()))
        };
        let lambda = http::serve(accept)?;
        let store = Connection::open(emulator.direct_dynamodb_url().trim_start_matches("http://"))?;
        let (lambda_url, tls) = (format!("http://{lambda}"), is_tls.then(Tls::new).transpose()?);
        Ok(Self { emulator, _runtime: runtime, people, bin_dir, lambda_url, invoked, store, tls })
    }

    pub(crate) fn cache(&self) -> Result<redis::Connection> {
        Ok(redis::Client::open(self.emulator.cache_url())?.get_connection()?)
    }

    /// Calls DynamoDB; nobody signs, because the embedded one does not verify.
    pub(crate) fn dynamodb(&mut self, operation: &str, request: &Value) -> Result<Value> {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: dynamodb\r\ncontent-type: application/x-amz-json-1.0\r\n\
             x-amz-target: DynamoDB_20120810.{operation}\r\nx-amz-date: 20260101T000000Z\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=a/b/c/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n"
        );
        self.store.send(&head, request.to_string().as_bytes())?;
        let Response { status, body, .. } = self.store.response()?;
        if status == 200 { Ok(serde_json::from_slice(&body)?) } else { Err(String::from_utf8_lossy(&body).into()) }
    }

    pub(crate) fn create_products(&mut self) -> Result<()> {
        let attributes = json!([{ "AttributeName": "id", "AttributeType": "S" }]);
        let key = json!([{ "AttributeName": "id", "KeyType": "HASH" }]);
        let table = json!({ "TableName": "products", "AttributeDefinitions": attributes, "KeySchema": key, "BillingMode": "PAY_PER_REQUEST" });
        self.dynamodb("CreateTable", &table).map(drop)
    }

    /// The variables of a sandbox: those of the emulator's own, except that the stores are reached without the fault proxies, and
    /// settings are as packages have them.
    pub(crate) fn environment(&mut self, function: &str) -> Result<Environment> {
        let of = if [FLOOR, PEER].contains(&function) { "fallback" } else { function };
        let mut environment = self.people.environment(of)?;
        for (name, value) in &mut environment {
            match name.as_str() {
                "LAMBDA_TASK_ROOT" => *value = self.bin_dir.display().to_string(),
                "CACHE_URL" => *value = self.emulator.cache_url(),
                "AWS_ENDPOINT_URL_DYNAMODB" => *value = self.emulator.direct_dynamodb_url(),
                "AWS_ENDPOINT_URL_LAMBDA" => value.clone_from(&self.lambda_url),
                _ => {}
            }
        }
        let of_lambda = [("NAME", function), ("VERSION", "$LATEST"), ("MEMORY_SIZE", "128")];
        environment.extend(of_lambda.map(|(name, value)| (format!("AWS_LAMBDA_FUNCTION_{name}"), value.to_owned())));
        if function == PEER {
            environment.push(("RUST_LOG".into(), "info".into()));
        }
        Ok(environment)
    }

    pub(crate) fn measured_environment(&mut self, function: &str) -> Result<Environment> {
        let mut environment = self.environment(function)?;
        if let Some(tls) = &self.tls {
            reroute(&mut environment, "s", |backend| tls.before(backend))?;
            // The last one is what the SDK's own TLS reads.
            let names = ["CACHE_CA_FILE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"];
            environment.extend(names.map(|name| (name.to_owned(), tls.authority.clone())));
        }
        Ok(environment)
    }
}

/// Replaces every address on this machine by that of a proxy, which `before` makes; `s` goes to the schemes.
pub(crate) fn reroute(vars: &mut Environment, s: &str, before: impl Fn(&str) -> io::Result<String>) -> Result<()> {
    for (_, value) in vars {
        if let Some((scheme, rest)) = value.split_once("://").filter(|(_, rest)| rest.starts_with("127.")) {
            let (backend, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            *value = format!("{scheme}{s}://{}{path}", before(backend)?);
        }
    }
    Ok(())
}
