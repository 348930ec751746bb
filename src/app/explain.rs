//! `twtop explain`: what a finding, a state or a setting means.

use super::{RunError, export_file::to_stdout};
use crate::{
    export,
    findings::Topic,
    model::text::printable,
    query::{nearest_name, state_named},
};

/// At most so many names are offered for one that is not known.
const OFFERED: usize = 4;

/// Writes the topic that is asked for, or which there are.
pub(super) fn run(asked: Option<&str>) -> Result<(), RunError> {
    let Some(asked) = asked else { return to_stdout(&mut |out| export::write_topics(out)) };
    let topic = topic(asked).ok_or_else(|| unknown(asked))?;
    to_stdout(&mut |out| export::write_topic(topic, out))
}

/// The topic of that name; a state in every spelling that filters know.
fn topic(asked: &str) -> Option<&'static Topic> {
    Topic::named(asked).or_else(|| Topic::of_state(state_named(asked)?))
}

fn unknown(asked: &str) -> RunError {
    RunError::NoTopic { asked: printable(asked).into_owned(), near: near(asked) }
}

/// The names most like it: those that it is a part of, and the one that differs in the fewest letters.
fn near(asked: &str) -> String {
    let fold = |text: &str| text.to_ascii_lowercase().replace(['_', ' '], "-");
    let asked = fold(asked);
    let all = || Topic::all().iter().map(Topic::short);
    let mut near: Vec<&str> = nearest_name(&asked, all()).into_iter().collect();
    if asked.len() >= 3 {
        near.extend(all().filter(|name| fold(name).contains(&asked)));
    }
    let mut seen = Vec::new();
    near.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    near.truncate(OFFERED);
    if near.is_empty() { String::new() } else { format!("did you mean {}? ", near.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sysctls::SysctlReader;

    #[test]
    fn every_setting_that_is_read_is_explained() {
        let missing: Vec<String> = SysctlReader::names().filter(|name| topic(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(SysctlReader::names().count() > 30);
    }

    #[test]
    fn states_have_the_names_of_the_filter_language() {
        for (asked, name) in [("tw", "TIME_WAIT"), ("estab", "ESTABLISHED"), ("fin_wait_1", "FIN_WAIT1")] {
            assert_eq!(topic(asked).map(|topic| topic.name), Some(name));
        }
        assert!(topic("connected").is_none(), "a group of states is no topic");
    }

    #[test]
    fn what_is_not_known_is_answered_with_names_that_are() {
        assert_eq!(near("time-weit"), "did you mean TIME_WAIT? ");
        assert!(near("keepalive").contains("no-keepalive, tcp_keepalive_intvl"), "{}", near("keepalive"));
        assert_eq!(near("tcp_tw_reus"), "did you mean tcp_tw_reuse, tcp_tw_reuse_delay? ");
        assert_eq!(near("zzzzzzzzz"), "");
    }
}
