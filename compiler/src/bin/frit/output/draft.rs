//! What a command has written so far, which nobody sees before it is whole.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{ErrorKind, Result as IoResult, Seek};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};
use tempfile::NamedTempFile;

use super::{Output, Target};
use crate::failure::Failure;
use crate::signals;

/// Permissions of new files, from which the system takes what the user's mask says.
const MODE: u32 = 0o666;

/// The content of an output that is there whole once it is kept, and not at all before.
#[derive(Debug)]
pub(crate) struct Draft {
    output: Output,
    content: Content,
}

/// A file that is not yet where it will be.
#[derive(Debug)]
enum Content {
    /// Without a name: the system removes it with the process, however that ends.
    Unnamed(File),
    /// Under another name, on a file system that has no files without one.
    Named(NamedTempFile),
}

impl Draft {
    /// Nothing yet.
    pub(crate) fn new(output: Output) -> Result<Draft, Failure> {
        let content = match &output.place {
            Target::Stream { .. } => Content::new(&std::env::temp_dir(), MODE),
            Target::File { path, replaced } => {
                let mode = replaced.as_ref().map_or(MODE, |replaced| replaced.mode() & MODE);
                Content::new(folder(path), mode)
            }
        };
        match content {
            Ok(content) => Ok(Draft { output, content }),
            Err(error) => Err(output.unwritable(&error)),
        }
    }

    /// Writes to it.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut File) -> IoResult<()>) -> Result<(), Failure> {
        let written = match &mut self.content {
            Content::Unnamed(file) => write(file),
            Content::Named(file) => write(file.as_file_mut()),
        };
        written.map_err(|error| self.output.unwritable(&error))
    }

    /// Where it will be.
    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    /// Where what was written can be read.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.content {
            Content::Unnamed(file) => descriptor(file),
            Content::Named(file) => file.path().to_owned(),
        }
    }

    /// Lets it be there.
    pub(crate) fn keep(self) -> Result<(), Failure> {
        keep(vec![self])
    }

    /// Takes after the file that it replaces.
    fn resemble(&self) -> Result<(), Failure> {
        let Target::File { replaced: Some(replaced), .. } = &self.output.place else { return Ok(()) };
        self.content.resemble(replaced).map_err(|error| self.output.unwritable(&error))
    }

    /// Copies it to what can't be replaced.
    fn pour(mut self) -> Result<(), Failure> {
        let Target::Stream { file: to, stdout } = &mut self.output.place else { return Ok(()) };
        let from = match &mut self.content {
            Content::Unnamed(file) => file,
            Content::Named(file) => file.as_file_mut(),
        };
        // A file that is open under a number and has no name is not appended to.
        let emptied =
            if *stdout || !to.metadata().is_ok_and(|to| to.is_file()) { Ok(()) } else { to.set_len(0) };
        let poured = emptied.and_then(|()| from.rewind()).and_then(|()| std::io::copy(from, to));
        poured.map(drop).map_err(|error| self.output.unwritable(&error))
    }
}

/// Lets all of them be there, or none: what one that fails has left undone is undone for those before it. The one that names
/// the others comes last.
pub(crate) fn keep(drafts: Vec<Draft>) -> Result<(), Failure> {
    let (streams, files): (Vec<Draft>, Vec<Draft>) =
        drafts.into_iter().partition(|draft| matches!(draft.output.place, Target::Stream { .. }));
    files.iter().try_for_each(Draft::resemble)?;
    streams.into_iter().try_for_each(Draft::pour)?;
    // A signal waits until all of them are there.
    let mut unfinished = signals::hold();
    let mut kept: Vec<Kept> = Vec::new();
    for (left, Draft { output, content }) in (0..files.len()).rev().zip(files) {
        let Target::File { path, .. } = &output.place else { continue };
        match Kept::new(content, path, left > 0) {
            Ok(one) => kept.push(one),
            Err(error) => {
                kept.into_iter().rev().for_each(Kept::undo);
                return Err(output.unwritable(&error));
            }
        }
    }
    unfinished.clear();
    Ok(())
}

/// A file in its place.
struct Kept {
    path: PathBuf,
    /// What was there before, under another name, where it may be wanted again.
    before: Option<NamedTempFile<()>>,
}

impl Kept {
    /// Where it can't be put there, what was there is there.
    fn new(content: Content, path: &Path, undoable: bool) -> IoResult<Kept> {
        let before = if undoable { aside(path)? } else { None };
        let kept = Kept { path: path.to_owned(), before };
        match content.name(path) {
            Ok(()) => Ok(kept),
            Err(error) => {
                // Where what was there has its own name still, the other one goes by itself.
                if kept.before.is_some() && !fs::exists(path).unwrap_or(false) {
                    kept.undo();
                }
                Err(error)
            }
        }
    }

    /// The fault that is told is the one because of which this is undone.
    fn undo(self) {
        let _ = match self.before {
            Some(before) => before.persist(&self.path).map(drop).map_err(|error| error.error),
            None => fs::remove_file(&self.path),
        };
    }
}

/// Another name for the file `path`, which keeps its own where the file system has files of two names; none where there is no
/// file.
fn aside(path: &Path) -> IoResult<Option<NamedTempFile<()>>> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => Err(ErrorKind::AlreadyExists.into()),
        Ok(_) => {
            let second = |name: &Path| fs::hard_link(path, name).or_else(|_| fs::rename(path, name));
            builder().make_in(folder(path), second).map(Some)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Content {
    /// An empty file in `folder`, with the permissions `mode` less what the user's mask takes.
    fn new(folder: &Path, mode: u32) -> IoResult<Content> {
        // Asked first, because what it says is the plainest.
        fs::metadata(folder)?;
        match unnamed(folder, mode) {
            Some(file) => Ok(Content::Unnamed(file)),
            None => Content::named(folder, mode),
        }
    }

    fn named(folder: &Path, mode: u32) -> IoResult<Content> {
        let mut unfinished = signals::hold();
        let create =
            |path: &Path| File::options().read(true).write(true).create_new(true).mode(mode).open(path);
        let file = builder().make_in(folder, create)?;
        unfinished.push(file.path().to_owned());
        Ok(Content::Named(file))
    }

    fn file(&self) -> &File {
        match self {
            Content::Unnamed(file) => file,
            Content::Named(file) => file.as_file(),
        }
    }

    /// Takes the permissions of the file that it replaces, and its owner where the system lets it; and is on the disk before
    /// that file is gone.
    fn resemble(&self, replaced: &Metadata) -> IoResult<()> {
        let file = self.file();
        let own = file.metadata()?;
        let is_owned = (own.uid(), own.gid()) == (replaced.uid(), replaced.gid())
            || fchown(file, Some(replaced.uid()), Some(replaced.gid())).is_ok();
        if !is_owned {
            // To give away a file is the superuser's; a group that the user is in can be had.
            let _ = fchown(file, None, Some(replaced.gid()));
        }
        // Bits that run a file as its owner are the owner's to give.
        let bits = if is_owned { 0o7777 } else { 0o777 };
        file.set_permissions(Permissions::from_mode(replaced.mode() & bits))?;
        file.sync_all()
    }

    /// Gives it the name `path`, whatever has that now.
    fn name(self, path: &Path) -> IoResult<()> {
        match self {
            Content::Named(file) => file.persist(path).map(drop).map_err(|error| error.error),
            Content::Unnamed(file) => {
                if link(&file, path).is_ok() {
                    return Ok(());
                }
                // A name that is taken can't be given again, but another one can be changed to it.
                let other = builder().make_in(folder(path), |name| link(&file, name))?;
                other.persist(path).map(drop).map_err(|error| error.error)
            }
        }
    }
}

/// A file without a name in `folder`, where its file system has such; it can be named because it can be found in `/proc`.
fn unnamed(folder: &Path, mode: u32) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(folder, flags, Mode::from_raw_mode(mode)).ok()?);
    descriptor(&file).exists().then_some(file)
}

fn link(file: &File, path: &Path) -> IoResult<()> {
    Ok(linkat(CWD, descriptor(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

fn descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()))
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".frit-");
    builder
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
