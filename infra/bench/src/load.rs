//! `make bench-stage`: the whole emulator under load, as `make run` starts it: what it serves in a second, how long a client waits,
//! and which process spends the processor's time. The emulators of two commits take turns, block by block.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};
use std::vec::IntoIter;

use clap::Args;
use serde_json::json;

use crate::http::Connection;
use crate::people::People;
use crate::report::{self, Measured, Metric};
use crate::{Result, note, requests, sandbox};

/// Clients that wait for a response at the same time.
const LEVELS: [usize; 2] = [4, 16];

#[derive(Args)]
pub(crate) struct Options {
    bin_dir: PathBuf,
    #[arg(long)]
    base: Option<PathBuf>,
    #[arg(long)]
    requests: u32,
    #[arg(long)]
    rounds: u32,
    functions: Vec<String>,
}

struct Emulator {
    child: Child,
    address: String,
    requests: IntoIter<(String, String)>,
}

type CpuTimes = BTreeMap<String, f64>;
type Cell = (Measured, CpuTimes);

pub(crate) fn run(options: &Options) -> Result<()> {
    let folders = [Some(&options.bin_dir), options.base.as_ref()].into_iter().flatten();
    let mut emulators = folders.map(|folder| Emulator::start(folder)).collect::<Result<Vec<_>>>()?;
    let (mut rows, mut text, mut cpu_times) = (Vec::new(), String::new(), BTreeMap::new());
    for kind in &options.functions {
        note(kind);
        let count: usize = LEVELS.iter().map(|level| options.requests as usize + level * 20).sum();
        emulators.iter_mut().try_for_each(|emulator| emulator.prepare(kind, options.rounds as usize * count))?;
        for level in LEVELS {
            let mut cells = vec![Cell::default(); emulators.len()];
            for _ in 0..options.rounds {
                // The first requests start sandboxes.
                for (emulator, cell) in emulators.iter_mut().zip(&mut cells) {
                    emulator.drive(kind, level, level * 20)?;
                    emulator.block(kind, (level, options.requests), cell)?;
                }
            }
            let ((measured, cpu_us), (base, _)) = (&cells[0], &cells[cells.len() - 1]);
            let row = measured.row(&format!("{kind}, {level} clients"), base, None, None);
            let all = f64::from(options.rounds * options.requests);
            let shares: Vec<_> = cpu_us.iter().map(|(name, spent)| format!("{name} {:.0}", spent / all)).collect();
            text.extend([format!("{}: CPU µs {}\n", row.name, shares.join(", "))]);
            cpu_times.insert(row.name.clone(), shares);
            rows.push(row);
        }
    }
    let text = format!("{}× the other commit, or 1\n{text}", report::text(&rows));
    report::publish("bench_stage.json", &text, &json!({ "rows": rows, "cpu_us": cpu_times }))
}

impl Emulator {
    /// Starts the program `local` of a folder with the functions beside it, on a free port.
    fn start(bin_dir: &Path) -> Result<Self> {
        let mut command = Command::new(bin_dir.join("local"));
        command.args(["--port", "0", "--stage", "local"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://"));
        let address = address.ok_or_else(|| format!("the emulator prints no address: {line}"))?.to_owned();
        Ok(Self { child, address, requests: Vec::new().into_iter() })
    }

    fn prepare(&mut self, kind: &str, count: usize) -> Result<()> {
        let mut people = People::of(&self.address)?;
        people.reset()?;
        let events = requests::requests(&mut people, kind, count)?;
        self.requests = events.iter().map(requests::message).collect::<Vec<_>>().into_iter();
        Ok(())
    }

    /// Measures some requests, and adds the processor time that each process has spent.
    fn block(&mut self, kind: &str, (clients, count): (usize, u32), (measured, cpu_us): &mut Cell) -> Result<()> {
        let before = self.cpu_us()?;
        let (took, waited) = self.drive(kind, clients, count as usize)?;
        let mut all = 0.0;
        for (name, spent) in self.cpu_us()? {
            let spent = spent - before.get(&name).copied().unwrap_or_default();
            *cpu_us.entry(name).or_default() += spent;
            all += spent;
        }
        measured.add(Metric::ServedPerS, f64::from(count) / took.as_secs_f64());
        measured.add(Metric::WarmP50Us, report::median(&waited));
        measured.add(Metric::WarmP99Us, report::percentile(&waited, 99));
        measured.add(Metric::WarmCpuUs, all / f64::from(count));
        Ok(())
    }

    /// Sends so many requests from clients that wait for each response: how long that took, and how long each waited.
    fn drive(&mut self, kind: &str, clients: usize, count: usize) -> Result<(Duration, Vec<f64>)> {
        let code = if kind == "fallback" { "\"code\":51404," } else { "\"code\":0," };
        let waiting = Mutex::new(self.requests.by_ref().take(count).collect::<Vec<_>>());
        let client = || -> io::Result<Vec<f64>> {
            let (mut connection, mut waited) = (Connection::open(&self.address)?, Vec::new());
            while let Some((head, body)) = waiting.lock().map_or(None, |mut waiting| waiting.pop()) {
                let sent = Instant::now();
                connection.send(&head, body.as_bytes())?;
                let response = connection.response()?;
                waited.push(sent.elapsed().as_secs_f64() * 1e6);
                let text = String::from_utf8_lossy(&response.body);
                if !text.contains(code) {
                    return Err(io::Error::other(text));
                }
            }
            Ok(waited)
        };
        let started = Instant::now();
        let waited = thread::scope(|scope| {
            let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
            let join = |client: ScopedJoinHandle<'_, _>| Ok(client.join().map_err(|_| "a client has panicked")??);
            clients.into_iter().map(join).collect::<Result<Vec<Vec<f64>>>>()
        })?;
        let took = started.elapsed();
        // Messages are still being sent.
        thread::sleep(Duration::from_millis(200));
        Ok((took, waited.concat()))
    }

    /// Processor time of the emulator, of all processes that it has started and that still run, and of this one.
    fn cpu_us(&self) -> io::Result<CpuTimes> {
        let mut spent = CpuTimes::new();
        for entry in fs::read_dir("/proc")? {
            let folder = entry?.path();
            let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
            // Behind the name, which may have anything in it, come the state and the parent.
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
            let pid = folder.file_name().and_then(|name| name.to_str()?.parse().ok());
            let own = [Some(self.child.id()), Some(std::process::id())];
            if let Some(pid) = pid.filter(|_| parent == own[0] || own.contains(&pid)) {
                let threads = sandbox::threads(pid)?;
                for (name, cpu_us) in &threads {
                    // The thread with the emulator's DynamoDB counts like a process.
                    let process = if name == "dynamodb" { name } else { &threads[0].0 };
                    *spent.entry(process.clone()).or_default() += cpu_us;
                }
            }
        }
        Ok(spent)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // An error means that it has already ended.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
