//! The one door through which files are read: what is no file is refused by name before it is opened.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// The file `path`, open for reading. Links are followed.
///
/// A pipe is refused because it may have no writer, which would be waited for, and a device because it may have no end; both
/// can be read once only, and files are looked into before they are read.
///
/// # Errors
/// There is no such file, it may not be read, or it is a folder, a pipe, a device or a socket.
pub fn open(path: &Path) -> Result<File> {
    match other_kind(&std::fs::metadata(path)?) {
        None => File::open(path),
        Some(kind) => {
            let (kind, repair) = kind;
            Err(Error::new(ErrorKind::InvalidInput, format!("it is {kind}, not a file: {repair}")))
        }
    }
}

/// What it is that is no regular file, and what to do then.
fn other_kind(found: &Metadata) -> Option<(&'static str, &'static str)> {
    let kind = found.file_type();
    if kind.is_file() {
        return None;
    }
    if kind.is_dir() {
        return Some(("a folder", "name a file in it"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some(("a pipe", "write what comes out of it to a file first"));
        }
        if kind.is_socket() {
            return Some(("a socket", "write what comes out of it to a file first"));
        }
    }
    Some(("a device", "copy what it holds to a file first"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_opened_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("frit-file-{}", std::process::id()));
        assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::write(&path, "x").unwrap();
        assert!(open(&path).is_ok());
        std::fs::remove_file(&path).unwrap();
        assert!(open(&std::env::temp_dir()).unwrap_err().to_string().contains("a folder"));
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_sockets_are_refused_by_name() {
        assert!(open(Path::new("/dev/zero")).unwrap_err().to_string().contains("a device"));
        let path = std::env::temp_dir().join(format!("frit-socket-{}", std::process::id()));
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("a socket"));
        drop(socket);
        std::fs::remove_file(&path).unwrap();
    }
}
