//! What is wrong with bytes that cannot be read.

use super::blob::VERSION;

/// What could not be read, or written, where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}, byte {at}: {trouble}")]
pub struct PackError {
    /// What was being read, such as `cookie`.
    pub what: &'static str,
    /// Where: bytes from the beginning of what was unpacked.
    pub at: usize,
    /// Why not.
    pub trouble: Trouble,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The bytes end before it does.
    #[error("cut short")]
    Cut,
    /// It ends before the bytes do.
    #[error("{0} bytes too many")]
    Spare(usize),
    /// A number does not fit where it belongs, or there is more than this codec takes.
    #[error("too large")]
    TooLarge,
    /// A number stands for nothing.
    #[error("{0} means nothing to this twtop; a newer one wrote it, or it is damaged")]
    Unknown(u64),
    /// A text is not UTF-8.
    #[error("not UTF-8")]
    NotText,
    /// The bytes are not those that were written.
    #[error("damaged, the checksum does not match")]
    Damaged,
    /// Another twtop wrote it.
    #[error("of version {0}; this twtop reads version {VERSION}")]
    Version(u8),
    /// The compression does not take it.
    #[error("cannot be compressed or decompressed: {0}")]
    Compression(String),
    /// It refers to a part that is not at hand, or is of another kind.
    #[error("part {0} is missing")]
    MissingPart(u64),
}

/// The result of reading.
pub(super) type Result<T, E = PackError> = std::result::Result<T, E>;
