//! Bytes that nobody wrote: an error, no panic, and no more memory than what was really there.

use std::sync::LazyLock;

use proptest::{prelude::*, sample::Index};
use twtop::wire::pack::{
    FileReader, Kind, MAX_UNPACKED, Packed, Packer, PartId, Shelf, Trouble, open, pack_numbered,
    pack_sockets, parts_of, seal, state_in, unpack_numbered, unpack_sockets,
};

use crate::{arbitrary::plain_sample, file, sorted};

/// A sample as it is before it is compressed, and the parts that it refers to.
static PACKED: LazyLock<Packed> = LazyLock::new(|| Packer::new().pack(&plain_sample()));

fn shelf() -> Shelf {
    let mut shelf = Shelf::new();
    for (id, part) in &PACKED.parts {
        shelf.put(*id, part).expect("a part");
    }
    shelf
}

/// Whatever is read, can be written and read again.
fn read(shelf: &Shelf, bytes: &[u8]) {
    let _ = parts_of(bytes);
    if let Ok(sample) = shelf.sample(bytes) {
        let packed = Packer::new().pack(&sample);
        let mut again = Shelf::new();
        for (id, part) in &packed.parts {
            again.put(*id, part).expect("a part");
        }
        assert_eq!(again.sample(&packed.sample), Ok(sorted(&sample)));
    }
}

#[test]
fn a_sample_cut_anywhere_is_an_error() {
    let (bytes, shelf) = (&PACKED.sample, shelf());
    for cut in 0..bytes.len() {
        shelf.sample(&bytes[..cut]).expect_err("it was cut");
    }
    assert!(shelf.sample(bytes).is_ok());
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(shelf.sample(&longer).expect_err("too long").trouble, Trouble::Spare(1));
}

#[test]
fn a_part_cut_anywhere_is_an_error() {
    for (id, part) in &PACKED.parts {
        for cut in 0..part.len() {
            Shelf::new().put(*id, &part[..cut]).expect_err("it was cut");
        }
    }
}

#[test]
fn every_byte_of_a_sample_may_be_another_one() {
    let shelf = shelf();
    for at in 0..PACKED.sample.len() {
        for other in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = PACKED.sample.clone();
            bytes[at] = other;
            read(&shelf, &bytes);
            // A number as large as there is, in place of any.
            bytes.splice(at..=at, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
            read(&shelf, &bytes);
        }
    }
}

#[test]
fn every_flipped_bit_of_a_blob_is_noticed() {
    let blob = pack_sockets(&plain_sample().sockets).expect("small");
    for bit in 0..blob.len() * 8 {
        let mut other = blob.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        unpack_sockets(&other).expect_err("a bit was flipped");
    }
    for cut in 0..blob.len() {
        unpack_sockets(&blob[..cut]).expect_err("it was cut");
    }
}

/// Whole to look at, and yet not what was written.
#[test]
fn numbered_sockets_of_any_bytes_are_read_or_refused() {
    let blob = pack_numbered(&plain_sample().sockets, &[7; 64]).expect("small");
    let bytes = open(Kind::Numbered, &blob).expect("whole");
    unpack_numbered(&blob).expect("whole");
    for cut in 0..bytes.len() {
        let cut = seal(Kind::Numbered, &bytes[..cut]).expect("small");
        unpack_numbered(&cut).expect_err("it was cut");
        let _ = state_in(&cut, 1);
    }
    for at in 0..bytes.len() {
        for other in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = other;
            let blob = seal(Kind::Numbered, &bytes).expect("small");
            if let Ok((table, numbers)) = unpack_numbered(&blob) {
                assert_eq!(table.len(), numbers.len());
            }
            for cookie in [0, 1, u64::MAX] {
                let _ = state_in(&blob, cookie);
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_file_is_noticed() {
    let bytes = file(&[plain_sample()]);
    for bit in 0..bytes.len() * 8 {
        let mut other = bytes.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        let read = FileReader::new(&other).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        assert!(read.is_err(), "bit {bit} was flipped");
    }
}

/// Few bytes that unpack to very many.
#[test]
fn what_swells_too_much_is_an_error() {
    let many = vec![0; MAX_UNPACKED + 1];
    let blob = seal(Kind::Sample, &many[1..]).expect("within the bound");
    assert!(blob.len() < 100_000, "{}", blob.len());
    assert_eq!(open(Kind::Sample, &blob).map(|bytes| bytes.len()), Ok(MAX_UNPACKED));
    assert_eq!(seal(Kind::Sample, &many).expect_err("too many").trouble, Trouble::TooLarge);
    let packed = zstd::bulk::compress(&many, 1).expect("memory does not fail");
    let error = open(Kind::Sample, &dressed(Kind::Sample, &packed)).expect_err("too many");
    assert_eq!(error.trouble, Trouble::TooLarge);
}

#[test]
fn what_follows_the_compressed_bytes_is_an_error() {
    let packed = [&seal(Kind::Sample, &PACKED.sample).expect("small")[6..], &[0]].concat();
    let error = open(Kind::Sample, &dressed(Kind::Sample, &packed)).expect_err("a byte too many");
    assert_eq!(error.trouble, Trouble::Spare(1));
}

/// A blob with a right checksum around anything.
fn dressed(kind: Kind, packed: &[u8]) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[1, kind as u8]);
    hasher.update(packed);
    [&[1, kind as u8], &hasher.finalize().to_le_bytes()[..], packed].concat()
}

proptest! {
    #[test]
    fn hostile_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read(&shelf(), &bytes);
        let _ = Shelf::new().put(PartId(0), &bytes);
        let _ = unpack_sockets(&bytes);
        let _ = unpack_sockets(&dressed(Kind::Sockets, &bytes));
        let _ = unpack_sockets(&seal(Kind::Sockets, &bytes).expect("small"));
        let file = [&b"\x97twtop\r\n"[..], &bytes].concat();
        prop_assert!(FileReader::new(&file).expect("a mark").last().is_some_and(|last| last.is_err()));
    }

    #[test]
    fn changed_samples_do_no_harm(changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..20)) {
        let mut bytes = PACKED.sample.clone();
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        read(&shelf(), &bytes);
    }

    /// The compression is not trusted either.
    #[test]
    fn changed_compression_does_no_harm(changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6)) {
        let mut packed = seal(Kind::Sample, &PACKED.sample).expect("small")[6..].to_vec();
        for (index, value) in changes {
            let index = index.index(packed.len());
            packed[index] = value;
        }
        if let Ok(bytes) = open(Kind::Sample, &dressed(Kind::Sample, &packed)) {
            read(&shelf(), &bytes);
        }
    }
}
