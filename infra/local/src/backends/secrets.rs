//! Secrets of the template: generated once, and stored in a file that only its owner reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account;
use crate::clock::Clock;
use crate::error::EmulatorError;
use crate::random;
use crate::state_dir;
use crate::template::{SecretSpec, SecretValue};

/// The file in the state folder.
const FILE: &str = "secrets.json";

/// All secrets.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// The state folder; without one, secrets do not outlive the emulator.
    folder: Option<PathBuf>,
    by_name: RwLock<BTreeMap<String, Secret>>,
}

/// The two labelled versions of a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Secret {
    #[serde(flatten)]
    pub(crate) current: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Version>,
}

/// A version of a secret. It does not print its value.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) value: String,
    /// Its id.
    pub(crate) version: String,
    /// Seconds since the epoch.
    pub(crate) created: i64,
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Version").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Secrets {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, by_name: RwLock::default() }
    }

    /// Reads the stored secrets, and generates and stores the missing ones.
    pub(crate) fn load(&self, specs: &[SecretSpec], clock: &Clock) -> Result<(), EmulatorError> {
        let mut secrets = match &self.folder {
            Some(folder) => read(&folder.join(FILE))?,
            None => self.by_name.read().clone(),
        };
        let before = secrets.len();
        for spec in specs {
            let value = match &spec.value {
                SecretValue::Given(text) => text.clone(),
                SecretValue::Generated(_) if secrets.contains_key(&spec.name) => continue,
                SecretValue::Generated(rules) => generate(rules)?,
            };
            let version = random::id().to_string();
            let current = Version { value, version, created: clock.now().as_second() };
            secrets.insert(spec.name.clone(), Secret { current, previous: None });
        }
        if let Some(folder) = &self.folder
            && secrets.len() > before
        {
            write(folder, &secrets)?;
        }
        *self.by_name.write() = secrets;
        Ok(())
    }

    /// Replaces a secret, and stores it.
    pub(crate) fn set(&self, name: &str, secret: Secret) -> Result<(), EmulatorError> {
        let mut secrets = self.by_name.write();
        let mut changed = secrets.clone();
        changed.insert(name.to_owned(), secret);
        if let Some(folder) = &self.folder {
            write(folder, &changed)?;
        }
        *secrets = changed;
        Ok(())
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

fn read(path: &Path) -> Result<BTreeMap<String, Secret>, EmulatorError> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| EmulatorError::file(path)(error.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(EmulatorError::file(path)(error)),
    }
}

fn write(folder: &Path, secrets: &BTreeMap<String, Secret>) -> Result<(), EmulatorError> {
    let path = folder.join(FILE);
    let write = || {
        fs::create_dir_all(folder)?;
        state_dir::replace(&path, &serde_json::to_vec_pretty(secrets)?)
    };
    write().map_err(EmulatorError::file(&path))
}

/// A value by the rules of `GenerateSecretString`.
///
/// Source: AWS Secrets Manager API Reference, `GetRandomPassword`, and `AWS::SecretsManager::Secret`, `GenerateSecretString`.
fn generate(rules: &Value) -> Result<String, EmulatorError> {
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
    fn a_secret_is_found_by_name_and_arn_and_generated_once() {
        let spec = SecretSpec { name: "b/key".to_owned(), value: SecretValue::Generated(json!({})) };
        let secrets = Secrets::new(None);
        secrets.load(std::slice::from_ref(&spec), &Clock::default()).unwrap();
        let (name, first) = secrets.get("b/key").unwrap();
        secrets.load(&[spec], &Clock::default()).unwrap();
        let (_, second) = secrets.get(&crate::account::secret_arn(&name)).unwrap();
        assert_eq!(first.current.value, second.current.value);
        assert!(secrets.get("b/other").is_none());
    }
}
