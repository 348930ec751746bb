//! Reports on their way out: to standard output, or to a file the person named.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Seek as _, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
};

use super::RunError;
use crate::model::text::printable;

/// Something that writes a report.
pub(super) type Report<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Writes a report to standard output.
///
/// # Errors
/// Why it could not be written; a broken pipe is one of them.
pub(super) fn to_stdout(report: Report<'_>) -> Result<(), RunError> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = report(&mut out).and_then(|()| out.flush());
    written.map_err(|error| RunError::Write { place: "standard output".to_owned(), error })
}

/// Writes a report to `path`. A regular file is replaced as a whole or not at all, and keeps its mode and owner;
/// where that cannot be (other names of the same file, a folder that may not be written to, a link to nowhere yet) it is
/// written to once the report is whole. Anything else (a pipe, a device, `/dev/stdout`) is written to as it comes.
///
/// # Errors
/// Names the file and says why.
pub(super) fn replace(path: &Path, report: Report<'_>) -> Result<(), RunError> {
    replace_file(path, report).map_err(|error| RunError::Write { place: place(path), error })
}

fn replace_file(path: &Path, report: Report<'_>) -> io::Result<()> {
    // Names of open files: what they point at is not ours to replace, and what is there already stays.
    if path.starts_with("/dev") || path.starts_with("/proc") {
        return fill(OpenOptions::new().append(true).open(path)?, report);
    }
    let is_link = fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink());
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => fill(OpenOptions::new().write(true).open(path)?, report),
        Ok(there) => {
            // Whether it may be written to is for its own mode to say, not for its folder's.
            drop(OpenOptions::new().write(true).open(path)?);
            if there.nlink() > 1 {
                return overwrite(path, report);
            }
            let path = fs::canonicalize(path)?;
            let Ok((file, beside)) = create_beside(&path) else { return overwrite(&path, report) };
            let written = keep_mode(&file, &there).and_then(|()| fill(file, report));
            written.and_then(|()| fs::rename(&beside, &path)).inspect_err(|_| remove(&beside))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) if is_link => overwrite(path, report),
        Err(_) => {
            let (file, beside) = create_beside(path)?;
            fill(file, report).and_then(|()| fs::rename(&beside, path)).inspect_err(|_| remove(&beside))
        }
    }
}

/// A new file in the folder of `path`.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    path.file_name().ok_or_else(|| io::Error::other("this names no file"))?;
    let beside = path.with_file_name(format!(".twtop-{}.part", process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
    Ok((file, beside))
}

/// Half a report is of no use; the error that is told is the one that caused it.
fn remove(beside: &Path) {
    let _ = fs::remove_file(beside);
}

/// Gives `file` the mode of the one it is to replace, and its owner where we may.
fn keep_mode(file: &File, old: &fs::Metadata) -> io::Result<()> {
    if old.uid() != file.metadata()?.uid() || old.gid() != file.metadata()?.gid() {
        std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())
}

/// Writes to the file itself, once the report is whole.
fn overwrite(path: &Path, report: Report<'_>) -> io::Result<()> {
    let mut whole = OpenOptions::new();
    let kept = std::env::temp_dir().join(format!(".twtop-{}.part", process::id()));
    let mut whole = whole.read(true).write(true).create_new(true).mode(0o600).open(&kept)?;
    remove(&kept);
    fill(whole.try_clone()?, report)?;
    whole.rewind()?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    io::copy(&mut whole, &mut file).map(drop)
}

/// Writes a report to `file`.
pub(super) fn fill(file: File, report: Report<'_>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    report(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error).map(drop)
}

/// A path as it is told.
pub(super) fn place(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}
