//! What is said where there is nothing to show, or only a part of it.

use super::{LARGE, SMALL, after_keys};

#[test]
fn a_filter_that_keeps_no_client_does_not_mean_that_no_port_is_taken() {
    for size in [SMALL, (120, 40), LARGE] {
        let text = after_keys(size, "5/side:server<Enter>").text();
        assert!(text.contains("None of what the filter keeps takes a port."), "{text}");
        assert!(!text.contains("No destination takes a port."), "{text}");
        assert!(text.contains("unfiltered"), "the range is of all: {text}");
    }
}

#[test]
fn notes_are_whole_or_not_there() {
    for width in 80..200 {
        let text = after_keys((width, 45), "").text();
        assert!(!text.contains("grey: at") || text.contains("grey: at least"), "{text}");
        assert!(!text.contains("on loopback") || text.contains("on loopback both ends count"), "{text}");
    }
}
