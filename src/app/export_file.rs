//! Reports on their way out: to standard output, to a file the person named, or to a new file beside them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::RunError;
use crate::{
    export::{self, Format, Options},
    model::{Stamp, text::printable},
    store::Observation,
    ui::{ExportRequest, Message},
};

/// Something that writes a report.
type Report<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Writes a report to standard output.
///
/// # Errors
/// Why it could not be written; a broken pipe is one of them.
pub(super) fn to_stdout(report: Report<'_>) -> Result<(), RunError> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = report(&mut out).and_then(|()| out.flush());
    written.map_err(|error| RunError::Write { place: "standard output".to_owned(), error })
}

/// Writes a report to `path`. A regular file is replaced as a whole or not at all; anything else (a pipe, a device) is written to.
///
/// # Errors
/// Names the file and says why; what was there before is still there.
pub(super) fn replace(path: &Path, report: Report<'_>) -> Result<(), RunError> {
    let written = match fs::metadata(path) {
        Ok(there) if !there.is_file() => {
            OpenOptions::new().write(true).open(path).and_then(|file| fill(file, report))
        }
        _ => write_beside_and_rename(path, report),
    };
    written.map_err(|error| RunError::Write { place: place(path), error })
}

fn write_beside_and_rename(path: &Path, report: Report<'_>) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("this names no file"))?;
    // A link is followed: the file it points at is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = path.file_name().unwrap_or(name).to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(beside);
    let file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
    let done = fill(file, report).and_then(|()| fs::rename(&beside, &path));
    if done.is_err() {
        // Half a report is of no use; the error that is told is the one that caused it.
        let _ = fs::remove_file(&beside);
    }
    done
}

fn fill(file: File, report: Report<'_>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    report(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error).map(drop)
}

/// Writes what the screen shows to a new file in the current folder, or in the temporary one if that is not writable,
/// and says where it is or why it is not.
pub(super) fn write(request: &ExportRequest, at: Stamp) -> Message {
    let query = &request.query;
    let mut matcher = query.matcher();
    let observation = Observation::begin(Arc::clone(&request.moment), |socket| matcher.matches(socket));
    let options = Options { query, sockets: true, ascii: false, top: usize::MAX };
    let mut report = |out: &mut dyn Write| export::write(Format::Json, &observation, &options, out);
    let stem = format!("twtop-{}", at.wall.strftime("%Y%m%dT%H%M%SZ"));
    let folders = [PathBuf::from("."), std::env::temp_dir()];
    let mut failure = String::new();
    for folder in folders {
        match create_new(&folder, &stem).and_then(|(file, path)| fill(file, &mut report).map(|()| path)) {
            Ok(path) => {
                let path = fs::canonicalize(&path).unwrap_or(path);
                return Message { text: format!("exported to {}", place(&path)), failure: false };
            }
            Err(error) => failure = format!("not exported: {}: {error}", place(&folder)),
        }
    }
    Message { text: failure, failure: true }
}

/// A file that was not there before.
fn create_new(folder: &Path, stem: &str) -> io::Result<(File, PathBuf)> {
    for n in 0..100 {
        let number = if n == 0 { String::new() } else { format!("-{n}") };
        let path = folder.join(format!("{stem}{number}.json"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|file| (file, path)),
        }
    }
    Err(io::Error::other("a hundred exports within one second"))
}

fn place(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}
