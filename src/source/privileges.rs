//! What this process may see of others, and how to see the rest.

use std::{fs, io::ErrorKind};

use caps::{CapSet, Capability};

use crate::model::{OwnerScan, Privileges, text::printable};

/// The inode of the first PID namespace (`PROC_PID_INIT_INO` in `linux/proc_ns.h`).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// The inode of the first user namespace (`PROC_USER_INIT_INO` in `linux/proc_ns.h`).
const FIRST_USER_NAMESPACE: &str = "user:[4026531837]";

/// What `setcap` gives for full sight.
const SIGHT_CAPS: &str = "cap_sys_ptrace,cap_dac_read_search+ep";

/// And for the trace as well.
const ALL_CAPS: &str = "cap_sys_ptrace,cap_dac_read_search,cap_perfmon,cap_sys_admin+ep";

/// What keeps processes out of sight whatever capabilities we have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    /// We are in a user namespace of our own: our capabilities count for nothing outside.
    pub by_user_namespace: bool,
    /// `/proc` is mounted so that it lists only our own processes (`hidepid`).
    pub by_mount: bool,
    /// We are in a PID namespace of our own: processes outside are not listed.
    pub by_namespace: bool,
}

impl Hidden {
    /// Finds out.
    #[must_use]
    pub fn find() -> Self {
        let differs = |name: &str, first: &str| {
            fs::read_link(format!("/proc/self/ns/{name}")).is_ok_and(|link| link.as_os_str() != first)
        };
        Self {
            by_user_namespace: differs("user", FIRST_USER_NAMESPACE),
            by_mount: fs::metadata("/proc/1").is_err_and(|error| error.kind() == ErrorKind::NotFound),
            by_namespace: differs("pid", FIRST_PID_NAMESPACE),
        }
    }

    /// Whether anything is hidden.
    #[must_use]
    pub fn any(self) -> bool {
        self.by_mount || self.by_namespace
    }
}

/// How far our sight of processes reaches before any is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// There may be processes that `/proc` does not even list: those of other PID namespaces, or of other users where
    /// `/proc` is mounted with `hidepid`.
    pub hidden: bool,
    /// We have every capability that it takes to read other processes, and they count for all that are listed.
    pub capable: bool,
    /// Our user, if known.
    pub uid: Option<u32>,
}

/// What stands between us and full sight, decided by what the scan could really read: root in a user
/// namespace has every capability, and none that counts for the host's processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Capabilities that are missing for reading other processes' descriptors.
    missing: Vec<String>,
    /// Capabilities that are missing for a trace that was refused.
    trace_missing: Vec<String>,
    is_root: bool,
    uid: u32,
    hidden: Hidden,
    /// The path of this program, if it can be shown and typed.
    program: Option<String>,
}

impl Sight {
    /// Finds out what the calling process may do.
    #[must_use]
    pub fn find() -> Self {
        let program = fs::read_link("/proc/self/exe").ok();
        let uid = rustix::process::geteuid();
        Self {
            missing: missing(),
            trace_missing: Vec::new(),
            is_root: uid.is_root(),
            uid: uid.as_raw(),
            hidden: Hidden::find(),
            program: program.and_then(|path| path.to_str().and_then(shell_word)),
        }
    }

    /// What hides processes from us.
    #[must_use]
    pub fn hidden(&self) -> Hidden {
        self.hidden
    }

    /// The trace was refused. Says whether that is for want of capabilities.
    pub fn miss_trace(&mut self) -> bool {
        self.trace_missing = trace_missing();
        !self.trace_missing.is_empty()
    }

    /// How far we can see.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let hidden = self.hidden.any();
        let capable = self.missing.is_empty() && !self.hidden.by_user_namespace && !hidden;
        Reach { hidden, capable, uid: Some(self.uid) }
    }

    /// The privileges in view of a scan. `any_denied` says whether a socket's holder is out of sight, `unreadable` are
    /// PIDs of processes that may not be read: some, if they are many.
    #[must_use]
    pub fn privileges(&self, scan: &OwnerScan, any_denied: bool, unreadable: &[u32]) -> Privileges {
        // A process that even full capabilities cannot read matters once a socket's holder is out of sight.
        let sees_all = !any_denied && (scan.denied == 0 || self.missing.is_empty());
        if sees_all && !self.hidden.by_mount {
            return Privileges {
                complete: true,
                missing: Vec::new(),
                trace_missing: self.trace_missing.clone(),
                hint: self.trace_hint(),
            };
        }
        Privileges {
            complete: false,
            missing: self.missing.clone(),
            trace_missing: self.trace_missing.clone(),
            hint: self.hint(*scan, unreadable),
        }
    }

    /// How to get the trace when nothing else is missing; empty if it is not missing either.
    fn trace_hint(&self) -> String {
        match &self.program {
            _ if self.trace_missing.is_empty() => String::new(),
            _ if self.is_root => {
                "this root may not trace who closes: run twtop on the host, or give its container --cap-add=PERFMON --cap-add=SYS_ADMIN"
                    .to_owned()
            }
            Some(path) => format!("to trace who closes: sudo setcap {ALL_CAPS} {path} (or once: sudo {path})"),
            None => "to trace who closes: sudo twtop".to_owned(),
        }
    }

    fn hint(&self, scan: OwnerScan, unreadable: &[u32]) -> String {
        let program = self.program.as_deref().unwrap_or("twtop");
        if scan.denied == 0 && !self.hidden.by_mount {
            return "processes of other PID namespaces are out of sight: run twtop on the host, or in a container with --pid=host"
                .to_owned();
        }
        match (self.missing.is_empty(), self.is_root) {
            (false, false) => match &self.program {
                Some(path) => {
                    let caps = if self.trace_missing.is_empty() { SIGHT_CAPS } else { ALL_CAPS };
                    format!("sudo setcap {caps} {path} (or once: sudo {path})")
                }
                None => format!("sudo {program}"),
            },
            (false, true) => {
                "this root lacks capabilities: run twtop on the host, or give its container --cap-add=SYS_PTRACE --cap-add=DAC_READ_SEARCH"
                    .to_owned()
            }
            (true, _) if self.hidden.by_user_namespace => {
                "these capabilities count only in this user namespace: run twtop as root of the host".to_owned()
            }
            (true, _) => format!(
                "no capability is missing: a security module or a sandbox keeps {} unreadable",
                named(scan.denied, unreadable)
            ),
        }
    }
}

/// The `all` processes some of which have these PIDs.
fn named(all: u32, pids: &[u32]) -> String {
    let others = usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(pids.len());
    let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    match (pids.as_str(), others) {
        ("", _) => "those processes".to_owned(),
        (_, 0) => format!("PID {pids}"),
        _ => format!("PID {pids} and {others} more"),
    }
}

/// What it takes to read the descriptors of every process: `PTRACE_MODE_READ` of a link, and a directory that only
/// its owner may open (`fs/proc/fd.c`).
fn missing() -> Vec<String> {
    let effective = caps::read(None, CapSet::Effective).unwrap_or_default();
    let has = |one| effective.contains(&one);
    let mut missing = Vec::new();
    if !has(Capability::CAP_SYS_PTRACE) {
        missing.push("CAP_SYS_PTRACE".to_owned());
    }
    // The stronger one does as well.
    if !has(Capability::CAP_DAC_READ_SEARCH) && !has(Capability::CAP_DAC_OVERRIDE) {
        missing.push("CAP_DAC_READ_SEARCH".to_owned());
    }
    missing
}

/// What it takes to open a tracepoint on every CPU (`perf_event_open(2)`), and to read its description where tracefs is
/// not mounted.
fn trace_missing() -> Vec<String> {
    let effective = caps::read(None, CapSet::Effective).unwrap_or_default();
    let wanted = [Capability::CAP_PERFMON, Capability::CAP_SYS_ADMIN];
    wanted.iter().filter(|one| !effective.contains(one)).map(ToString::to_string).collect()
}

/// `path` as one word of a shell's command line, `None` if it holds what a terminal should not be shown,
/// or is the path of a file that was deleted.
fn shell_word(path: &str) -> Option<String> {
    if printable(path) != path || path.ends_with(" (deleted)") {
        return None;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(is_plain) {
        Some(path.to_owned())
    } else {
        Some(format!("'{}'", path.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Hidden = Hidden { by_user_namespace: false, by_mount: false, by_namespace: false };

    fn sight(missing: &[&str], is_root: bool, hidden: Hidden) -> Sight {
        let missing = missing.iter().map(|&name| name.to_owned()).collect();
        let uid = if is_root { 0 } else { 1000 };
        Sight {
            missing,
            trace_missing: Vec::new(),
            is_root,
            uid,
            hidden,
            program: Some("/usr/bin/twtop".to_owned()),
        }
    }

    #[test]
    fn capabilities_reach_as_far_as_their_namespaces() {
        let root = sight(&[], true, NOTHING).reach();
        assert_eq!(root, Reach { hidden: false, capable: true, uid: Some(0) });
        let user = sight(&["CAP_SYS_PTRACE"], false, NOTHING).reach();
        assert_eq!(user, Reach { hidden: false, capable: false, uid: Some(1000) });
        let in_user_namespace = Hidden { by_user_namespace: true, ..NOTHING };
        assert!(!sight(&[], true, in_user_namespace).reach().capable);
        let in_pid_namespace = sight(&[], true, Hidden { by_namespace: true, ..NOTHING }).reach();
        assert!(in_pid_namespace.hidden && !in_pid_namespace.capable);
    }

    #[test]
    fn a_user_is_told_the_command() {
        let sight = sight(&["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"], false, NOTHING);
        let privileges = sight.privileges(&OwnerScan { processes: 9, denied: 3 }, true, &[]);
        assert!(!privileges.complete);
        assert_eq!(privileges.missing, ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]);
        let command = "sudo setcap cap_sys_ptrace,cap_dac_read_search+ep /usr/bin/twtop";
        assert!(privileges.hint.starts_with(command), "{}", privileges.hint);
    }

    #[test]
    fn a_trace_that_is_refused_makes_sight_no_less_complete() {
        let mut sight = sight(&["CAP_SYS_PTRACE"], false, NOTHING);
        sight.trace_missing = vec!["CAP_PERFMON".to_owned()];
        let all = sight.privileges(&OwnerScan { processes: 9, denied: 0 }, false, &[]);
        assert!(all.complete && all.missing.is_empty());
        assert_eq!(all.trace_missing, ["CAP_PERFMON"]);
        assert!(all.hint.contains("cap_perfmon"), "{}", all.hint);
        let some = sight.privileges(&OwnerScan { processes: 9, denied: 3 }, true, &[]);
        assert!(!some.complete);
        assert!(some.hint.contains("cap_sys_ptrace") && some.hint.contains("cap_perfmon"), "{}", some.hint);
    }

    #[test]
    fn what_could_be_read_decides_and_not_the_capabilities() {
        let all_read = OwnerScan { processes: 9, denied: 0 };
        assert!(sight(&["CAP_SYS_PTRACE"], false, NOTHING).privileges(&all_read, false, &[]).complete);
        let some_denied = OwnerScan { processes: 9, denied: 8 };
        let in_user_namespace = Hidden { by_user_namespace: true, ..NOTHING };
        let root_of_a_user_namespace =
            sight(&[], true, in_user_namespace).privileges(&some_denied, true, &[]);
        assert!(!root_of_a_user_namespace.complete);
        assert!(root_of_a_user_namespace.missing.is_empty());
        assert!(root_of_a_user_namespace.hint.contains("user namespace"));
        let root = sight(&[], true, NOTHING);
        assert!(root.privileges(&some_denied, false, &[]).complete, "no socket's holder is out of sight");
        let hint = root.privileges(&some_denied, true, &[1, 7]).hint;
        assert!(
            hint.ends_with("a security module or a sandbox keeps PID 1, 7 and 6 more unreadable"),
            "{hint}"
        );
        let hint = root.privileges(&OwnerScan { processes: 80, denied: 1 }, true, &[1]).hint;
        assert!(hint.ends_with("keeps PID 1 unreadable"), "{hint}");
    }

    #[test]
    fn what_is_not_even_listed_counts_too() {
        let all_read = OwnerScan { processes: 3, denied: 0 };
        let by_mount = sight(&["CAP_SYS_PTRACE"], false, Hidden { by_mount: true, ..NOTHING });
        assert!(!by_mount.privileges(&all_read, false, &[]).complete);
        let container = sight(&[], true, Hidden { by_namespace: true, ..NOTHING });
        assert!(container.privileges(&all_read, false, &[]).complete);
        assert!(container.privileges(&all_read, true, &[]).hint.contains("--pid=host"));
    }

    #[test]
    fn a_path_is_one_word_or_not_shown() {
        assert_eq!(shell_word("/usr/bin/twtop").as_deref(), Some("/usr/bin/twtop"));
        assert_eq!(shell_word("/a b/it's;rm").as_deref(), Some(r"'/a b/it'\''s;rm'"));
        assert_eq!(shell_word("/a\n/b"), None);
        assert_eq!(shell_word("/\x1b[31m"), None);
        assert_eq!(shell_word("/usr/bin/twtop (deleted)"), None);
    }
}
