//! The program behind `make run`: starts the emulator, prints its addresses, and stops it at Ctrl-C.

use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use local::{CacheMode, Emulator, Options};
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn std::error::Error>;

/// Runs the functions of this repository as AWS does, on this machine alone.
#[derive(Parser)]
struct Args {
    /// Port of the API on 127.0.0.1; 0 is any free one
    #[arg(long, env = "PORT", default_value = "9600", value_parser = port)]
    port: u16,
    /// The stage: a settings file in conf/
    #[arg(long, env = "STAGE", default_value = "local")]
    stage: String,
    /// The repository
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Folder of the built functions [default: that of this program]
    #[arg(long)]
    bin_dir: Option<PathBuf>,
    /// A job to run at the start
    #[arg(long, value_name = "JOB")]
    at_start: Option<String>,
    /// Store everything, and continue from there at the next start
    #[arg(long)]
    keep: bool,
    /// How the cache runs: alone or cluster
    #[arg(long, value_name = "MODE", default_value = "alone")]
    cache: CacheMode,
    /// A function whose first event waits for a debugger
    #[arg(long, value_name = "FUNCTION")]
    debug: Option<String>,
    /// Open the console in a browser
    #[arg(long)]
    open: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere to report a failure.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let options = args.options()?;
    let begin = Instant::now();
    // Registered before anything starts, so that an early Ctrl-C stops all of it.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let start = async {
        let emulator = Emulator::start(options.clone()).await?;
        emulator.check_settings().await?;
        Ok::<_, Failure>(emulator)
    };
    let emulator = tokio::select! {
        emulator = start => emulator?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    io::stdout().write_all(welcome(&emulator, &options, begin.elapsed()).as_bytes())?;
    if args.open {
        open_browser(&format!("{}/", emulator.url()))?;
    }
    if let Some(job) = args.at_start {
        let outcome = match emulator.fire(&job).await {
            Some(true) => "ok",
            Some(false) => "failed; its log says why",
            None => "there is no such schedule",
        };
        writeln!(io::stdout(), "{job}: {outcome}")?;
    }
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hang_up.recv() => match emulator.reload().await {
                Err(error) => writeln!(io::stderr(), "error: not reloaded: {error}")?,
                Ok(()) => match emulator.check_settings().await {
                    Err(error) => writeln!(io::stderr(), "error: {error}")?,
                    Ok(()) => writeln!(io::stdout(), "reloaded")?,
                },
            },
        }
    }
    emulator.stop().await;
    Ok(())
}

impl Args {
    fn options(&self) -> Result<Options, Failure> {
        let bin_dir = match &self.bin_dir {
            Some(folder) => folder.clone(),
            // Cargo puts the functions' binaries beside this one.
            None => env::current_exe()?.parent().map(PathBuf::from).ok_or("this program is in no folder")?,
        };
        if self.keep && self.cache == CacheMode::Cluster {
            return Err("a cluster is not stored: omit --keep or --cache".into());
        }
        // `make` may pass an empty one.
        let stage = if self.stage.is_empty() { "local" } else { &self.stage };
        let Self { port, keep, cache, .. } = *self;
        let debug = self.debug.clone();
        Ok(Options { port, keep, cache, debug, ..Options::new(&self.root, bin_dir, stage) })
    }
}

/// An empty text, which `make` may pass, is the default.
fn port(text: &str) -> Result<u16, String> {
    if text.is_empty() { Ok(9600) } else { text.parse().map_err(|_| format!("{text} is not a port")) }
}

/// Opens a browser, or prints the address on a machine without one.
fn open_browser(url: &str) -> io::Result<()> {
    for program in ["xdg-open", "open"] {
        let mut command = tokio::process::Command::new(program);
        if command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok() {
            return Ok(());
        }
    }
    writeln!(io::stdout(), "no browser can be opened from here: go to {url}")
}

fn welcome(emulator: &Emulator, options: &Options, took: Duration) -> String {
    let mut text = format!("stage {} is up at {} ({} ms)\n\n", options.stage, emulator.url(), took.as_millis());
    let mut line = |name: &str, value: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    for (route, binary) in emulator.routes().iter().filter(|(route, _)| !route.starts_with("ANY ")) {
        line(binary, &route.replace("{stage}", &options.stage));
    }
    for (name, expression) in emulator.schedules() {
        line("schedule", &format!("{name}: {expression}"));
    }
    line("console", &format!("{}/", emulator.url()));
    if let Some(pages) = emulator.pages_url() {
        line("API pages", &pages);
    }
    line("SMS", &format!("{}/_stage/sms", emulator.url()));
    line("state", &format!("{}/_stage/state", emulator.url()));
    line("DynamoDB", &emulator.dynamodb_url());
    line("cache", &emulator.cache_url());
    if let Some(logs) = emulator.logs() {
        line("logs", &logs.display().to_string());
    }
    text.push_str(if options.keep { "\nCtrl-C stops it; stored data stays.\n" } else { "\nCtrl-C stops it.\n" });
    text
}
