//! The `pack` tier: samples to bytes and back; and bytes that nobody wrote.

#[path = "pack/arbitrary.rs"]
mod arbitrary;
#[path = "pack/hostile.rs"]
mod hostile;
#[path = "support/recording.rs"]
mod recording;
#[path = "pack/size.rs"]
mod size;
#[path = "pack/story.rs"]
mod story;

use arbitrary::{any_sample, any_table};
use proptest::prelude::*;
use twtop::{
    model::{Counters, Detail, Limit, NewSocket, Sample, SocketTable},
    wire::pack::{
        FileError, FileReader, FileWriter, Kind, Packer, Shelf, Trouble, open, pack_numbered, pack_sockets,
        parts_of, seal, state_in, unpack_numbered, unpack_sockets,
    },
};

/// The table in the order in which it comes back.
fn by_cookie(table: &SocketTable) -> SocketTable {
    let mut sockets: Vec<_> = table.iter().collect();
    sockets.sort_by_key(|socket| socket.row().cookie);
    let mut sorted = SocketTable::new();
    for socket in sockets {
        sorted.push_from(socket);
    }
    sorted
}

fn sorted(sample: &Sample) -> Sample {
    Sample { sockets: by_cookie(&sample.sockets), ..sample.clone() }
}

/// A file of these samples.
fn file(samples: &[Sample]) -> Vec<u8> {
    let mut writer = FileWriter::new();
    let mut bytes = FileWriter::begin().to_vec();
    for sample in samples {
        bytes.extend(writer.push(sample).expect("small"));
    }
    bytes.extend(FileWriter::end().expect("an end"));
    bytes
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    prop::collection::vec(any_sample(), 0..4)
}

proptest! {
    #[test]
    fn tables_come_back(table in any_table(9)) {
        let packed = pack_sockets(&table).expect("small");
        prop_assert_eq!(unpack_sockets(&packed), Ok(by_cookie(&table)));
    }

    #[test]
    fn numbered_tables_come_back(table in any_table(9), seed: u32) {
        let number = |cookie: u64| seed.rotate_left(u32::try_from(cookie % 31).expect("few"));
        let numbers = |table: &SocketTable| -> Vec<u32> {
            table.rows().iter().map(|row| number(row.cookie)).collect()
        };
        let packed = pack_numbered(&table, &numbers(&table)).expect("small");
        let back = by_cookie(&table);
        let expected = numbers(&back);
        for row in back.rows() {
            let first = back.rows().iter().find(|other| other.cookie == row.cookie).expect("itself");
            prop_assert_eq!(state_in(&packed, row.cookie), Ok(Some(first.state)));
            let other = row.cookie ^ 1;
            if back.rows().iter().all(|row| row.cookie != other) {
                prop_assert_eq!(state_in(&packed, other), Ok(None));
            }
        }
        prop_assert_eq!(unpack_numbered(&packed), Ok((back, expected)));
    }

    /// Each with no more than the parts that it refers to.
    #[test]
    fn samples_come_back_with_their_own_parts_alone(samples in samples()) {
        let mut packer = Packer::new();
        let mut parts = Vec::new();
        for sample in &samples {
            let packed = packer.pack(sample);
            parts.extend(packed.parts);
            let wanted = parts_of(&packed.sample).expect("a sample");
            let mut shelf = Shelf::new();
            for (id, part) in parts.iter().filter(|(id, _)| wanted.contains(id)) {
                shelf.put(*id, part).expect("a part");
            }
            prop_assert_eq!(shelf.sample(&packed.sample), Ok(sorted(sample)));
        }
    }

    #[test]
    fn files_come_back(samples in samples()) {
        let bytes = file(&samples);
        let read: Result<Vec<_>, _> = FileReader::new(&bytes).expect("a file").collect();
        prop_assert_eq!(read, Ok(samples.iter().map(sorted).collect::<Vec<_>>()));
    }

    /// The same samples make the same bytes, so that recordings can be compared.
    #[test]
    fn packing_is_a_function(samples in samples()) {
        let again: Vec<_> = samples.iter().map(sorted).collect();
        prop_assert_eq!(file(&samples), file(&again));
    }
}

#[test]
fn what_stays_the_same_is_written_once() {
    let sample = arbitrary::plain_sample();
    let mut packer = Packer::new();
    let first = packer.pack(&sample);
    assert_eq!(first.parts.len(), 6, "host, privileges, settings, counters, a process, one of the trace");
    assert!(packer.pack(&sample).parts.is_empty());
    let moved = Sample { counters: Counters::new(vec![("TcpExtTW".into(), 9)]), ..sample.clone() };
    assert!(packer.pack(&moved).parts.is_empty(), "values are not names");
    let more = Counters::new(vec![("TcpExtTW".into(), 9), ("TcpExtNew".into(), 1)]);
    assert_eq!(packer.pack(&Sample { counters: more, ..sample }).parts.len(), 1);
}

#[test]
fn parts_that_nobody_uses_are_forgotten_and_given_out_anew() {
    let sample = arbitrary::plain_sample();
    let without =
        Sample { processes: vec![], holders: vec![], sockets: SocketTable::new(), ..sample.clone() };
    let mut packer = Packer::new();
    let first = packer.pack(&sample).parts.len();
    for _ in 0..100 {
        assert!(packer.pack(&without).parts.is_empty());
    }
    assert!(packer.pack(&sample).parts.is_empty(), "a minute is not long");
    for _ in 0..200 {
        packer.pack(&without);
    }
    let again = packer.pack(&sample).parts;
    assert_eq!(again.len(), 1, "of {first}, the process");
    assert!(again[0].0.0 >= first as u64, "under a number of its own");
}

#[test]
fn a_limit_that_this_twtop_does_not_know_is_kept() {
    let mut sample = arbitrary::plain_sample();
    sample.limits.insert("quic_streams".to_owned().into(), Limit { value: 3, max: 4 });
    let bytes = file(std::slice::from_ref(&sample));
    let read = FileReader::new(&bytes).expect("a file").next().expect("a sample").expect("whole");
    assert_eq!(read.limits.get("quic_streams"), Some(&Limit { value: 3, max: 4 }));
}

#[test]
fn a_file_cut_anywhere_yields_what_is_whole_and_says_that_it_was_cut() {
    let samples: Vec<_> = (0..3).map(|number| Sample { number, ..arbitrary::plain_sample() }).collect();
    let bytes = file(&samples);
    let ends: Vec<usize> =
        (0..=3).map(|n| file(&samples[..n]).len() - FileWriter::end().expect("an end").len()).collect();
    for cut in 8..bytes.len() {
        let mut read: Vec<_> = FileReader::new(&bytes[..cut]).expect("a file").collect();
        let whole = ends[1..].iter().filter(|end| **end <= cut).count();
        let error = read.pop().expect("an end").expect_err("it was cut");
        assert_eq!(error, FileError::Cut { at: ends[whole], samples: whole }, "cut at {cut}");
        assert_eq!(read.len(), whole, "cut at {cut}");
        assert!(read.iter().zip(&samples).all(|(read, sample)| read.as_ref() == Ok(sample)));
    }
    for cut in 0..8 {
        assert_eq!(FileReader::new(&bytes[..cut]).err(), Some(FileError::NotARecording));
    }
}

#[test]
fn errors_say_what_and_where() {
    let sample = arbitrary::plain_sample();
    let mut blob = pack_sockets(&sample.sockets).expect("small");
    assert_eq!(open(Kind::Sample, &blob).expect_err("another kind").trouble, Trouble::Unknown(1));
    blob[0] = 7;
    let said = unpack_sockets(&blob).expect_err("another version").to_string();
    assert_eq!(said, "packed sockets, byte 0: of version 7; this twtop reads version 1");
    blob[0] = 1;
    *blob.last_mut().expect("not empty") ^= 1;
    let said = unpack_sockets(&blob).expect_err("damaged").to_string();
    assert_eq!(said, "packed sockets, byte 2: damaged, the checksum does not match");
    let packed = Packer::new().pack(&sample);
    let said = Shelf::new().sample(&packed.sample).expect_err("no parts").to_string();
    assert!(said.ends_with("part 3 is missing"), "{said}");
}

#[test]
fn whoever_holds_a_socket_is_one_of_those_that_there_are() {
    let mut sample = arbitrary::plain_sample();
    sample.holders.clear();
    let packed = Packer::new().pack(&sample);
    let mut shelf = Shelf::new();
    for (id, part) in &packed.parts {
        shelf.put(*id, part).expect("a part");
    }
    let error = shelf.sample(&packed.sample).expect_err("a set that is not there");
    assert_eq!((error.what, error.trouble), ("holders", Trouble::TooLarge));
}

/// Blobs for a database: each can be opened by itself.
#[test]
fn sealed_samples_and_parts_open_by_themselves() {
    let sample = arbitrary::plain_sample();
    let packed = Packer::new().pack(&sample);
    let mut shelf = Shelf::new();
    for (id, part) in &packed.parts {
        let blob = seal(Kind::Part, part).expect("small");
        shelf.put(*id, &open(Kind::Part, &blob).expect("whole")).expect("a part");
    }
    let blob = seal(Kind::Sample, &packed.sample).expect("small");
    assert_eq!(shelf.sample(&open(Kind::Sample, &blob).expect("whole")), Ok(sample));
}

/// Rows of which some were taken out again.
#[test]
fn details_of_sockets_that_are_gone_are_not_written() {
    let rows: Vec<(NewSocket, Option<Detail>)> = arbitrary::plain_rows(6);
    let mut table = SocketTable::new();
    for (new, detail) in &rows {
        table.push(new, *detail);
    }
    table.retain(|row| row.cookie % 2 == 0);
    let back = unpack_sockets(&pack_sockets(&table).expect("small")).expect("whole");
    assert_eq!(back, by_cookie(&table));
    assert!(back.len() < rows.len());
}
