//! Network namespaces: which one the thread is in, and entering another.

use std::{fmt, fs, io, os::fd::AsFd as _, os::unix::fs::MetadataExt as _, path::PathBuf, str::FromStr};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::model::text::printable;

/// Where `ip netns add` keeps names (ip-netns(8)).
const NAMED: &str = "/run/netns";

/// Which network namespace to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NetnsChoice {
    /// The one this process was started in.
    #[default]
    SelfNs,
    /// That of a process.
    Pid(u32),
    /// One with a name in `/run/netns`.
    Name(String),
}

/// Why a network namespace cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// Not something that names a namespace.
    #[error("\"{}\" is no network namespace: give self, a PID, or a name as listed by `ip netns`", printable(.0))]
    Invalid(String),
    /// There is none, or it may not be opened.
    #[error("cannot open the network namespace {choice}: {error}")]
    Open {
        /// Which.
        choice: NetnsChoice,
        /// Why.
        error: io::Error,
    },
    /// There is a file of that name, but it is something else, such as one that was left behind by an unmounted namespace.
    #[error("{choice} is not a network namespace")]
    NotNamespace {
        /// Which.
        choice: NetnsChoice,
    },
    /// Our own namespace cannot be told.
    #[error("cannot read /proc/thread-self/ns/net: {0} (is /proc mounted?)")]
    Proc(io::Error),
    /// It may not be entered.
    #[error("cannot enter the network namespace {choice}: {error} (this needs CAP_SYS_ADMIN)")]
    Enter {
        /// Which.
        choice: NetnsChoice,
        /// Why.
        error: io::Error,
    },
}

/// `self`, a number, or a name that is safe to show.
impl fmt::Display for NetnsChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfNs => f.write_str("self"),
            Self::Pid(pid) => write!(f, "of process {pid}"),
            Self::Name(name) => write!(f, "\"{}\"", printable(name)),
        }
    }
}

/// Reads `self`, a PID, or a name. A name is one component of a path: no slash, not `.` or `..`.
impl FromStr for NetnsChoice {
    type Err = NetnsError;

    fn from_str(text: &str) -> Result<Self, NetnsError> {
        if text == "self" {
            return Ok(Self::SelfNs);
        }
        if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            return text.parse().map(Self::Pid).map_err(|_| NetnsError::Invalid(text.to_owned()));
        }
        let is_name = !matches!(text, "" | "." | "..") && !text.contains(['/', '\0']);
        is_name.then(|| Self::Name(text.to_owned())).ok_or_else(|| NetnsError::Invalid(text.to_owned()))
    }
}

/// The inode of the calling thread's network namespace, as in `/proc/PID/ns/net`.
///
/// # Errors
/// If `/proc` is not there.
pub fn current() -> io::Result<u64> {
    Ok(fs::metadata("/proc/thread-self/ns/net")?.ino())
}

/// Moves the calling thread into the namespace `choice` and returns its inode. Only this thread moves: its netlink sockets,
/// `/proc/thread-self/net` and `/proc/sys/net` are those of the namespace from then on.
///
/// # Errors
/// If there is no such namespace, or it may not be entered. Nothing has changed then.
pub fn enter(choice: &NetnsChoice) -> Result<u64, NetnsError> {
    let open = |error| NetnsError::Open { choice: choice.clone(), error };
    // Asked first: without /proc nothing else works either, and the reason should be told.
    let own = current().map_err(NetnsError::Proc)?;
    let path: PathBuf = match choice {
        NetnsChoice::SelfNs => return Ok(own),
        NetnsChoice::Pid(pid) => format!("/proc/{pid}/ns/net").into(),
        NetnsChoice::Name(name) => match name.parse()? {
            NetnsChoice::Name(name) => [NAMED, &name].iter().collect(),
            _ => return Err(NetnsError::Invalid(name.clone())),
        },
    };
    // Without waiting: a pipe of that name would never open.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let namespace: fs::File =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|error| open(error.into()))?.into();
    let inode = namespace.metadata().map_err(open)?.ino();
    // Entering needs privilege even where one already is.
    if own != inode {
        enter_file(&namespace, choice)?;
    }
    Ok(inode)
}

fn enter_file(namespace: &fs::File, choice: &NetnsChoice) -> Result<(), NetnsError> {
    let network = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(namespace.as_fd(), network).map_err(|error| match error {
        // setns(2): the descriptor is of no namespace, or of one of another kind.
        Errno::INVAL => NetnsError::NotNamespace { choice: choice.clone() },
        error => NetnsError::Enter { choice: choice.clone(), error: error.into() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_typed() {
        let read = |text: &str| text.parse::<NetnsChoice>().ok();
        assert_eq!(read("self"), Some(NetnsChoice::SelfNs));
        assert_eq!(read("123"), Some(NetnsChoice::Pid(123)));
        assert_eq!(read("blue"), Some(NetnsChoice::Name("blue".to_owned())));
        assert_eq!(read("..a"), Some(NetnsChoice::Name("..a".to_owned())));
        for text in ["", ".", "..", "../x", "a/b", "/proc/1/ns/net", "99999999999", "a\0b"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_that_would_leave_its_directory_is_refused_also_when_made_by_hand() {
        for name in ["../../proc/self/ns/net", "..", "", "self", "1"] {
            let result = enter(&NetnsChoice::Name(name.to_owned()));
            assert!(matches!(result, Err(NetnsError::Invalid(_))), "{name:?}: {result:?}");
        }
    }

    #[test]
    fn our_own_namespace_needs_no_entering() {
        let own = current().expect("a namespace");
        assert_eq!(enter(&NetnsChoice::SelfNs).expect("ours"), own);
        assert_eq!(enter(&NetnsChoice::Pid(std::process::id())).expect("ours"), own);
    }

    #[test]
    fn what_is_no_network_namespace_is_called_so() {
        let choice = NetnsChoice::Name("left".to_owned());
        let file = tempfile::tempfile().expect("a file");
        let others = fs::File::open("/proc/self/ns/uts").expect("ours");
        for file in [file, others] {
            let error = enter_file(&file, &choice).expect_err("it is something else");
            assert_eq!(error.to_string(), "\"left\" is not a network namespace");
        }
    }

    #[test]
    fn without_proc_the_reason_names_it() {
        let error = NetnsError::Proc(io::Error::from_raw_os_error(2)).to_string();
        assert!(error.starts_with("cannot read /proc/thread-self/ns/net: No such file"), "{error}");
    }

    #[test]
    fn errors_say_what_and_why_and_are_safe_to_show() {
        let error = enter(&NetnsChoice::Name("no\x1b[31m".to_owned())).expect_err("there is none");
        let text = error.to_string();
        assert!(text.contains("no\\x1b[31m") && text.contains("No such file"), "{text}");
    }
}
