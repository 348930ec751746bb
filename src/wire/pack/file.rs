//! Samples in one file: what a recording for tests is, and anything that is written and read from front to back.
//!
//! ```text
//! magic (8 bytes) | length (4 bytes, little endian) blob | length blob | … | length blob (the end)
//! ```
//!
//! Each blob but the last is one sample with the parts that are new with it, packed in view of the frame before: what stays
//! the same from one sample to the next costs next to nothing. The price is that a file is read from its beginning on.

use super::{
    blob::{Kind, open_after, seal_after},
    bytes::{In, Out},
    error::{PackError, Result, Trouble},
    keep::Shelf,
    parts::PartId,
    sample::Packer,
};
use crate::model::Sample;

/// The first bytes of a file. A transfer as text destroys them, and so is noticed.
pub const MAGIC: [u8; 8] = *b"\x97twtop\r\n";

/// The bytes before a blob.
const LENGTH: usize = 4;

/// Writes a file, piece by piece. All pieces in their order are the file.
#[derive(Debug, Default)]
pub struct FileWriter {
    packer: Packer,
    before: Vec<u8>,
}

impl FileWriter {
    /// One that has written nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The first piece.
    #[must_use]
    pub const fn begin() -> [u8; 8] {
        MAGIC
    }

    /// The piece with the next sample.
    ///
    /// # Errors
    /// If the sample is too large.
    pub fn push(&mut self, sample: &Sample) -> Result<Vec<u8>> {
        let packed = self.packer.pack(sample);
        let mut out = Out::default();
        out.count(packed.parts.len());
        for (id, part) in &packed.parts {
            out.number(id.0);
            out.block(part);
        }
        out.bytes(&packed.sample);
        let frame = out.into_bytes();
        let blob = seal_after(Kind::Frame, &frame, &self.before)?;
        self.before = frame;
        piece(&blob)
    }

    /// The last piece. A file without it was cut.
    ///
    /// # Errors
    /// None that is known of.
    pub fn end() -> Result<Vec<u8>> {
        piece(&seal_after(Kind::End, &[], &[])?)
    }
}

fn piece(blob: &[u8]) -> Result<Vec<u8>> {
    let too_large = PackError { what: "packed frame", at: blob.len(), trouble: Trouble::TooLarge };
    let length = u32::try_from(blob.len()).map_err(|_| too_large)?;
    Ok([&length.to_le_bytes(), blob].concat())
}

/// Why a file cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is no such file.
    #[error("not a recording: it does not begin with the mark of one")]
    NotARecording,
    /// It ends in the middle, as when the recorder was killed or the disk was full.
    #[error("the recording is cut short at byte {at}, after {samples} samples")]
    Cut {
        /// Bytes that could be read.
        at: usize,
        /// Samples that could be read.
        samples: usize,
    },
    /// It goes on after its end.
    #[error("{0} bytes follow the end of the recording")]
    Spare(usize),
    /// A frame cannot be read.
    #[error("sample {sample} of the recording, at byte {at}: {source}")]
    Frame {
        /// Which sample, from 0.
        sample: usize,
        /// Where its frame begins.
        at: usize,
        /// What is wrong with it.
        source: PackError,
    },
}

/// Reads a file: every whole sample, then an error unless the file ends as it should.
#[derive(Debug)]
pub struct FileReader<'a> {
    rest: &'a [u8],
    at: usize,
    samples: usize,
    shelf: Shelf,
    before: Vec<u8>,
    is_over: bool,
}

impl<'a> FileReader<'a> {
    /// A reader of the bytes of a file.
    ///
    /// # Errors
    /// If they do not begin as such a file does.
    pub fn new(bytes: &'a [u8]) -> Result<Self, FileError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(FileError::NotARecording)?;
        let (shelf, before) = (Shelf::new(), Vec::new());
        Ok(Self { rest, at: MAGIC.len(), samples: 0, shelf, before, is_over: false })
    }

    fn read(&mut self) -> Result<Option<Sample>, FileError> {
        let (at, sample) = (self.at, self.samples);
        let blob = self.blob().ok_or(FileError::Cut { at, samples: sample })?;
        let frame = |source| FileError::Frame { sample, at, source };
        if Kind::of(blob) == Some(Kind::End) {
            open_after(Kind::End, blob, &[]).map_err(frame)?;
            return if self.rest.is_empty() { Ok(None) } else { Err(FileError::Spare(self.rest.len())) };
        }
        let bytes = open_after(Kind::Frame, blob, &self.before).map_err(frame)?;
        let sample = self.sample(&bytes).map_err(frame)?;
        (self.before, self.samples) = (bytes, self.samples + 1);
        Ok(Some(sample))
    }

    /// The next blob, if it is whole.
    fn blob(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<LENGTH>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (blob, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        self.at += LENGTH + length;
        Some(blob)
    }

    fn sample(&mut self, frame: &[u8]) -> Result<Sample> {
        let mut input = In::new(frame);
        for _ in 0..input.count("parts")? {
            let id = PartId(input.number("a part's number")?);
            self.shelf.put(id, input.block("a part")?.rest())?;
        }
        self.shelf.sample(input.rest())
    }
}

impl Iterator for FileReader<'_> {
    type Item = Result<Sample, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let read = self.read();
        self.is_over = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}
