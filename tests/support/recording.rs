//! The recorded incident: what a real kernel said of a real host, second by second (`tests/recordings/README.md`).

use twtop::{model::Sample, wire::pack::FileReader};

/// The recording as it lies in the repository.
pub(crate) const INCIDENT: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings/incident.twtop"));

/// Its samples, one for each second from 0 on.
///
/// # Panics
/// If the recording cannot be read.
pub(crate) fn incident() -> impl Iterator<Item = Sample> {
    let reader = FileReader::new(INCIDENT).expect("a recording");
    reader.map(|sample| sample.unwrap_or_else(|error| panic!("{error}")))
}
