//! Samples as bytes, to be kept: the sockets of the past in memory, whole samples in a recording.
//!
//! Things that do not know of each other:
//!
//! - *the past on screen*: [`pack_numbered`] and [`unpack_numbered`] for a table of sockets with a number beside each, and
//!   [`state_in`] for a look into it. The store keeps old moments so, and is handed these functions by the wiring
//!   ([`crate::app::SOCKET_CODEC`]);
//! - *what is written*: [`pack_sockets`] and [`unpack_sockets`] for a table of sockets, [`Packer`] and [`Shelf`] for a whole
//!   sample. A sample refers by number to parts that do not change from one to the next (the host, settings, processes, names
//!   of counters), and can be read whenever those parts are at hand. [`parts_of`] says which they are. [`seal`] makes a
//!   compressed blob with a checksum out of either, [`open`] reads it: rows of a database would be such blobs;
//! - *how samples follow one another in one file*: [`FileWriter`], [`FileReader`].
//!
//! Recordings and the past are all that uses them. Nothing is lost but the order of a table's sockets: see [`pack_sockets`].
//!
//! All bytes are taken for hostile. Those that were not written by this version of the codec are an error that says what it
//! did not understand and where; memory is only taken for what was really unpacked, and never for a length that is only
//! declared.
//!
//! # The form
//!
//! A blob is a version, a kind, a CRC-32 of all but itself, and a zstd frame. zstd rather than LZ4, which is faster, because
//! columns of small differences have few distinct bytes and hardly ever a sequence that repeats: it takes an entropy coder to
//! make them small. A blob of another version is refused; whoever changes what is written counts [`VERSION`] up and reads both.

mod blob;
mod bytes;
mod columns;
mod details;
mod error;
mod events;
mod file;
mod keep;
mod parts;
mod sample;
mod sockets;

pub use blob::{Kind, MAX_UNPACKED, VERSION, open, seal};
pub use error::{PackError, Trouble};
pub use file::{FileError, FileReader, FileWriter, MAGIC};
pub use keep::Shelf;
pub use parts::PartId;
pub use sample::{Packed, Packer, parts_of};

use crate::model::{SocketTable, TcpState};

/// A table of sockets as a blob. A `TIME_WAIT` takes two to four bytes.
///
/// Sockets come back in the order of their cookies, and equal cookies in that of the table. What holders a socket has is kept
/// as the index that it is.
///
/// # Errors
/// If there are more than some ten million sockets ([`MAX_UNPACKED`]).
pub fn pack_sockets(table: &SocketTable) -> Result<Vec<u8>, PackError> {
    let mut out = bytes::Out::default();
    sockets::write(&mut out, table);
    seal(Kind::Sockets, &out.into_bytes())
}

/// The table of a blob.
///
/// # Errors
/// If it is damaged, of another version, or no table.
pub fn unpack_sockets(blob: &[u8]) -> Result<SocketTable, PackError> {
    let unpacked = open(Kind::Sockets, blob)?;
    let mut input = bytes::In::new(&unpacked);
    let table = sockets::read(&mut input, None)?;
    input.end("a table of sockets")?;
    Ok(table)
}

/// As [`pack_sockets`], with a number for each socket, in the order of the table. Small ones take less than a byte.
///
/// # Errors
/// As [`pack_sockets`].
pub fn pack_numbered(table: &SocketTable, numbers: &[u32]) -> Result<Vec<u8>, PackError> {
    let order = sockets::order(table);
    let (mut out, mut column) = (bytes::Out::default(), bytes::Out::default());
    sockets::write_in(&mut out, table, &order);
    for (_, index) in order {
        column.number(numbers.get(index).copied().unwrap_or_default().into());
    }
    out.block(&column.into_bytes());
    seal(Kind::Numbered, &out.into_bytes())
}

/// The table of a blob, and the number of each socket, in the same order.
///
/// # Errors
/// As [`unpack_sockets`].
pub fn unpack_numbered(blob: &[u8]) -> Result<(SocketTable, Vec<u32>), PackError> {
    let unpacked = open(Kind::Numbered, blob)?;
    let mut input = bytes::In::new(&unpacked);
    let table = sockets::read(&mut input, None)?;
    let mut column = input.block("numbers")?;
    let numbers = (0..table.len()).map(|_| column.narrow("number")).collect::<Result<_, _>>()?;
    column.end("numbers")?;
    input.end("a table of sockets")?;
    Ok((table, numbers))
}

/// The state of the socket with that cookie in a blob of [`pack_numbered`], `None` if there is none. Reads two columns only.
///
/// # Errors
/// As [`unpack_sockets`], as far as it reads.
pub fn state_in(blob: &[u8], cookie: u64) -> Result<Option<TcpState>, PackError> {
    sockets::state_of(&mut bytes::In::new(&open(Kind::Numbered, blob)?), cookie)
}
