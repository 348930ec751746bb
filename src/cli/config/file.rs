//! The file itself, whatever is at its place.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;

/// No configuration is larger.
const LIMIT: u64 = 1 << 20;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// There is no file.
    #[error("there is no such file")]
    Missing,
    /// It cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// A folder, a pipe, a device.
    #[error("is not a regular file")]
    NotAFile,
    /// Larger than any configuration.
    #[error("is larger than 1 MiB, which no configuration file is")]
    Large,
    /// Not text.
    #[error("is not UTF-8 text (line {0})")]
    NotText(usize),
}

impl Trouble {
    /// Whether a file that nobody asked for is none then: the home may be another user's.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Io(error) => error.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

/// The text at `path`.
pub(super) fn text(path: &Path) -> Result<String, Trouble> {
    // A pipe that nobody writes to is opened all the same, and then refused; a terminal does not become ours.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(trouble)?;
    if !file.metadata().map_err(trouble)?.is_file() {
        return Err(Trouble::NotAFile);
    }
    let mut bytes = vec![];
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(trouble)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > LIMIT) {
        return Err(Trouble::Large);
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Trouble::NotText(before.split(|byte| *byte == b'\n').count())
    })
}

fn trouble(error: io::Error) -> Trouble {
    match error.kind() {
        // A file where a folder should be: there is no file below it.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Trouble::Missing,
        _ => Trouble::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_another_user_is_none() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(Trouble::Missing.is_absence() && trouble(denied()).is_absence());
        assert!(!trouble(io::Error::from(io::ErrorKind::InvalidInput)).is_absence());
        assert!(!Trouble::NotAFile.is_absence() && !Trouble::NotText(1).is_absence());
    }
}
