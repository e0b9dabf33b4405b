//! `GET settings`: the settings files of all stages, and what the template adds to those of the running one.

use std::collections::BTreeMap;
use std::fs;

use http::StatusCode;
use serde::Serialize;

use super::wish::Refusal;
use crate::error::StageError;
use crate::live::Live;
use crate::server::{self, Reply};

/// Secrets are named in the files, and are not in them: what lies in the stage's secret store is not told here.
#[derive(Serialize)]
struct SettingsDocument {
    /// The stage that runs.
    running: String,
    /// Each file in `conf/`, by the name of its stage.
    stages: BTreeMap<String, toml::Table>,
    /// What functions of the running stage get by their environment, by the name of the binary.
    environment: BTreeMap<String, BTreeMap<String, String>>,
}

pub(super) fn answer(live: &Live) -> Result<Reply, Refusal> {
    let functions = live.lambda.functions().into_iter().map(|function| function.spec());
    let document = SettingsDocument {
        running: live.options.stage.clone(),
        stages: stages(live).map_err(Refusal::Failed)?,
        environment: functions.map(|spec| (spec.binary.clone(), spec.environment.clone())).collect(),
    };
    Ok(server::json_of(StatusCode::OK, &document))
}

fn stages(live: &Live) -> Result<BTreeMap<String, toml::Table>, StageError> {
    let folder = live.options.task_root.join("conf");
    let mut stages = BTreeMap::new();
    for path in fs::read_dir(&folder).map_err(StageError::file(&folder))?.flatten().map(|entry| entry.path()) {
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|ending| ending == "toml")) else {
            continue;
        };
        let text = fs::read_to_string(&path).map_err(StageError::file(&path))?;
        // What is wrong with a settings file is said by the functions, which know all of it.
        stages.insert(name.to_string_lossy().into_owned(), text.parse().unwrap_or_default());
    }
    Ok(stages)
}
