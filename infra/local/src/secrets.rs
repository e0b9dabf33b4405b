//! Secrets of the template: made once from the system's random source, kept in a file that only its owner reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account;
use crate::clock::Clock;
use crate::error::StageError;
use crate::random;
use crate::shelf;
use crate::template::{SecretSpec, SecretValue};

/// The file in the stage's state folder.
const FILE: &str = "secrets.json";

/// All secrets of the stage.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// The stage's state folder; without one they end with the stage.
    folder: Option<PathBuf>,
    by_name: RwLock<BTreeMap<String, Secret>>,
}

/// One secret. It does not print its value.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secret {
    pub(crate) value: String,
    pub(crate) version: String,
    /// Seconds since the epoch.
    pub(crate) created: i64,
}

impl Secret {
    fn new(value: String, clock: &Clock) -> Self {
        Self { value, version: random::id().to_string(), created: clock.now().as_second() }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Secrets {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, by_name: RwLock::default() }
    }

    /// Reads the kept secrets, makes the missing ones, and keeps those too.
    pub(crate) fn load(&self, specs: &[SecretSpec], clock: &Clock) -> Result<(), StageError> {
        let mut kept = match &self.folder {
            Some(folder) => read(&folder.join(FILE))?,
            None => self.by_name.read().clone(),
        };
        let before = kept.len();
        for spec in specs {
            let value = match &spec.value {
                SecretValue::Given(text) => text.clone(),
                SecretValue::Generated(_) if kept.contains_key(&spec.name) => continue,
                SecretValue::Generated(rules) => generate(rules)?,
            };
            kept.insert(spec.name.clone(), Secret::new(value, clock));
        }
        if let Some(folder) = &self.folder
            && kept.len() > before
        {
            write(folder, &kept)?;
        }
        *self.by_name.write() = kept;
        Ok(())
    }

    /// Gives a secret another value, and keeps that; `None` if there is no such secret.
    pub(crate) fn put(&self, id: &str, value: String, clock: &Clock) -> Result<Option<(String, Secret)>, StageError> {
        let Some((name, _)) = self.get(id) else { return Ok(None) };
        let secret = Secret::new(value, clock);
        let mut secrets = self.by_name.write();
        let mut changed = secrets.clone();
        changed.insert(name.clone(), secret.clone());
        if let Some(folder) = &self.folder {
            write(folder, &changed)?;
        }
        *secrets = changed;
        Ok(Some((name, secret)))
    }

    /// The secret with that name, or with the ARN of that name.
    pub(crate) fn get(&self, id: &str) -> Option<(String, Secret)> {
        let secrets = self.by_name.read();
        let found = match secrets.get_key_value(id) {
            Some(found) => Some(found),
            None => secrets.iter().find(|(name, _)| account::secret_arn(name) == id),
        };
        found.map(|(name, secret)| (name.clone(), secret.clone()))
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, Secret>, StageError> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| StageError::file(path)(error.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(StageError::file(path)(error)),
    }
}

fn write(folder: &Path, secrets: &BTreeMap<String, Secret>) -> Result<(), StageError> {
    let path = folder.join(FILE);
    let write = || {
        fs::create_dir_all(folder)?;
        shelf::replace(&path, &serde_json::to_vec_pretty(secrets)?)
    };
    write().map_err(StageError::file(&path))
}

/// A value by the rules of `GenerateSecretString`.
///
/// Source: AWS Secrets Manager API Reference, `GetRandomPassword`, and `AWS::SecretsManager::Secret`, `GenerateSecretString`.
fn generate(rules: &Value) -> Result<String, StageError> {
    let is_set = |key: &str| rules[key].as_bool().unwrap_or(false);
    let excluded = rules["ExcludeCharacters"].as_str().unwrap_or("");
    let kinds = [
        ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
        ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("ExcludeNumbers", "0123456789"),
        ("ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ];
    let mut alphabet: Vec<u8> = kinds
        .iter()
        .filter(|(key, _)| !is_set(key))
        .flat_map(|(_, characters)| characters.bytes())
        .chain(is_set("IncludeSpace").then_some(b' '))
        .filter(|byte| !excluded.as_bytes().contains(byte))
        .collect();
    alphabet.dedup();
    let length = rules["PasswordLength"].as_u64().unwrap_or(32);
    let password = random::text(&alphabet, usize::try_from(length).unwrap_or(usize::MAX).min(4_096))?;
    let Some(key) = rules["GenerateStringKey"].as_str() else {
        return Ok(password);
    };
    let mut document: Value = match rules["SecretStringTemplate"].as_str() {
        Some(template) => serde_json::from_str(template).map_err(std::io::Error::from)?,
        None => Value::Object(serde_json::Map::new()),
    };
    document[key] = Value::String(password);
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Secrets, generate};
    use crate::clock::Clock;
    use crate::template::{SecretSpec, SecretValue};

    #[test]
    fn a_value_follows_its_rules() {
        let rules = json!({
            "SecretStringTemplate": "{\"kid\":\"k1\"}", "GenerateStringKey": "key", "PasswordLength": 64,
            "ExcludePunctuation": true, "ExcludeCharacters": "aA0",
        });
        let document: Value = serde_json::from_str(&generate(&rules).unwrap()).unwrap();
        let key = document["key"].as_str().unwrap();
        assert_eq!(document["kid"], "k1");
        assert_eq!(key.len(), 64);
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric() && !"aA0".contains(c)), "{key}");
        assert_eq!(generate(&json!({})).unwrap().len(), 32);
    }

    #[test]
    fn a_secret_is_found_by_name_and_arn_and_made_once() {
        let spec = SecretSpec { name: "b/key".to_owned(), value: SecretValue::Generated(json!({})) };
        let secrets = Secrets::new(None);
        secrets.load(std::slice::from_ref(&spec), &Clock::default()).unwrap();
        let (name, first) = secrets.get("b/key").unwrap();
        secrets.load(&[spec], &Clock::default()).unwrap();
        let (_, second) = secrets.get(&crate::account::secret_arn(&name)).unwrap();
        assert_eq!(first.value, second.value);
        assert!(secrets.get("b/other").is_none());
    }
}
