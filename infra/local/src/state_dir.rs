//! State that outlives the emulator: one JSON file for each value, so that a killed emulator loses nothing it accepted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::EmulatorError;
use crate::random;

const EXTENSION: &str = "json";

/// A folder with values of one type. Without a folder nothing is stored.
#[derive(Debug)]
pub(crate) struct StateDir<T> {
    folder: Option<PathBuf>,
    kind: PhantomData<fn(&T)>,
}

impl<T: Serialize + DeserializeOwned> StateDir<T> {
    /// Opens the folder `name` in `state`, and creates it if it is missing.
    pub(crate) fn open(state: Option<&Path>, name: &str) -> Result<Self, EmulatorError> {
        let folder = state.map(|state| state.join(name));
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).map_err(EmulatorError::file(folder))?;
        }
        Ok(Self { folder, kind: PhantomData })
    }

    /// Every value, in no order.
    pub(crate) fn read_all(&self) -> Result<Vec<T>, EmulatorError> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let files = fs::read_dir(folder).map_err(EmulatorError::file(folder))?.flatten().map(|entry| entry.path());
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
        let read = |path: PathBuf| {
            let value = fs::read(&path).and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from));
            value.map_err(EmulatorError::file(path))
        };
        files.map(read).collect()
    }

    /// Writes a value, and replaces an earlier one of that name.
    pub(crate) fn write(&self, name: &str, value: &T) {
        if let Some(folder) = &self.folder {
            // A full disk loses what a restart would restore, not what is running.
            let _ = serde_json::to_vec(value)
                .map_err(io::Error::from)
                .and_then(|text| replace(&folder.join(format!("{name}.{EXTENSION}")), &text));
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        if let Some(folder) = &self.folder {
            // A reset may have removed it.
            let _ = fs::remove_file(folder.join(format!("{name}.{EXTENSION}")));
        }
    }

    pub(crate) fn clear(&self) {
        let entries = self.folder.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        for entry in entries {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes a file that only its owner reads, in one step: a concurrent reader never sees half of it.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(random::hex());
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text)?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    use super::StateDir;

    #[test]
    fn a_folder_that_is_opened_again_has_what_was_written_and_not_removed() {
        let folder = tempfile::TempDir::new().unwrap();
        let open = || StateDir::<u8>::open(Some(folder.path()), "values").unwrap();
        let values = open();
        values.write("a", &1);
        values.write("b", &2);
        values.write("b", &3);
        values.remove("a");
        assert_eq!(open().read_all().unwrap(), [3]);
        values.clear();
        assert_eq!(open().read_all().unwrap(), [0; 0]);
        let none = StateDir::open(None, "values").unwrap();
        none.write("a", &1);
        assert_eq!(none.read_all().unwrap(), [0; 0]);
    }
}
