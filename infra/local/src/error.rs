//! Why the emulator cannot start or continue, and what to do about it. Only an error in a TOML file has several lines.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::template::TemplateError;

/// A failure of the emulator itself, not of a function in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// Another process listens on the port.
    #[error("port {port} is in use; choose another one: make run PORT={}", port.wrapping_add(1))]
    PortTaken {
        /// The port that was asked for.
        port: u16,
    },
    /// Another emulator uses the folder of stored state.
    #[error("another emulator uses {}; stop it, or start this one without --keep", folder.display())]
    StateTaken {
        /// The folder of stored state.
        folder: PathBuf,
    },
    /// Log files cannot be written.
    #[error("{} cannot be written: {source}; type: sudo chown -R \"$(id -un)\" {}", folder.display(), folder.display())]
    LogsNotWritable {
        /// Their folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Neither Valkey nor Redis is installed.
    #[error("neither valkey-server nor redis-server is in .tools/bin or on the PATH; get one with: make redis")]
    NoCache,
    /// Valkey or Redis does not start.
    #[error("{} does not start: {reason}", program.display())]
    CacheFailed {
        /// The program that was started.
        program: PathBuf,
        /// Its last line, or what the system said.
        reason: String,
    },
    /// There is no settings file for the stage.
    #[error("there is no stage {name} (no conf/{name}.toml); there are: {}", known.join(", "))]
    UnknownStage {
        /// The name that was asked for.
        name: String,
        /// The stages that have a settings file.
        known: Vec<String>,
    },
    /// A settings file is not TOML.
    #[error("{file}: {}", error.to_string().trim_end())]
    Settings {
        /// The file.
        file: String,
        /// Shows the line.
        error: toml::de::Error,
    },
    /// A function does not start, for instance because it refuses the settings.
    #[error("{function} does not start: {reason}")]
    InitFailed {
        /// Its binary.
        function: String,
        /// What it logged.
        reason: String,
    },
    /// Functions of the template that are not built.
    #[error("not built in {}: {}; build with: cargo build", folder.display(), names.join(", "))]
    BinariesMissing {
        /// Where they were looked for.
        folder: PathBuf,
        /// File names of the binaries.
        names: Vec<String>,
    },
    /// There is no such function to debug.
    #[error("there is no function {name} to debug; there are: {}", known.join(", "))]
    UnknownFunction {
        /// The name that was asked for.
        name: String,
        /// The functions of the template, by their binaries.
        known: Vec<String>,
    },
    /// The template cannot be used.
    #[error("{}: {place}: {problem}", file.display())]
    Template {
        /// The template's file.
        file: PathBuf,
        /// The place in it, as a path of keys.
        place: String,
        /// What is wrong there.
        problem: String,
    },
    /// The embedded DynamoDB refuses.
    #[error("DynamoDB: {0}")]
    DynamoDb(String),
    /// Redis refuses, or its data cannot be read.
    #[error("Redis: {0}")]
    Cache(String),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refuses a process, a port or a thread.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

impl EmulatorError {
    pub(crate) fn dynamodb(error: impl fmt::Display) -> Self {
        Self::DynamoDb(error.to_string())
    }

    pub(crate) fn cache(error: impl fmt::Display) -> Self {
        Self::Cache(error.to_string())
    }

    pub(crate) fn template(file: PathBuf, error: TemplateError) -> Self {
        Self::Template { file, place: error.place, problem: error.problem }
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
