//! A directory for the demo's files, which goes with it.

use std::path::{Path, PathBuf};

use crate::support::Result;

pub(crate) struct Directory {
    path: PathBuf,
    keep: bool,
}

impl Directory {
    /// That one, which stays, or one of this program's own, which does not.
    pub(crate) fn new(keep: Option<&Path>) -> Result<Self> {
        let explain = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        if let Some(path) = keep {
            std::fs::create_dir_all(path).map_err(|error| explain(path, error))?;
            return Ok(Self { path: path.to_owned(), keep: true });
        }
        let path = std::env::temp_dir().join(format!("resize-images-{}", std::process::id()));
        // It is an error if there is one: somebody else's.
        std::fs::create_dir(&path).map_err(|error| explain(&path, error))?;
        Ok(Self { path, keep: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.keep {
            // Files that others have put there would stay.
            let _removed = std::fs::remove_dir_all(&self.path);
        }
    }
}
