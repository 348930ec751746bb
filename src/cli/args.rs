//! Arguments as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// What a person types.
#[derive(Debug, Parser)]
#[command(
    name = "twtop",
    version,
    about = "Shows what the host's TCP connections are doing: which state piles up, which process \
             causes it, towards whom, and how many local ports are left",
    after_help = "Examples:\n  \
        twtop                                    the screen (q quits, ? helps)\n  \
        twtop --filter 'state:close-wait'        only sockets that wait for a close\n  \
        twtop diagnose                           what is wrong, who causes it, what to do\n  \
        twtop explain tcp_tw_reuse               what a finding, state or setting means\n  \
        twtop snapshot                           one page of text, to paste into a chat\n  \
        twtop snapshot --for 10 --json -o s.json rates over 10 s, for a program\n  \
        twtop snapshot --csv --filter 'port:443' one row a socket",
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What applies everywhere.
    #[command(flatten)]
    pub common: CommonArgs,
    /// What to do; without it the screen opens.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Commands beside the screen.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print one report and exit: text, JSON, CSV or markdown
    Snapshot(SnapshotArgs),
    /// Observe for a while, then say what is wrong, who causes it and what to do
    ///
    /// Exit code: 0 if nothing was found that somebody should act on, 1 if something was, 2 for an error.
    Diagnose(DiagnoseArgs),
    /// Tell what a finding, a TCP state or a kernel setting means, and which folklore about it is false
    ///
    /// Without a topic it lists them. Exit code: 2 for a topic that is not known.
    Explain(ExplainArgs),
    /// Write the configuration file as it is by default, with a comment for every key
    ///
    /// As in `twtop generate config -o ~/.config/twtop/config.toml`.
    Generate(GenerateArgs),
}

/// Options that make sense for every command.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person types")]
pub struct CommonArgs {
    /// Show only sockets that match, such as 'state:time-wait peer:10.0.0.0/8'
    ///
    /// Keys: port lport rport ip local peer pid proc cmd user state side evidence family age and more.
    /// Terms side by side must all hold; `or`, `!` and parentheses combine them; see the README.
    #[arg(short = 'f', long, value_name = "QUERY", global = true)]
    pub filter: Option<String>,
    /// Seconds between samples [default: 1]
    #[arg(short, long, value_name = "SECONDS", global = true)]
    pub interval: Option<String>,
    /// Only IPv4 (mapped addresses included)
    #[arg(short = '4', long = "ipv4", global = true, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Only IPv6
    #[arg(short = '6', long = "ipv6", global = true)]
    pub ipv6: bool,
    /// Only sockets of this process
    #[arg(long, value_name = "PID", global = true)]
    pub pid: Option<u32>,
    /// Only sockets with this port on either side
    #[arg(long, value_name = "PORT", global = true)]
    pub port: Option<u16>,
    /// The network namespace to look at: self, a name of `ip netns`, or the PID of a process in it
    #[arg(long, value_name = "self|NAME|PID", default_value = "self", global = true)]
    pub netns: String,
    /// The most processor time that sampling may take, percent of one core; the interval is stretched to keep it
    /// [default: 5]
    #[arg(long, value_name = "PERCENT", global = true)]
    pub budget: Option<String>,
    /// Do without the kernel's tracepoint: most short connections keep no owner then
    #[arg(long, global = true)]
    pub no_trace: bool,
    /// When the screen uses colour, and how many [default: auto]
    #[arg(long, value_enum, value_name = "WHEN", global = true)]
    pub color: Option<When>,
    /// No colour, the same as --color never
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Colours for which background [default: auto]
    #[arg(long, value_enum, value_name = "THEME", global = true)]
    pub theme: Option<ThemeArg>,
    /// What to draw with [default: auto]
    #[arg(long, value_enum, value_name = "GRAPHS", conflicts_with = "ascii", global = true)]
    pub graphs: Option<GraphsArg>,
    /// The same as --graphs ascii
    #[arg(long, global = true)]
    pub ascii: bool,
    /// For a slow link: draw only every fourth sample; keys are answered at once, and sampling goes on as ever
    #[arg(long, global = true)]
    pub slow: bool,
    /// Read this configuration file [default: ~/.config/twtop/config.toml, if it is there]
    #[arg(long, value_name = "FILE", conflicts_with = "no_config", global = true)]
    pub config: Option<PathBuf>,
    /// Read no configuration file
    #[arg(long, global = true)]
    pub no_config: bool,
}

/// When to use colour, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Unless `NO_COLOR` is set, as many as the terminal says it has.
    Auto,
    /// Even then.
    Always,
    /// Never.
    Never,
    /// The 16 of the terminal.
    #[value(name = "16")]
    Sixteen,
    /// 256.
    #[value(name = "256")]
    Indexed,
    /// All colours.
    True,
}

/// Which background colours are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ThemeArg {
    /// What the terminal says of its own, dark if it says nothing.
    Auto,
    /// A dark one.
    Dark,
    /// A light one.
    Light,
    /// Any: the 16 colours as the terminal has them.
    Terminal,
}

/// What bars and curves are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphsArg {
    /// What the terminal and the locale allow.
    Auto,
    /// Dots of braille, and blocks.
    Braille,
    /// Blocks.
    Block,
    /// ASCII; for all that is drawn.
    Ascii,
}

/// Options of `twtop generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// What to write
    #[arg(value_enum, value_name = "WHAT")]
    pub what: Generated,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Generated {
    /// The configuration file.
    Config,
}

/// Options of `twtop snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// Observe that long, then print; rates need it [default: one look]
    #[arg(long = "for", value_name = "SECONDS")]
    pub observe: Option<String>,
    /// How to write it [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["json", "csv"])]
    pub format: Option<FormatArg>,
    /// The same as --format json
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// The same as --format csv: one row a socket
    #[arg(long)]
    pub csv: bool,
    /// List every socket too (CSV always does)
    #[arg(long)]
    pub sockets: bool,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `twtop diagnose`.
#[derive(Debug, Args)]
pub struct DiagnoseArgs {
    /// Observe that long
    #[arg(long = "for", value_name = "SECONDS", default_value = "10")]
    pub observe: String,
    /// How to write it [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "json")]
    pub format: Option<DiagnosisFormatArg>,
    /// The same as --format json
    #[arg(long)]
    pub json: bool,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `twtop explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The id of a finding, a state, a setting, or another topic such as folklore; in any case, with dashes or not
    #[arg(value_name = "ID|STATE|SYSCTL|TOPIC")]
    pub topic: Option<String>,
}

/// The formats of a diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiagnosisFormatArg {
    /// A page for people.
    Text,
    /// One object, schema `twtop.diagnose/1`.
    Json,
}

/// The formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// One page for people.
    Text,
    /// One object, schema `twtop.snapshot/1`.
    Json,
    /// One row a socket.
    Csv,
    /// Tables for an issue or a wiki.
    Markdown,
}
