//! What changed since the mark.

use crate::{
    HEIGHT, LARGE, SMALL,
    incident::Incident,
    stage::{BOUND, Stage},
};

/// The least that can be used.
const TINY: (u16, u16) = (60, 16);

/// So many seconds before the end the mark is set.
const AGO: u32 = 40;

/// A stage at the height of the incident, on which the moment of [`AGO`] seconds before is marked, after `keys`.
fn marked((width, height): (u16, u16), bound: usize, keys: &str) -> Stage {
    let mut incident = Incident::new();
    let mut stage = Stage::keeping(bound, &mut incident, HEIGHT - AGO, (width, height));
    stage.keys("m");
    for _ in 0..AGO {
        stage.sample(incident.sample());
    }
    stage.keys(keys);
    stage
}

/// Holds what `stage` shows against the snapshot of that name, among those of the other screens.
fn assert_screen(name: &str, stage: &Stage) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, stage.text()));
}

#[test]
fn every_view_tells_what_changed_since_the_mark() {
    for (size, at) in [(TINY, "60x16"), (SMALL, "80x24"), (LARGE, "160x45")] {
        let mut stage = marked(size, BOUND, "");
        for (name, keys) in [
            ("overview", "1"),
            ("sockets", "2"),
            ("processes", "3"),
            ("peers", "4"),
            ("ports", "5"),
            ("findings", "6"),
            ("kernel", "7"),
        ] {
            stage.keys(keys);
            assert_screen(&format!("{name}-{at}"), &stage);
        }
        stage.keys("1c");
        assert_screen(&format!("only-changed-{at}"), &stage);
    }
}
