//! The settings of a measured stage: those of the repository, but for a limit that a measurement reaches at once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::Failure;

/// Of the row `pages_per_user`: one user asks for all pages of a measurement. The row stays, because counting costs time.
const LIMIT: (&str, &str) = (r#"window = "1m", max = 60"#, r#"window = "day", max = 1000000000"#);

/// A folder beside the functions that looks like the repository at `root`.
pub(crate) fn root(root: &Path, bin_dir: &Path) -> Result<PathBuf, Failure> {
    let folder = bin_dir.join("bench-root");
    fs::create_dir_all(folder.join("conf"))?;
    let settings = fs::read_to_string(root.join("conf/local.toml"))?;
    if !settings.contains(LIMIT.0) {
        return Err("conf/local.toml has another limit of pages".into());
    }
    fs::write(folder.join("conf/local.toml"), settings.replace(LIMIT.0, LIMIT.1))?;
    for name in ["infra", ".tools"] {
        let link = folder.join(name);
        if root.join(name).exists() && !link.exists() {
            symlink(root.join(name).canonicalize()?, link)?;
        }
    }
    Ok(folder)
}
