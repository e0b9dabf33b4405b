//! What outlives the stage: one JSON file for each thing, so that a stage that is killed has lost nothing it took.

use std::fs::{self, File};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StageError;
use crate::random;

const ENDING: &str = "json";

/// A folder of things of one type. Without a folder nothing is kept.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    folder: Option<PathBuf>,
    kind: PhantomData<fn(&T)>,
}

impl<T: Serialize + DeserializeOwned> Shelf<T> {
    /// Opens the folder `name` in `state`, and makes it if it is not there.
    pub(crate) fn open(state: Option<&Path>, name: &str) -> Result<Self, StageError> {
        let folder = state.map(|state| state.join(name));
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).map_err(StageError::file(folder))?;
        }
        Ok(Self { folder, kind: PhantomData })
    }

    /// Everything on the shelf, in no order.
    pub(crate) fn all(&self) -> Result<Vec<T>, StageError> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let files = fs::read_dir(folder).map_err(StageError::file(folder))?.flatten().map(|entry| entry.path());
        let files = files.filter(|path| path.extension().is_some_and(|ending| ending == ENDING));
        let read = |path: PathBuf| {
            let thing = fs::read(&path).and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from));
            thing.map_err(StageError::file(path))
        };
        files.map(read).collect()
    }

    /// Puts a thing there, in the place of another one of that name.
    pub(crate) fn put(&self, name: &str, thing: &T) {
        if let Some(folder) = &self.folder {
            // A full disk costs what a restart would remember, not what is under way.
            let _ = serde_json::to_vec(thing)
                .map_err(io::Error::from)
                .and_then(|text| replace(&folder.join(format!("{name}.{ENDING}")), &text));
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        if let Some(folder) = &self.folder {
            // It may have gone with a reset.
            let _ = fs::remove_file(folder.join(format!("{name}.{ENDING}")));
        }
    }

    pub(crate) fn clear(&self) {
        let entries = self.folder.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        for entry in entries {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes a file that only its owner reads, in one step: whoever reads it at the same time finds a whole one.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(random::hex());
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text)?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    use super::Shelf;

    #[test]
    fn a_shelf_that_is_opened_again_has_what_was_put_there_and_not_removed() {
        let folder = tempfile::TempDir::new().unwrap();
        let open = || Shelf::<u8>::open(Some(folder.path()), "things").unwrap();
        let shelf = open();
        shelf.put("a", &1);
        shelf.put("b", &2);
        shelf.put("b", &3);
        shelf.remove("a");
        assert_eq!(open().all().unwrap(), [3]);
        shelf.clear();
        assert_eq!(open().all().unwrap(), [0; 0]);
        let none = Shelf::open(None, "things").unwrap();
        none.put("a", &1);
        assert_eq!(none.all().unwrap(), [0; 0]);
    }
}
