//! Fills the stores of a stage.

use std::io::{self, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::Failure;
use crate::raw::{Redis, dynamodb_head};
use crate::resp;
use crate::service::Service;
use crate::wire::Wire;

/// Items of a batch. Source: Amazon DynamoDB API Reference, `BatchWriteItem`.
const BATCH: usize = 25;

/// Keys that are sent before their replies are read.
const PIPELINED: usize = 1000;

/// How often progress is printed.
const TOLD_EVERY: usize = 100_000;

/// How many milliseconds lie between one registration and the next.
const APART_MS: u64 = 1000;

/// Adds users to a stage that has none, until there are so many.
pub(crate) fn users(service: &mut Service, count: usize) -> Result<(), Failure> {
    service.users(1)?;
    let mut store = Wire::new(TcpStream::connect(service.dynamodb_url().trim_start_matches("http://"))?)?;
    let tables = ask(&mut store, "ListTables", &json!({}))?["TableNames"].take();
    let mut tables = tables.as_array().into_iter().flatten().filter_map(Value::as_str);
    let table = tables.find(|name| name.ends_with("users")).ok_or("the stage has no table of users")?;
    let model = ask(&mut store, "Scan", &json!({ "TableName": table }))?["Items"][0].take();
    let newest: u64 = model["create_time"]["N"].as_str().unwrap_or_default().parse()?;
    let missing = count.saturating_sub(1);
    for from in (0..missing).step_by(BATCH) {
        let items = (from..missing.min(from + BATCH)).map(|at| user(&model, newest, missing - at, at));
        let puts: Vec<_> = items.map(|item| json!({ "PutRequest": { "Item": item } })).collect();
        let answer = ask(&mut store, "BatchWriteItem", &json!({ "RequestItems": { table: puts } }))?;
        if answer["UnprocessedItems"].as_object().is_some_and(|left| !left.is_empty()) {
            return Err(format!("BatchWriteItem left something: {answer}").into());
        }
        if from > 0 && from % TOLD_EVERY == 0 {
            writeln!(io::stderr(), "{from} of {count} users")?;
        }
    }
    Ok(())
}

/// The `at`th user, who registered so many others before the model.
fn user(model: &Value, newest: u64, before: usize, at: usize) -> Value {
    let time = newest.saturating_sub(before as u64 * APART_MS);
    // Some digits that differ from user to user.
    let chance = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (a, b, c) = (chance >> 52, chance >> 40 & 0xfff, chance & 0xfff_ffff_ffff);
    let mut item = model.clone();
    // A range that nobody else here uses.
    item["phone"] = json!({ "S": format!("+86150{at:08}") });
    // A UUID of version 7 in the first shard.
    let id = format!("{:08x}-{:04x}-7{a:03x}-8{b:03x}-{c:011x}0", time >> 16, time & 0xffff);
    item["id"] = json!({ "S": id });
    item["create_time"] = json!({ "N": time.to_string() });
    item
}

/// Adds so many keys, with values about as long as a session's.
pub(crate) fn keys(cache: &str, count: usize) -> Result<(), Failure> {
    let mut redis = Redis::connect(cache)?;
    let value = "0".repeat(80);
    for from in (0..count).step_by(PIPELINED) {
        let until = count.min(from + PIPELINED);
        let mut commands = Vec::new();
        for at in from..until {
            let key = format!("bench:{{{:02x}}}:session:{at:064x}", at % 256);
            commands.extend(resp::command_of(&[b"SET", key.as_bytes(), value.as_bytes(), b"EX", b"86400"]));
        }
        redis.pipeline(&commands, until - from)?;
    }
    Ok(())
}

fn ask(store: &mut Wire, operation: &str, request: &Value) -> Result<Value, Failure> {
    store.write(&dynamodb_head(operation), request.to_string().as_bytes())?;
    let answer = store.read()?.ok_or("the store has closed the connection")?;
    if !answer.start.contains(" 200 ") {
        return Err(format!("{operation}: {}", String::from_utf8_lossy(&answer.body)).into());
    }
    Ok(serde_json::from_slice(&answer.body)?)
}
