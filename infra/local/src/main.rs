//! `make run`: brings the local stage up, says where everything is, and takes it down at Ctrl-C.

use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use stage::{CacheMode, Options, Stage};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: stage [--port N] [--stage NAME] [--bin-dir DIR] [--root DIR] [--at-start JOB] [--keep] \
                     [--cache cluster] [--debug FUNCTION] [--open]";

const DEFAULT_PORT: u16 = 9600;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody to tell if that fails.
            let _ = writeln!(io::stderr(), "stage: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let Wanted { options, at_start, shows_console } = options(env::args().skip(1))?;
    let begin = Instant::now();
    // Listened for before anything is started, so that an early Ctrl-C finds it all.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let stage = tokio::select! {
        stage = Stage::start(options.clone()) => stage?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    io::stdout().write_all(welcome(&stage, &options, begin.elapsed()).as_bytes())?;
    if shows_console {
        show(&format!("{}/", stage.url()))?;
    }
    if let Some(job) = at_start {
        let outcome = match stage.fire(&job).await {
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
            _ = hang_up.recv() => match stage.reload().await {
                Ok(()) => writeln!(io::stdout(), "reloaded")?,
                Err(error) => writeln!(io::stderr(), "stage: not reloaded: {error}")?,
            },
        }
    }
    stage.stop().await;
    Ok(())
}

/// What the arguments ask for.
struct Wanted {
    options: Options,
    /// A job that is run when everything is up.
    at_start: Option<String>,
    /// Whether a browser shows the console then.
    shows_console: bool,
}

/// From the arguments, else from `PORT` and `STAGE`, else as `make run` has them.
#[expect(clippy::disallowed_methods, reason = "a program reads its own options")]
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, Failure> {
    let (mut port, mut stage) = (env::var("PORT").ok(), env::var("STAGE").ok());
    let (mut bin_dir, mut root, mut at_start) = (None, None, None);
    let (mut cache, mut keep, mut debug, mut shows_console) = (CacheMode::Alone, false, None, false);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value; {USAGE}"));
        match name.as_str() {
            "--port" => port = Some(value()?),
            "--stage" => stage = Some(value()?),
            "--bin-dir" => bin_dir = Some(PathBuf::from(value()?)),
            "--at-start" => at_start = Some(value()?),
            "--cache" => cache = value()?.parse()?,
            "--debug" => debug = Some(value()?),
            "--keep" => keep = true,
            "--open" => shows_console = true,
            "--root" => root = Some(PathBuf::from(value()?)),
            _ => return Err(format!("unknown argument {name}; {USAGE}").into()),
        }
    }
    let is_set = |text: &String| !text.is_empty();
    let port = match port.filter(is_set) {
        Some(text) => text.parse().map_err(|_| format!("{text} is not a port"))?,
        None => DEFAULT_PORT,
    };
    let bin_dir = match bin_dir {
        Some(folder) => folder,
        // Cargo puts the functions' binaries beside this one.
        None => env::current_exe()?.parent().map(PathBuf::from).ok_or("this program lies in no folder")?,
    };
    let root = root.map_or_else(env::current_dir, Ok)?;
    let stage = stage.filter(is_set).unwrap_or_else(|| "local".to_owned());
    if keep && cache == CacheMode::Cluster {
        return Err("a cluster is not kept: leave out --keep or --cache".to_owned().into());
    }
    let options = Options { port, keep, cache, debug, ..Options::new(root, bin_dir, stage) };
    Ok(Wanted { options, at_start, shows_console })
}

/// Asks the desktop for a browser. A machine without one has the link all the same.
fn show(url: &str) -> io::Result<()> {
    for program in ["xdg-open", "open"] {
        let mut command = tokio::process::Command::new(program);
        if command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok() {
            return Ok(());
        }
    }
    writeln!(io::stdout(), "no browser can be opened from here: go to {url}")
}

fn welcome(stage: &Stage, options: &Options, took: Duration) -> String {
    let mut text = format!("stage {} is up at {} ({} ms)\n\n", options.stage, stage.url(), took.as_millis());
    let mut line = |name: &str, value: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    for (route, binary) in stage.routes().iter().filter(|(route, _)| !route.starts_with("ANY ")) {
        line(binary, &route.replace("{stage}", &options.stage));
    }
    for (name, expression) in stage.schedules() {
        line("schedule", &format!("{name}: {expression}"));
    }
    line("console", &format!("{}/", stage.url()));
    if let Some(pages) = stage.pages_url() {
        line("API pages", &pages);
    }
    line("SMS", &format!("{}/_stage/sms", stage.url()));
    line("state", &format!("{}/_stage/state", stage.url()));
    line("DynamoDB", &stage.dynamodb_url());
    line("cache", &stage.cache_url());
    if let Some(logs) = &options.logs {
        line("logs", &logs.display().to_string());
    }
    text.push_str(if options.keep { "\nCtrl-C stops it; what is stored stays.\n" } else { "\nCtrl-C stops it.\n" });
    text
}
