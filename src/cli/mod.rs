//! The command line, in two stages: as typed ([`args`]), then resolved against the configuration file ([`config`]) and
//! the environment ([`Invocation`]), so that nothing after this asks an environment variable or a flag again.

pub mod args;
pub mod config;
mod resolve;

use std::path::PathBuf;

pub use resolve::{
    Action, Common, DiagnosePlan, GeneratePlan, Invocation, NetnsArg, SnapshotPlan, UsageError, resolve,
};

/// What resolving needs to know of the surroundings, passed in so that tests can choose it.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// `TERM`.
    pub term: Option<String>,
    /// The locale in force: the first that is set of `LC_ALL`, `LC_CTYPE`, `LANG`.
    pub locale: Option<String>,
    /// Whether `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `COLORTERM`.
    pub colorterm: Option<String>,
    /// `COLORFGBG`.
    pub colorfgbg: Option<String>,
    /// Where the configuration file is, if there is one: in the folder of the user whose `HOME` is in force.
    pub config: Option<PathBuf>,
}

impl Surroundings {
    /// The surroundings of this process.
    #[must_use]
    pub fn of_process() -> Self {
        use std::io::IsTerminal as _;
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            stdout_is_terminal: std::io::stdout().is_terminal(),
            term: set("TERM"),
            locale: set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")),
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            colorterm: set("COLORTERM"),
            colorfgbg: set("COLORFGBG"),
            config: config_home().map(|folder| folder.join("twtop/config.toml")),
        }
    }
}

/// The folder of configuration files. A relative one is no folder: that is what the XDG Base Directory Specification says.
fn config_home() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))
}
