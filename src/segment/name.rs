//! Names of segments and the files that they stand for.

use std::path::{Path, PathBuf};

use crate::error::SegmentError;
use crate::os::shm;

/// The file of a segment: in the shared-memory directory, as shm_open(3) would name it. A leading
/// slash is allowed, as there.
pub(crate) fn path(directory: &Path, name: &str) -> Result<PathBuf, SegmentError> {
    let invalid = |reason| SegmentError::InvalidName { name: name.to_owned(), reason };
    let bare = bare(name);
    if bare.len() > shm::NAME_MAX {
        return Err(SegmentError::NameTooLong { length: bare.len(), limit: shm::NAME_MAX });
    }
    match bare {
        "" => Err(invalid("it is empty")),
        "." | ".." => Err(invalid("it names a directory")),
        _ if bare.contains('/') => Err(invalid("it holds a slash other than at the start")),
        _ if bare.contains('\0') => Err(invalid("it holds a zero byte")),
        _ => Ok(directory.join(bare)),
    }
}

/// The name without the slash that POSIX puts in front.
pub(crate) fn bare(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_files_or_say_why_not() {
        let of = |name: &str| path(Path::new("/d"), name);
        assert_eq!(of("a").unwrap(), Path::new("/d/a"));
        assert_eq!(of("/a").unwrap(), Path::new("/d/a"));
        for bad in ["", "/", ".", "..", "a/b", "//a", "a\0b", "../a"] {
            assert!(matches!(of(bad), Err(SegmentError::InvalidName { .. })), "{bad:?}");
        }
        assert!(of(&"x".repeat(255)).is_ok());
        assert_eq!(
            of(&"x".repeat(256)),
            Err(SegmentError::NameTooLong { length: 256, limit: 255 })
        );
    }
}
