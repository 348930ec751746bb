//! What a process runs on, as far as advice depends on it.

use std::fmt;

/// The kinds of programs for which there is advice of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuntimeKind {
    /// A program built by the Go compiler.
    Go,
    /// nginx, or a server that calls itself so.
    Nginx,
    /// `HAProxy`.
    Haproxy,
    /// Envoy.
    Envoy,
    /// The Java virtual machine.
    Java,
    /// Node.js.
    Node,
    /// Python.
    Python,
}

/// What a process runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// Which kind.
    pub kind: RuntimeKind,
    /// Its version as the executable tells it (`1.24.2`); `None` if it does not. Hostile text.
    pub version: Option<String>,
}

impl RuntimeKind {
    /// The name for a person.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Go => "Go",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::Java => "Java",
            Self::Node => "Node.js",
            Self::Python => "Python",
        }
    }

    /// The kind of a file of that name, such as `python3.13`; `None` if the name does not tell.
    #[must_use]
    pub fn of_file(name: &str) -> Option<Self> {
        let family = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        Some(match family {
            "nginx" | "openresty" => Self::Nginx,
            "haproxy" => Self::Haproxy,
            "envoy" => Self::Envoy,
            "java" => Self::Java,
            "node" | "nodejs" => Self::Node,
            "python" | "pypy" => Self::Python,
            _ => return None,
        })
    }
}

impl Runtime {
    /// What name and command line tell of a process whose executable cannot be read any more.
    #[must_use]
    pub fn of_names(name: &str, command: &str) -> Option<Self> {
        let first = command.split(' ').next().unwrap_or_default();
        let file = first.trim_end_matches(':').rsplit('/').next().unwrap_or_default();
        let kind = RuntimeKind::of_file(file).or_else(|| RuntimeKind::of_file(name))?;
        Some(Self { kind, version: None })
    }

    /// Whether its version is at least the one given; `None` if the version is not known.
    #[must_use]
    pub fn is_at_least(&self, wanted: [u32; 3]) -> Option<bool> {
        let mut parts = self.version.as_deref()?.split('.').map(|part| part.parse::<u32>().ok());
        let mut part = || parts.next().map_or(Some(0), |part| part);
        Some([part()?, part()?, part()?] >= wanted)
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{} {version}", self.kind.name()),
            None => f.write_str(self.kind.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_they_can() {
        let kind = |name, command| Runtime::of_names(name, command).map(|runtime| runtime.kind);
        assert_eq!(kind("nginx", "nginx: worker process"), Some(RuntimeKind::Nginx));
        assert_eq!(kind("MainThread", "/usr/bin/node /srv/x.js"), Some(RuntimeKind::Node));
        assert_eq!(kind("python3.13", ""), Some(RuntimeKind::Python));
        assert_eq!(kind("worker", "/opt/worker --python"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        let nginx = |version: &str| Runtime { kind: RuntimeKind::Nginx, version: Some(version.to_owned()) };
        assert_eq!(nginx("1.29.7").is_at_least([1, 29, 7]), Some(true));
        assert_eq!(nginx("1.9.15").is_at_least([1, 29, 7]), Some(false));
        assert_eq!(nginx("1.30").is_at_least([1, 29, 7]), Some(true));
        assert_eq!(nginx("x").is_at_least([1, 29, 7]), None);
        assert_eq!(Runtime { version: None, ..nginx("") }.is_at_least([1, 0, 0]), None);
    }
}
