//! Which tiers of tests can run here. One that cannot says so loudly, and fails if `TWTOP_REQUIRE` names it.

use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
};

/// Whether `tier` can run: `netns` (network namespaces of our own, and the tools that tell the truth about them), `root`
/// (the same as root), `pty` (pseudo-terminals), `ss` or `python` (the programs of that name). If not, says why on standard error, past the test harness's capture.
///
/// # Panics
/// If it cannot, and the comma-separated `TWTOP_REQUIRE` names it.
pub(crate) fn can_run(tier: &str) -> bool {
    let Some(why) = missing(tier) else { return true };
    let required = std::env::var("TWTOP_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name.trim() == tier), "tier {tier} is required, but {why}");
    let _ = writeln!(io::stderr(), "SKIPPED: a test of tier {tier} did not run, because {why}");
    false
}

fn missing(tier: &str) -> Option<String> {
    let root = rustix::process::geteuid().is_root();
    let tools = match tier {
        "pty" => return (!Path::new("/dev/ptmx").exists()).then(|| "there is no /dev/ptmx".to_owned()),
        "ss" => return (!is_on_path("ss")).then(|| "there is no command ss".to_owned()),
        "python" => return (!is_on_path("python3")).then(|| "there is no command python3".to_owned()),
        "root" if !root => return Some("this user is not root".to_owned()),
        "root" => &["unshare", "ip", "nsenter", "setpriv"][..],
        "netns" => &["unshare", "ip", "nsenter", "ss", "lsof"][..],
        other => panic!("no such tier: {other}"),
    };
    if let Some(tool) = tools.iter().find(|tool| !is_on_path(tool)) {
        return Some(format!("there is no command {tool}"));
    }
    let how: &[&str] = if root { &["--net"] } else { &["--user", "--map-root-user", "--net"] };
    let made = Command::new("unshare").args(how).arg("true").stderr(Stdio::null()).status();
    (!made.is_ok_and(|status| status.success())).then(|| "unshare cannot make a network namespace".to_owned())
}

fn is_on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).exists())
}
