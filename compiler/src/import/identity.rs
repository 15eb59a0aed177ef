//! Which file a path leads to.

use std::fs::{File, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file, whatever it is called: two paths, links or hard links of one file have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// That of the file which `path` leads to; none where it leads to no file. Devices, pipes and folders are none: what is
    /// written to one replaces nothing that is read from it.
    pub fn of(path: &Path) -> Option<Identity> {
        Identity::new(&std::fs::metadata(path).ok()?)
    }

    /// That of an open file, such as the one that the standard input is redirected from.
    pub fn of_open(open: impl AsFd) -> Option<Identity> {
        let descriptor = open.as_fd().try_clone_to_owned().ok()?;
        Identity::new(&File::from(descriptor).metadata().ok()?)
    }

    fn new(found: &Metadata) -> Option<Identity> {
        found.is_file().then(|| Identity { device: found.dev(), inode: found.ino() })
    }
}
