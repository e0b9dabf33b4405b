//! `GET settings`: the settings files of all stages, and the variables that the template adds to those of the running one.

use std::collections::BTreeMap;
use std::fs;

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;

use super::request::{ApiError, App};
use crate::app::AppState;
use crate::error::EmulatorError;
use crate::server::{self, Reply};

/// The files name secrets and do not contain them; values of secrets are not shown here.
#[derive(Serialize)]
struct SettingsDocument {
    /// The running stage.
    running: String,
    /// Each file in `conf/`, by stage.
    stages: BTreeMap<String, toml::Table>,
    /// The environment of each function of the running stage, by binary.
    environment: BTreeMap<String, BTreeMap<String, String>>,
}

pub(super) async fn answer(State(app): App) -> Result<Reply, ApiError> {
    let functions = app.lambda.functions().into_iter().map(|function| function.spec());
    let document = SettingsDocument {
        running: app.options.stage.clone(),
        stages: stages(&app)?,
        environment: functions.map(|spec| (spec.binary.clone(), spec.environment.clone())).collect(),
    };
    Ok(server::json_of(StatusCode::OK, &document))
}

fn stages(app: &AppState) -> Result<BTreeMap<String, toml::Table>, EmulatorError> {
    let folder = app.options.task_root.join("conf");
    let mut stages = BTreeMap::new();
    for path in fs::read_dir(&folder).map_err(EmulatorError::file(&folder))?.flatten().map(|entry| entry.path()) {
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|ending| ending == "toml")) else {
            continue;
        };
        let text = fs::read_to_string(&path).map_err(EmulatorError::file(&path))?;
        // Errors in the running stage's file stop the start; those in another one do not concern this emulator.
        stages.insert(name.to_string_lossy().into_owned(), text.parse().unwrap_or_default());
    }
    Ok(stages)
}
