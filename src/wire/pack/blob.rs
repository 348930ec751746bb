//! Bytes that say what they are, with a checksum, compressed.

use std::io::{Read as _, Write as _};

use zstd::stream::{read::Decoder, write::Encoder};

use super::error::{PackError, Result, Trouble};

/// The version of all forms in this module. Another one is an error, not a guess.
pub const VERSION: u8 = 1;

/// No blob holds more, unpacked: some ten million `TIME_WAIT`s. A damaged or hostile one cannot make us take more memory.
pub const MAX_UNPACKED: usize = 128 << 20;

/// Version, kind, checksum.
const HEAD: usize = 6;
/// What is unpacked may refer back by 8 MiB, which is what the decoder keeps at most.
const WINDOW_LOG: u32 = 23;

/// What a blob holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A table of sockets.
    Sockets = 1,
    /// A sample, which refers to parts.
    Sample = 2,
    /// A part.
    Part = 3,
    /// A frame of a file.
    Frame = 4,
    /// The last frame of a file.
    End = 5,
    /// A table of sockets with a number beside each.
    Numbered = 6,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Sockets => "packed sockets",
            Self::Sample => "packed sample",
            Self::Part => "packed part",
            Self::Frame => "packed frame",
            Self::End => "end of the file",
            Self::Numbered => "packed numbered sockets",
        }
    }

    /// How hard zstd tries. Tables may be large and are packed in the course of sampling; frames are small.
    const fn level(self) -> i32 {
        match self {
            Self::Frame => 9,
            _ => 1,
        }
    }

    /// What a blob says that it is; `None` if it says nothing known.
    pub(super) fn of(blob: &[u8]) -> Option<Self> {
        let kinds = [Self::Sockets, Self::Sample, Self::Part, Self::Frame, Self::End, Self::Numbered];
        kinds.into_iter().find(|kind| blob.get(1) == Some(&(*kind as u8)))
    }

    fn error(self, at: usize, trouble: Trouble) -> PackError {
        PackError { what: self.name(), at, trouble }
    }
}

/// Packs `bytes` as a blob of `kind`, which can be opened by itself.
///
/// # Errors
/// If there is more than [`MAX_UNPACKED`].
pub fn seal(kind: Kind, bytes: &[u8]) -> Result<Vec<u8>> {
    seal_after(kind, bytes, &[])
}

/// What is in a blob of `kind`.
///
/// # Errors
/// If it is of another kind or version, damaged, or not a blob at all.
pub fn open(kind: Kind, blob: &[u8]) -> Result<Vec<u8>> {
    open_after(kind, blob, &[])
}

/// As [`seal`], for somebody who has `before` at hand: what occurs there is not written again.
pub(super) fn seal_after(kind: Kind, bytes: &[u8], before: &[u8]) -> Result<Vec<u8>> {
    if bytes.len() > MAX_UNPACKED {
        return Err(kind.error(MAX_UNPACKED, Trouble::TooLarge));
    }
    let failed = |error: std::io::Error| kind.error(0, Trouble::Compression(error.to_string()));
    let mut blob = vec![VERSION, kind as u8, 0, 0, 0, 0];
    let mut encoder = Encoder::with_ref_prefix(&mut blob, kind.level(), before).map_err(failed)?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64)).map_err(failed)?;
    encoder.write_all(bytes).and_then(|()| encoder.finish().map(drop)).map_err(failed)?;
    let checksum = checksum(&blob);
    blob[2..HEAD].copy_from_slice(&checksum.to_le_bytes());
    Ok(blob)
}

/// As [`open`], for what was packed by [`seal_after`].
pub(super) fn open_after(kind: Kind, blob: &[u8], before: &[u8]) -> Result<Vec<u8>> {
    let Some(&[version, is, a, b, c, d]) = blob.first_chunk() else {
        return Err(kind.error(blob.len(), Trouble::Cut));
    };
    if version != VERSION {
        return Err(kind.error(0, Trouble::Version(version)));
    }
    if is != kind as u8 {
        return Err(kind.error(1, Trouble::Unknown(is.into())));
    }
    // Before anything is made of it.
    if u32::from_le_bytes([a, b, c, d]) != checksum(blob) {
        return Err(kind.error(2, Trouble::Damaged));
    }
    unpack(&blob[HEAD..], before).map_err(|trouble| kind.error(HEAD, trouble))
}

fn unpack(packed: &[u8], before: &[u8]) -> Result<Vec<u8>, Trouble> {
    let failed = |error: std::io::Error| Trouble::Compression(error.to_string());
    let mut decoder = Decoder::with_ref_prefix(packed, before).map_err(failed)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(failed)?;
    let mut bytes = Vec::new();
    // Room is made as bytes come, whatever length was declared.
    decoder.by_ref().take(MAX_UNPACKED as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_UNPACKED {
        return Err(Trouble::TooLarge);
    }
    match decoder.finish().len() {
        0 => Ok(bytes),
        left => Err(Trouble::Spare(left)),
    }
}

/// Of the whole blob but the place where it is written.
fn checksum(blob: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&blob[..2]);
    hasher.update(&blob[HEAD..]);
    hasher.finalize()
}
