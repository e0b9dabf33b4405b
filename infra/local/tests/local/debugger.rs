//! A function that waits for a debugger.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use local::{Emulator, EmulatorError};

use support::{Repository, eventually};

/// Attaches to a process as a debugger does (ptrace(2), `PTRACE_SEIZE`), says so, and stays until its input ends.
const TRACER: &str = "
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
refused = libc.ptrace(0x4206, int(sys.argv[1]), None, None)
print('refused' if refused else 'there', flush=True)
sys.stdin.read()
";

#[tokio::test]
async fn the_first_event_waits_until_a_debugger_is_there() {
    let app = Repository::new().start(|options| options.debug = Some("probe".to_owned())).await;
    let mut answer = Box::pin(app.echo());
    let process = tokio::select! {
        seen = &mut answer => panic!("nobody was there, and it was handed {seen}"),
        process = eventually("a process", async || app.function("probe").await["pids"][0].as_u64()) => process,
    };
    let mut tracer = Command::new("python3")
        .args(["-c", TRACER, &process.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(tracer.stdout.take().unwrap()).read_line(&mut said).unwrap();
    // Systems may let nobody do this but a parent (`kernel.yama.ptrace_scope`).
    if said.trim() == "there" {
        assert_eq!(answer.await["tracer"], tracer.id(), "it was there before the event was");
    }
    drop(tracer.stdin.take());
    tracer.wait().unwrap();
    assert_eq!(app.function("probe").await["timeout_s"], 24 * 3600);
}

#[tokio::test]
async fn a_function_that_there_is_not_cannot_be_debugged() {
    let repository = Repository::new();
    let mut options = repository.options();
    options.debug = Some("prob".to_owned());
    let error = Emulator::start(options).await.unwrap_err();
    assert!(matches!(error, EmulatorError::UnknownFunction { .. }), "{error}");
    assert_eq!(error.to_string(), "there is no function prob to debug; there are: probe");
}
