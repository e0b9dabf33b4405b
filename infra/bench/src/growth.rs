//! `make bench-growth`: whether a request costs the same however much is stored, a sandbox however much it has served, and a user
//! however often it has signed in.
//!
//! There is an emulator for each size, and their sandboxes take turns. What fills a store is a user who registered there, with
//! other phones and times, so that the items are what the service writes.

use std::path::PathBuf;
use std::process::Stdio;

use clap::Args;
use redis::{Commands, ScanOptions};
use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::measure::{BLOCK, Program, SETTLING, blocks};
use crate::report::{self, Row};
use crate::sandbox::{self, Sandbox};
use crate::{Result, note, requests};

/// The function of which one sandbox serves very many requests: it uses both stores.
const ENDURING: &str = "user_index";

#[derive(Args)]
pub(crate) struct Options {
    bin_dir: PathBuf,
    #[arg(long, value_delimiter = ' ')]
    sizes: Vec<usize>,
    #[arg(long = "warm", value_parser = blocks)]
    blocks: usize,
    #[arg(long)]
    requests: usize,
    /// Times that one user signs in, ten times a day
    #[arg(long)]
    sign_ins: usize,
    functions: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    sandbox::leave_a_core()?;
    let mut emulators = Vec::new();
    for &size in &options.sizes {
        note(format_args!("{size} users and keys"));
        let mut emulator = Emulator::start(false)?;
        store_users(&mut emulator, size)?;
        store_keys(&emulator, size)?;
        emulators.push((size, emulator));
    }
    let mut rows = Vec::new();
    for function in &options.functions {
        note(function);
        rows.extend(measure(&mut emulators, function, options)?);
    }
    let mut text = report::text(&rows) + "× the smallest number stored\n\n";
    let (_, smallest) = emulators.first_mut().ok_or("no size")?;
    let resident = endure(smallest, options)?;
    let sessions = sign_in(smallest, options.sign_ins)?;
    let [(_, early, _), (requests, late, log_bytes)] = resident;
    // Some pages of the allocator come and go.
    let verdict = if late > early + 0.25 { "GROWS" } else { "does not grow" };
    let log = format!("{log_bytes} B of log each");
    text.extend([format!("{early:.2} MiB after 1,000 requests, {late:.2} after {requests}, {log}: {verdict}\n")]);
    for (sign_ins, sessions, keys) in &sessions {
        text.extend([format!("{sign_ins} sign-ins of one user: {sessions} sessions, {keys} keys in the cache\n")]);
    }
    report::publish("growth.json", &text, &json!({ "rows": rows, "resident": resident, "sessions": sessions }))
}

fn measure(emulators: &mut [(usize, Emulator)], function: &str, options: &Options) -> Result<Vec<Row>> {
    let mut programs = Vec::new();
    for (size, emulator) in emulators {
        let mut events = requests::events(emulator, function, 1 + SETTLING + options.blocks * usize::from(BLOCK))?;
        let (file, environment) = (options.bin_dir.join(function), emulator.environment(function)?);
        let mut sandbox = Sandbox::start(&[], &file, &environment, Stdio::piped())?;
        let record = sandbox.serve_recorded(function, events.remove(0))?;
        let mut program = Program::start(function, file, environment, events)?;
        program.settle()?;
        programs.push((*size, program, record));
    }
    for _ in 0..options.blocks {
        programs.iter_mut().try_for_each(|(_, program, _)| program.block())?;
    }
    let row = |(size, program, record): &(usize, Program, _)| {
        let smallest = &programs[0].1.measured;
        program.measured.row(&format!("{function}, {size}"), smallest, None, Some(*record))
    };
    Ok(programs.iter().map(row).collect())
}

/// One sandbox serves very many requests: after a thousand and after all, its resident memory in MiB and a request's bytes of log.
fn endure(emulator: &mut Emulator, options: &Options) -> Result<[(usize, f64, usize); 2]> {
    note(format_args!("{ENDURING}, {} requests", options.requests));
    let mut event: Value = serde_json::from_slice(&requests::events(emulator, ENDURING, 1)?.remove(0))?;
    event["rawQueryString"] = "limit=1".into();
    event["queryStringParameters"] = json!({ "limit": "1" });
    let first = event["requestContext"]["timeEpoch"].as_u64().unwrap_or_default();
    let environment = emulator.environment(ENDURING)?;
    let mut sandbox = Sandbox::start(&[], &options.bin_dir.join(ENDURING), &environment, Stdio::piped())?;
    let (mut early, mut log_bytes) = ((0, f64::NAN, 0), 0);
    for done in 1..=options.requests {
        // More than a second apart, so that no limit of pages is reached.
        event["requestContext"]["timeEpoch"] = (first + 1100 * done as u64).into();
        requests::check(ENDURING, &sandbox.serve(event.to_string().into_bytes())?.1)?;
        log_bytes += sandbox.drain();
        if done == 1000 {
            early = (done, sandbox.memory_mib("VmRSS:")?, log_bytes / done);
        }
    }
    Ok([early, (options.requests, sandbox.memory_mib("VmRSS:")?, log_bytes / options.requests.max(1))])
}

/// One user signs in very often: at each tenth of the way, the members of the set of its sessions, and the number of all keys.
fn sign_in(emulator: &mut Emulator, count: usize) -> Result<Vec<(usize, usize, usize)>> {
    note(format_args!("{count} sign-ins of one user"));
    // Codes that were sent and not used, as those of `veri_code`, are held against their ranges for a day.
    emulator.people.advance(86_400)?;
    let (user, mut cache, mut seen) = (emulator.people.users(1)?, emulator.cache()?, Vec::new());
    for sign_ins in 1..=count {
        emulator.people.sign_in(&user)?;
        emulator.people.advance(8_700)?;
        if sign_ins % count.div_ceil(10) == 0 {
            let sets = cache.scan_options(ScanOptions::default().with_type("zset"))?;
            let sets = sets.collect::<Result<Vec<String>, _>>()?;
            let sizes = sets.iter().map(|set| cache.zcard(set)).collect::<Result<Vec<usize>, _>>()?;
            let keys = redis::cmd("DBSIZE").query(&mut cache)?;
            seen.push((sign_ins, sizes.into_iter().max().unwrap_or(0), keys));
        }
    }
    Ok(seen)
}

fn store_users(emulator: &mut Emulator, count: usize) -> Result<()> {
    emulator.people.users(1)?;
    let model = emulator.dynamodb("Scan", &json!({ "TableName": "badge-local-users" }))?["Items"][0].take();
    let newest: u64 = model["create_time"]["N"].as_str().unwrap_or_default().parse()?;
    let users: Vec<_> = (1..count as u64).collect();
    for some in users.chunks(25) {
        let put = |at: &u64| json!({ "PutRequest": { "Item": user(&model, newest, *at) } });
        let puts = json!({ "badge-local-users": some.iter().map(put).collect::<Vec<_>>() });
        let response = emulator.dynamodb("BatchWriteItem", &json!({ "RequestItems": puts }))?;
        if response["UnprocessedItems"].as_object().is_some_and(|left| !left.is_empty()) {
            return Err(format!("BatchWriteItem has left some: {response}").into());
        }
    }
    Ok(())
}

/// A user who registered so many seconds before the model.
fn user(model: &Value, newest: u64, before: u64) -> Value {
    let time = newest.saturating_sub(before * 1000);
    let digits = before.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (a, b, c) = (digits >> 52, digits >> 40 & 0xfff, digits & 0xfff_ffff_ffff);
    let mut item = model.clone();
    // A range that nobody else here uses, and a UUID of version 7 in the first shard.
    item["phone"]["S"] = format!("+86150{before:08}").into();
    item["id"]["S"] = format!("{:08x}-{:04x}-7{a:03x}-8{b:03x}-{c:011x}0", time >> 16, time & 0xffff).into();
    item["create_time"]["N"] = time.to_string().into();
    item
}

fn store_keys(emulator: &Emulator, count: usize) -> Result<()> {
    let (mut cache, value, numbers) = (emulator.cache()?, "0".repeat(80), (0..count).collect::<Vec<_>>());
    for some in numbers.chunks(1000) {
        let mut pipeline = redis::pipe();
        for at in some {
            pipeline.set_ex(format!("bench:{{{:02x}}}:session:{at:064x}", at % 256), &value, 86_400).ignore();
        }
        pipeline.exec(&mut cache)?;
    }
    Ok(())
}
