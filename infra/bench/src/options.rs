//! What the bench is asked for.

use std::env;
use std::path::PathBuf;

use crate::Failure;

const USAGE: &str = "usage: bench measure --bin-dir DIR [--base DIR] [--runs N] [--warm N] [--tls stores|cache] [--share N] \
     [FUNCTION...]";

/// Warm requests that one program serves before another takes its turn.
pub(crate) const BLOCK: u16 = 50;

pub(crate) struct Options {
    /// Where the local stage's own functions are. They make the state that requests need.
    pub(crate) stage_dir: PathBuf,
    /// What is measured: functions as they are shipped, the floor among them.
    pub(crate) bin_dir: PathBuf,
    /// The same of another commit, to be measured in turn with them.
    pub(crate) base: Option<PathBuf>,
    /// Cold starts of each program.
    pub(crate) runs: usize,
    /// Blocks of warm requests.
    pub(crate) blocks: usize,
    pub(crate) tls: Tls,
    /// After its init a process has one part in so many of a core.
    pub(crate) share: Option<u32>,
    /// By default all.
    pub(crate) functions: Vec<String>,
}

/// What is reached over TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    Nothing,
    /// The cache alone.
    Cache,
    /// Everything: both stores, secrets and Lambda.
    Stores,
}

impl Options {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let (mut bin_dir, mut warm) = (None, 400_usize);
        // Cargo puts the stage's functions beside this program.
        let stage_dir = env::current_exe()?.parent().map(PathBuf::from).ok_or("this program lies in no folder")?;
        let mut options = Self {
            stage_dir,
            bin_dir: PathBuf::new(),
            base: None,
            runs: 21,
            blocks: 0,
            tls: Tls::Nothing,
            share: None,
            functions: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value; {USAGE}"));
            match argument.as_str() {
                "--bin-dir" => bin_dir = Some(PathBuf::from(value()?)),
                "--base" => options.base = Some(PathBuf::from(value()?)),
                "--runs" => options.runs = value()?.parse()?,
                "--warm" => warm = value()?.parse()?,
                "--share" => options.share = Some(value()?.parse()?),
                "--tls" => {
                    options.tls = match value()?.as_str() {
                        "stores" | "1" => Tls::Stores,
                        "cache" => Tls::Cache,
                        other => return Err(format!("--tls takes stores or cache, not {other}").into()),
                    }
                }
                name if name.starts_with('-') => return Err(format!("unknown argument {name}; {USAGE}").into()),
                name => options.functions.push(name.to_owned()),
            }
        }
        options.bin_dir = bin_dir.ok_or(USAGE)?;
        options.blocks = warm.div_ceil(usize::from(BLOCK)).max(1);
        Ok(options)
    }
}
