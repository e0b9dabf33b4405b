//! One sandbox that serves very many requests: its memory and its log.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::Failure;
use crate::requests;
use crate::sandbox::{Output, Sandbox};
use crate::service::Service;

/// It uses both stores.
const FUNCTION: &str = "user_index";

/// From here on everything is there that a sandbox keeps.
const SETTLED: usize = 1000;

/// How often an answer is read as well.
const LOOKED_AT: usize = 1000;

/// What may come and go: some pages of the allocator.
const TOLERANCE_MIB: f64 = 0.25;

/// What was seen of the sandbox.
#[derive(Serialize)]
pub(crate) struct Endurance {
    function: &'static str,
    marks: Vec<Mark>,
    grows: bool,
}

/// After so many requests.
#[derive(Serialize)]
struct Mark {
    requests: usize,
    resident_mib: f64,
    /// Of a request, on average since the mark before.
    log_bytes: f64,
}

/// Lets a sandbox serve `count` requests, each for a page of one user, by session.
#[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
pub(crate) fn run(service: &mut Service, bin_dir: &Path, stage_dir: &Path, count: usize) -> Result<Endurance, Failure> {
    writeln!(io::stderr(), "{FUNCTION}, {count} requests")?;
    let event = String::from_utf8(requests::more(service, FUNCTION, 1, stage_dir)?.remove(0))?;
    // A page of one costs the store less, and the sandbox does the same with it.
    let event = event.replace("limit=20", "limit=1").replace("\"limit\":\"20\"", "\"limit\":\"1\"").into_bytes();
    let environment = service.environment(FUNCTION)?;
    let mut sandbox = Sandbox::start_under(&[], &bin_dir.join(FUNCTION), &environment, Output::Lines)?;
    let (mut marks, mut log, mut last) = (Vec::<Mark>::new(), 0, 0);
    for done in 1..=count {
        let served = sandbox.serve(event.clone())?;
        if done % LOOKED_AT == 0 || done == 1 {
            requests::check(FUNCTION, &served.answer)?;
        }
        log += sandbox.drain();
        if (done >= SETTLED && 10_usize.pow(done.ilog10()) == done) || done == count {
            let log_bytes = log as f64 / (done - last) as f64;
            marks.push(Mark { requests: done, resident_mib: sandbox.resident_mib()?, log_bytes });
            (log, last) = (0, done);
            writeln!(io::stderr(), "{done} requests")?;
        }
    }
    let grows = match (marks.first(), marks.last()) {
        (Some(first), Some(last)) => last.resident_mib > first.resident_mib + TOLERANCE_MIB,
        _ => false,
    };
    Ok(Endurance { function: FUNCTION, marks, grows })
}

impl Endurance {
    pub(crate) fn text(&self) -> String {
        let mark = |Mark { requests, resident_mib, log_bytes }: &Mark| {
            format!("{requests} requests: {resident_mib:.2} MiB resident, {log_bytes:.1} bytes of log each\n")
        };
        let marks: String = self.marks.iter().map(mark).collect();
        let verdict = if self.grows { "GROWS" } else { "does not grow" };
        format!("{}, one sandbox\n{marks}It {verdict}: at most {TOLERANCE_MIB} MiB above the first line", self.function)
    }
}
