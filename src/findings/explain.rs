//! Texts that explain: every finding, every state, every setting, and some topics beside them.
//!
//! The texts lie in `assets/explain`, no wider than 80 columns. A line `== name | other name, …` begins one; the line after it says
//! in a sentence what it is.

use std::{collections::HashMap, sync::LazyLock};

use crate::model::TcpState;

/// What is explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// What kind of thing it is.
    pub kind: TopicKind,
    /// Its name: a finding's id, the kernel's name of a state, a setting as `sysctl` prints it.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: Vec<&'static str>,
    /// What it is, in one line.
    pub line: &'static str,
    /// The text, in plain ASCII, without a line break at its end.
    pub text: &'static str,
}

/// The kinds of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// A pattern that `twtop diagnose` finds.
    Finding,
    /// A TCP state.
    State,
    /// A setting of the kernel.
    Setting,
    /// Anything else.
    Other,
}

impl TopicKind {
    /// Every kind, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Finding, Self::State, Self::Setting, Self::Other];

    /// What it is called: `finding`, `state`, `setting`, `topic`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::State => "state",
            Self::Setting => "setting",
            Self::Other => "topic",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::Finding => include_str!("../../assets/explain/findings.txt"),
            Self::State => include_str!("../../assets/explain/states.txt"),
            Self::Setting => include_str!("../../assets/explain/sysctls.txt"),
            Self::Other => include_str!("../../assets/explain/topics.txt"),
        }
    }
}

impl Topic {
    /// Every topic, by kind.
    #[must_use]
    pub fn all() -> &'static [Self] {
        static TOPICS: LazyLock<Vec<Topic>> = LazyLock::new(|| {
            TopicKind::ALL.into_iter().flat_map(|kind| topics(kind, kind.source())).collect()
        });
        &TOPICS
    }

    /// The topic of that name, in whatever case, with `-`, `_` or nothing between the words; settings also without
    /// what stands before their last dot, and with slashes.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        static NAMED: LazyLock<HashMap<String, &Topic>> = LazyLock::new(|| {
            let names = |topic: &'static Topic| topic.names().map(move |name| (fold(name), topic));
            Topic::all().iter().flat_map(names).collect()
        });
        NAMED.get(&fold(name)).copied()
    }

    /// The topic of a state.
    #[must_use]
    pub fn of_state(state: TcpState) -> Option<&'static Self> {
        Self::all().iter().find(|topic| topic.kind == TopicKind::State && topic.name == state.name())
    }

    /// Every name that it has, the best first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name, self.short()].into_iter().chain(self.aliases.iter().copied())
    }

    /// Its name without what stands before the last dot.
    #[must_use]
    pub fn short(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}

/// A name without what does not tell it from others.
fn fold(name: &str) -> String {
    let kept = name.trim().chars().filter(|c| !matches!(c, '-' | '_' | ' '));
    kept.map(|c| if c == '/' { '.' } else { c.to_ascii_lowercase() }).collect()
}

/// The topics that a file has.
fn topics(kind: TopicKind, source: &'static str) -> Vec<Topic> {
    let parts = source.trim_start_matches("== ").split("\n== ");
    let topic = |part: &'static str| {
        let (head, text) = part.split_once('\n')?;
        let (name, aliases) = head.split_once(" | ").unwrap_or((head, ""));
        let text = text.trim_end();
        Some(Topic {
            kind,
            name,
            aliases: aliases.split(", ").filter(|alias| !alias.is_empty()).collect(),
            line: text.lines().next().unwrap_or_default(),
            text,
        })
    };
    parts.filter_map(topic).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;
    use crate::findings::FindingId;

    #[test]
    fn every_finding_and_every_state_is_explained_and_nothing_else() {
        let of = |kind| Topic::all().iter().filter(move |topic| topic.kind == kind).map(|topic| topic.name);
        assert_eq!(of(TopicKind::Finding).collect::<Vec<_>>(), FindingId::ALL.map(FindingId::name));
        let states: BTreeSet<_> = of(TopicKind::State).collect();
        assert_eq!(states, TcpState::ALL.map(TcpState::name).into_iter().collect());
    }

    #[test]
    fn no_name_stands_for_two_topics() {
        let mut names = BTreeSet::new();
        for topic in Topic::all() {
            let own: BTreeSet<_> = topic.names().map(fold).collect();
            for name in own {
                assert!(names.insert(name.clone()), "{name}");
            }
        }
    }

    #[test]
    fn a_text_fits_a_narrow_terminal_and_refers_to_what_is_there() {
        for topic in Topic::all() {
            assert!(
                topic.text.is_ascii() && topic.text.lines().all(|line| line.len() <= 80),
                "{}",
                topic.name
            );
            assert!(topic.line.ends_with('.') && topic.text.lines().count() > 5, "{}", topic.name);
            let Some((_, see)) = topic.text.split_once("\nSee also\n") else { continue };
            for name in see.split([',', '\n']).map(str::trim) {
                let other = Topic::named(name).unwrap_or_else(|| panic!("{}: {name}", topic.name));
                assert!(!std::ptr::eq(topic, other), "{}", topic.name);
            }
        }
    }

    #[test]
    fn every_setting_that_a_finding_mentions_is_explained() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/findings");
        let mut mentioned = BTreeSet::new();
        for file in fs::read_dir(folder).expect("the folder is there") {
            let text = fs::read_to_string(file.expect("readable").path()).expect("UTF-8");
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'));
            let begins = ["net.ipv4.", "net.core.", "net.netfilter.", "fs.", "nf_conntrack_"];
            mentioned.extend(
                words
                    .map(|word| word.trim_end_matches('.'))
                    .filter(|word| begins.iter().any(|begin| word.starts_with(begin) && word != begin))
                    .map(str::to_owned),
            );
        }
        mentioned.retain(|word| !word.ends_with(['.', '_']) && !word.starts_with("fs.rs"));
        assert!(mentioned.len() > 15, "{mentioned:?}");
        let missing: Vec<_> = mentioned.iter().filter(|name| Topic::named(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn names_are_understood_in_every_spelling() {
        for (typed, name) in [
            ("time-wait", "TIME_WAIT"),
            ("TimeWait", "TIME_WAIT"),
            ("FIN_WAIT2", "FIN_WAIT2"),
            ("fin-wait-2", "FIN_WAIT2"),
            ("tcp_tw_reuse", "net.ipv4.tcp_tw_reuse"),
            ("net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_tw_reuse"),
            ("net/ipv4/tcp-tw-reuse", "net.ipv4.tcp_tw_reuse"),
            ("SO_LINGER", "so-linger"),
            ("Time-Wait-Client", "time-wait-client"),
            ("myths", "folklore"),
        ] {
            assert_eq!(Topic::named(typed).map(|topic| topic.name), Some(name), "{typed}");
        }
        assert_eq!(Topic::named("net.ipv4"), None);
        assert_eq!(Topic::named(""), None);
    }
}
