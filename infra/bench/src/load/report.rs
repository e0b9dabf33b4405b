//! What was measured of a stage under load, and the table of it.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::figures::Samples;
use crate::load::client::Driven;
use crate::load::process::Usage;
use crate::load::state::Kind;

/// The clients, among the processes.
const CLIENTS: &str = "clients";

/// All of one stage.
#[derive(Serialize)]
pub(crate) struct Report {
    /// From the start of its process until it was up.
    start_ms: f64,
    pub(crate) cells: Vec<Cell>,
    pub(crate) memory: Vec<Memory>,
}

/// Resident memory of the processes of one name, after everything.
#[derive(Serialize)]
pub(crate) struct Memory {
    name: String,
    processes: usize,
    median_mib: f64,
}

/// One kind of request, from so many clients at once.
#[derive(Serialize)]
pub(crate) struct Cell {
    kind: &'static str,
    clients: usize,
    /// The old service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_per_s: Option<f64>,
    per_s: f64,
    p50_us: f64,
    p99_us: f64,
    /// Processor time of a request, by process.
    cpu_us: BTreeMap<String, f64>,
    #[serde(skip)]
    requests: usize,
    /// Of each block.
    #[serde(skip)]
    rates: Samples,
    #[serde(skip)]
    waited_us: Samples,
    /// Of a request, in each block, all processes together.
    #[serde(skip)]
    totals: Samples,
}

impl Report {
    pub(crate) fn new(start_ms: f64) -> Self {
        Self { start_ms, cells: Vec::new(), memory: Vec::new() }
    }
}

impl From<(String, Vec<f64>)> for Memory {
    fn from((name, mib): (String, Vec<f64>)) -> Self {
        let mut samples = Samples::default();
        for &one in &mib {
            samples.push(one);
        }
        Self { name, processes: mib.len(), median_mib: samples.median() }
    }
}

impl Cell {
    pub(crate) fn new(kind: Kind, clients: usize) -> Self {
        Self {
            kind: kind.name(),
            clients,
            old_per_s: kind.old_service(),
            per_s: 0.0,
            p50_us: 0.0,
            p99_us: 0.0,
            cpu_us: BTreeMap::new(),
            requests: 0,
            rates: Samples::default(),
            waited_us: Samples::default(),
            totals: Samples::default(),
        }
    }

    /// Adds a block of so many requests.
    #[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
    pub(crate) fn add(&mut self, count: usize, driven: &Driven, used: &Usage) {
        let (before, all) = (self.requests as f64, (self.requests + count) as f64);
        let clients = [(CLIENTS.to_owned(), driven.cpu_us)];
        let mut total = 0.0;
        for (name, spent) in used.0.clone().into_iter().chain(clients) {
            total += spent;
            let mean = self.cpu_us.entry(name).or_default();
            *mean = (*mean * before + spent) / all;
        }
        self.requests += count;
        self.rates.push(count as f64 / driven.took.as_secs_f64());
        self.totals.push(total / count as f64);
        self.waited_us.extend(&driven.waited_us);
        self.per_s = self.rates.median();
        self.p50_us = self.waited_us.median();
        self.p99_us = self.waited_us.percentile(99.0);
    }

    /// All processes together, and each that had a part in it, the one that spent the most first.
    fn shares(&self) -> (f64, String) {
        let mut shares: Vec<_> = self.cpu_us.iter().filter(|(_, spent)| **spent >= 1.0).collect();
        shares.sort_by(|one, other| other.1.total_cmp(one.1));
        let text: Vec<_> = shares.iter().map(|(name, spent)| format!("{name} {spent:.0}")).collect();
        (self.cpu_us.values().sum(), text.join(", "))
    }
}

/// Markdown. With a base, how many times its figures these are.
pub(crate) fn text(report: &Report, base: Option<&Report>) -> String {
    let mut text = "| request | clients | per s | the old | p50 ms | p99 ms | CPU µs | of that |".to_owned();
    text.push_str(if base.is_some() { " to base: per s | CPU |\n" } else { "\n" });
    text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |");
    text.push_str(if base.is_some() { " --- | --- |\n" } else { "\n" });
    for (index, cell) in report.cells.iter().enumerate() {
        let old = cell.old_per_s.map_or_else(|| "-".to_owned(), |old| format!("{:.2}×", cell.per_s / old));
        let (total, shares) = cell.shares();
        let Cell { kind, clients, per_s, p50_us, p99_us, .. } = cell;
        let (p50, p99) = (p50_us / 1e3, p99_us / 1e3);
        // Writing to a text cannot fail.
        let _ =
            write!(text, "| {kind} | {clients} | {per_s:.0} | {old} | {p50:.2} | {p99:.2} | {total:.0} | {shares} |");
        if let Some(base) = base.map(|base| &base.cells[index]) {
            let (rate, cpu) = (cell.rates.ratio_to(&base.rates), cell.totals.ratio_to(&base.totals));
            let _ = write!(text, " {rate:.2}× | {cpu:.2}× |");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "\nA stage is up after {:.1} ms. Resident, in MiB:", report.start_ms);
    for Memory { name, processes, median_mib } in &report.memory {
        let _ = writeln!(text, "  {name:<16} {median_mib:.1} each of {processes}");
    }
    text
}
