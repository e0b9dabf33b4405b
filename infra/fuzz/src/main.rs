//! Fuzzing by libFuzzer of everything that reads what strangers write. One binary has every target, because linking
//! the service takes longer than building it: the target is named as the folder that the input lies in.
//!
//! `fuzz` alone prints the targets; `infra/dev/fuzz.sh` runs them.

#![no_main]
#![expect(clippy::expect_used, clippy::print_stderr, clippy::print_stdout, reason = "who fuzzes sits before it")]

mod import;
mod seeds;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use libfuzzer_sys::fuzz_target;

/// What is fuzzed: its name, what takes an input, and inputs to start from.
type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

const TARGETS: &[Target] = &[
    ("event", |data| _ = shared::fuzz::event(data), seeds::event),
    ("request", shared::fuzz::request, seeds::request),
    ("session", shared::fuzz::session, seeds::session),
    ("phone", shared::fuzz::phone, seeds::phone),
    ("fields", shared::fuzz::fields, seeds::fields),
    ("token", shared::fuzz::token, seeds::token),
    ("device", shared::fuzz::device, seeds::device),
    ("network", shared::fuzz::network, seeds::network),
    ("payload", shared::fuzz::payload, seeds::payload),
    ("key_ring", shared::fuzz::key_ring, seeds::key_ring),
    ("settings", shared::fuzz::settings, seeds::settings),
    ("language", shared::fuzz::language, seeds::language),
    ("site", shared::fuzz::site, seeds::site),
    ("changes", shared::fuzz::changes, seeds::changes),
    ("import", import::lines, seeds::import),
    ("log_text", shared::fuzz::log_text, seeds::log_text),
    ("schedule", local::fuzz::schedule, seeds::schedule),
    ("template", local::fuzz::template, seeds::template),
    ("gateway", gateway, seeds::gateway),
    ("faults", local::fuzz::faults, seeds::faults),
];

/// Whatever comes over the wire, the event that the emulator makes of it is one that the service answers: it need not read
/// it, because `lambda_http` makes no URL of any host.
fn gateway(data: &[u8]) {
    if let Some(event) = local::fuzz::gateway(data) {
        let _ = shared::fuzz::event(&event);
    }
}

static CHOSEN: OnceLock<&Target> = OnceLock::new();

/// The last panic. The service catches those of `lambda_http`, at a body that it cannot read, so that only one that reaches
/// libFuzzer is a finding; the hook of `libfuzzer-sys` ends the process at each.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn is_in(folder: &Path, name: &str) -> bool {
    folder.file_name().is_some_and(|own| own == name)
}

/// Finds the target of the inputs that the command line names, and puts the seeds into their folder.
fn choose() {
    for path in std::env::args().skip(1).filter(|arg| !arg.starts_with('-')) {
        let path = Path::new(&path);
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let Some(target) = TARGETS.iter().find(|(name, ..)| is_in(folder, name)) else { continue };
        if path.is_dir() {
            for (number, seed) in target.2().iter().enumerate() {
                fs::write(folder.join(format!("seed-{number}")), seed).expect("a folder that can be written");
            }
        }
        CHOSEN.get_or_init(|| target);
    }
    if CHOSEN.get().is_none() {
        TARGETS.iter().for_each(|(name, ..)| println!("{name}"));
        std::process::exit(0);
    }
}

/// Instead of the hook of `libfuzzer-sys`.
fn remember_panics() {
    std::panic::set_hook(Box::new(|info| *PANIC.lock().expect("no panic while it is held") = info.to_string()));
}

fuzz_target!(init: { choose(); remember_panics() }, |data: &[u8]| {
    if let Some((_, target, _)) = CHOSEN.get()
        && catch_unwind(AssertUnwindSafe(|| target(data))).is_err()
    {
        eprintln!("the target has panicked at this input, {}", PANIC.lock().expect("no panic while it is held"));
        std::process::abort();
    }
});
