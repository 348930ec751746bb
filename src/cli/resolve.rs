//! Arguments checked and made definite.

use std::{path::PathBuf, sync::Arc, time::Duration};

use unicode_width::UnicodeWidthStr as _;

use super::{
    Surroundings,
    args::{
        Cli, Command, CommonArgs, DiagnoseArgs, DiagnosisFormatArg, FormatArg, Generated, GraphsArg,
        SnapshotArgs, ThemeArg, When,
    },
    config::{Config, ConfigError},
};
use crate::{
    export::Format,
    model::text::printable,
    query::{Query, QueryError},
    ui::{
        settings::Settings,
        theme::{Depth, Graphs, Ground, Palette},
    },
};

/// What is to be done, with nothing left to decide.
#[derive(Debug)]
pub struct Invocation {
    /// What applies everywhere.
    pub common: Common,
    /// What to do.
    pub action: Action,
}

/// The commands.
#[derive(Debug)]
pub enum Action {
    /// The screen.
    Screen,
    /// One report.
    Snapshot(SnapshotPlan),
    /// What is wrong.
    Diagnose(DiagnosePlan),
    /// What a topic means; `None` asks which there are.
    Explain(Option<String>),
    /// A file made from what the program knows of itself.
    Generate(GeneratePlan),
}

/// Options that every command obeys.
#[derive(Debug, Clone)]
pub struct Common {
    /// The filter, every short form (`--pid`, `-4`, …) included.
    pub query: Query,
    /// The filter as text, empty for none: what the screen's filter line starts with.
    pub filter_text: String,
    /// Time between samples.
    pub interval: Duration,
    /// Share of one core that sampling may take, 0 to 1.
    pub budget: f64,
    /// Whether to trace who opens and closes, where that is allowed.
    pub trace: bool,
    /// Which network namespace.
    pub netns: NetnsArg,
    /// The colours of the screen.
    pub palette: Palette,
    /// What to draw with.
    pub graphs: Graphs,
    /// How much memory sockets of the past may take, MiB.
    pub history_mib: u32,
    /// Whether the link to the terminal is slow.
    pub slow: bool,
    /// Keys, columns and orders of the screen.
    pub settings: Arc<Settings>,
}

impl Common {
    /// Whether to draw with ASCII only.
    #[must_use]
    pub fn ascii(&self) -> bool {
        self.graphs == Graphs::Ascii
    }
}

/// The network namespace asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetnsArg {
    /// The one we are in.
    Own,
    /// That of a process.
    Pid(u32),
    /// One that `ip netns` knows.
    Name(String),
}

/// What `twtop snapshot` is to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPlan {
    /// How long to observe; `None` for one look.
    pub observe: Option<Duration>,
    /// How to write it.
    pub format: Format,
    /// Whether to list every socket.
    pub sockets: bool,
    /// Where to write it; `None` for standard output.
    pub output: Option<PathBuf>,
}

/// What `twtop diagnose` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosePlan {
    /// How long to observe.
    pub observe: Duration,
    /// How to write it: text or JSON.
    pub format: Format,
    /// Where to write it; `None` for standard output.
    pub output: Option<PathBuf>,
}

/// What `twtop generate` is to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratePlan {
    /// What.
    pub what: Generated,
    /// Where to write it; `None` for standard output.
    pub output: Option<PathBuf>,
}

/// Arguments that make no sense, in one or two lines for standard error.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The filter cannot be read; the second line points at the character.
    #[error("--filter: {error}\n  {text}\n  {:>width$}", "^", width = column + 1)]
    Filter {
        /// Where and why.
        error: QueryError,
        /// The filter about that place, printable.
        text: String,
        /// Under which cell of `text` the mark belongs.
        column: usize,
    },
    /// The configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A number of seconds or percent is out of its range.
    #[error("{option}: '{value}' is not {expected}")]
    Number {
        /// The option.
        option: &'static str,
        /// What was typed, printable.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The screen needs a terminal.
    #[error(
        "standard output is not a terminal, and the screen needs one; \
         for a report run `twtop snapshot` (add --json or --csv for a program)"
    )]
    NoTerminal,
    /// The terminal cannot move its cursor.
    #[error("the terminal says TERM=dumb, which cannot show a screen; run `twtop snapshot` for a report")]
    DumbTerminal,
    /// Every namespace at once is not supported.
    #[error("--netns all: this version looks at one namespace at a time; give a name of `ip netns` or a PID")]
    AllNamespaces,
}

/// Makes typed arguments definite: what is typed goes before what the configuration file says, and that before the default.
///
/// # Errors
/// Names the argument, what is wrong with it, and what would be right.
pub fn resolve(cli: Cli, around: &Surroundings) -> Result<Invocation, UsageError> {
    let config = match &cli.command {
        // These obey no setting: a file with a mistake in it must not keep anybody from a new one.
        Some(Command::Explain(_) | Command::Generate(_)) => Config::default(),
        _ if cli.common.no_config => Config::default(),
        command => Config::load(cli.common.config.as_deref(), around)?.for_screen(command.is_none()),
    };
    let common = common(&cli.common, config, around)?;
    let action = match cli.command {
        Some(Command::Snapshot(args)) => Action::Snapshot(snapshot(args)?),
        Some(Command::Diagnose(args)) => Action::Diagnose(diagnose(args)?),
        Some(Command::Explain(args)) => Action::Explain(args.topic),
        Some(Command::Generate(args)) => {
            Action::Generate(GeneratePlan { what: args.what, output: args.output })
        }
        None => {
            check_terminal(around)?;
            Action::Screen
        }
    };
    Ok(Invocation { common, action })
}

fn check_terminal(around: &Surroundings) -> Result<(), UsageError> {
    if !around.stdout_is_terminal {
        return Err(UsageError::NoTerminal);
    }
    match around.term.as_deref() {
        Some("dumb") => Err(UsageError::DumbTerminal),
        _ => Ok(()),
    }
}

fn common(args: &CommonArgs, config: Config, around: &Surroundings) -> Result<Common, UsageError> {
    let typed = filter_text(args);
    let filter_text = if typed.is_empty() { config.filter.unwrap_or_default() } else { typed };
    // Read by itself first: a mistake is shown in the text that was typed, not in the one put together.
    let query = match &args.filter {
        Some(text) => parse_filter(text)?,
        None => Query::default(),
    };
    let query = if filter_text == args.filter.as_deref().unwrap_or_default() {
        query
    } else {
        parse_filter(&filter_text)?
    };
    let interval = match &args.interval {
        Some(text) => seconds("--interval", text, 0.1, INTERVAL)?,
        None => config.interval.unwrap_or(Duration::from_secs(1)),
    };
    let budget = match &args.budget {
        Some(text) => percent("--budget", text)?,
        None => config.budget.unwrap_or(0.05),
    };
    let color = if args.no_color { Some(When::Never) } else { args.color };
    let graphs = if args.ascii { Some(GraphsArg::Ascii) } else { args.graphs };
    Ok(Common {
        query,
        filter_text,
        interval,
        budget,
        trace: !args.no_trace && config.trace.unwrap_or(true),
        netns: netns(&args.netns)?,
        palette: palette(color.or(config.color), args.theme.or(config.theme), around),
        graphs: drawn_with(graphs.or(config.graphs), around),
        history_mib: config.history_mib.unwrap_or(16),
        slow: args.slow || config.slow.unwrap_or(false),
        settings: Arc::new(config.settings),
    })
}

/// The colours asked for, as far as there are so many.
fn palette(color: Option<When>, theme: Option<ThemeArg>, around: &Surroundings) -> Palette {
    let auto = || Depth::auto(around.colorterm.as_deref(), around.term.as_deref());
    let depth = match color.unwrap_or(When::Auto) {
        When::Never => return Palette::Monochrome,
        When::Auto if around.no_color => return Palette::Monochrome,
        When::Auto | When::Always => auto(),
        When::Sixteen => Depth::Sixteen,
        When::Indexed => Depth::Indexed,
        When::True => Depth::True,
    };
    match theme.unwrap_or(ThemeArg::Auto) {
        ThemeArg::Auto => depth.palette(Ground::auto(around.colorfgbg.as_deref())),
        ThemeArg::Dark => depth.palette(Ground::Dark),
        ThemeArg::Light => depth.palette(Ground::Light),
        ThemeArg::Terminal => Palette::Sixteen,
    }
}

fn drawn_with(graphs: Option<GraphsArg>, around: &Surroundings) -> Graphs {
    match graphs.unwrap_or(GraphsArg::Auto) {
        GraphsArg::Auto => Graphs::auto(around.term.as_deref(), around.locale.as_deref()),
        GraphsArg::Braille => Graphs::Braille,
        GraphsArg::Block => Graphs::Blocks,
        GraphsArg::Ascii => Graphs::Ascii,
    }
}

/// The filter and the short forms as one text: each short form is one more term that must hold.
fn filter_text(args: &CommonArgs) -> String {
    let mut terms = Vec::new();
    terms.extend(args.pid.map(|pid| format!("pid:{pid}")));
    terms.extend(args.port.map(|port| format!("port:{port}")));
    terms.extend(args.ipv4.then(|| "family:4".to_owned()));
    terms.extend(args.ipv6.then(|| "family:6".to_owned()));
    match &args.filter {
        Some(filter) if terms.is_empty() => return filter.clone(),
        Some(filter) if !filter.trim().is_empty() => terms.push(format!("({filter})")),
        _ => {}
    }
    terms.join(" ")
}

fn parse_filter(text: &str) -> Result<Query, UsageError> {
    Query::parse(text).map_err(|error| {
        let (text, column) = excerpt(text, error.column);
        UsageError::Filter { error, text, column }
    })
}

/// What stands about the character `at` of `text`, printable and no longer than a line, and the cell at which that
/// character begins in it.
fn excerpt(text: &str, at: usize) -> (String, usize) {
    const BEFORE: usize = 30;
    const AFTER: usize = 40;
    let start = at.saturating_sub(BEFORE);
    let part = |from: usize, n: usize| text.chars().skip(from).take(n).collect::<String>();
    let cut = if start > 0 { "…" } else { "" };
    let before = format!("{cut}{}", printable(&part(start, at - start)));
    let more = if text.chars().nth(at + AFTER).is_some() { "…" } else { "" };
    let column = before.width();
    (format!("{before}{}{more}", printable(&part(at, AFTER))), column)
}

fn snapshot(args: SnapshotArgs) -> Result<SnapshotPlan, UsageError> {
    let observe = match &args.observe {
        Some(text) => Some(seconds("--for", text, 0.1, INTERVAL)?),
        None => None,
    };
    let format = match args.format {
        Some(FormatArg::Json) => Format::Json,
        Some(FormatArg::Csv) => Format::Csv,
        Some(FormatArg::Markdown) => Format::Markdown,
        None if args.json => Format::Json,
        None if args.csv => Format::Csv,
        Some(FormatArg::Text) | None => Format::Text,
    };
    Ok(SnapshotPlan { observe, format, sockets: args.sockets, output: args.output })
}

fn diagnose(args: DiagnoseArgs) -> Result<DiagnosePlan, UsageError> {
    let observe = seconds("--for", &args.observe, 1.0, "a number of seconds from 1 to 3600")?;
    let json = args.json || args.format == Some(DiagnosisFormatArg::Json);
    let format = if json { Format::Json } else { Format::Text };
    Ok(DiagnosePlan { observe, format, output: args.output })
}

/// What an interval is.
pub(super) const INTERVAL: &str = "a number of seconds from 0.1 to 3600";
/// What a budget is.
pub(super) const BUDGET: &str = "a percentage from 0.1 to 100";

fn seconds(
    option: &'static str,
    text: &str,
    least: f64,
    expected: &'static str,
) -> Result<Duration, UsageError> {
    let bad = || UsageError::Number { option, value: printable(text).into_owned(), expected };
    let number: f64 = text.strip_suffix('s').unwrap_or(text).parse().map_err(|_| bad())?;
    if (least..=3600.0).contains(&number) { Ok(Duration::from_secs_f64(number)) } else { Err(bad()) }
}

fn percent(option: &'static str, text: &str) -> Result<f64, UsageError> {
    let expected = BUDGET;
    let bad = || UsageError::Number { option, value: printable(text).into_owned(), expected };
    let number: f64 = text.strip_suffix('%').unwrap_or(text).parse().map_err(|_| bad())?;
    if (0.1..=100.0).contains(&number) { Ok(number / 100.0) } else { Err(bad()) }
}

/// A number is a PID, as for `nsenter`; a namespace whose name is a number is reached by a PID in it.
fn netns(text: &str) -> Result<NetnsArg, UsageError> {
    match text {
        "self" => Ok(NetnsArg::Own),
        "all" => Err(UsageError::AllNamespaces),
        _ => Ok(text.parse().map_or_else(|_| NetnsArg::Name(text.to_owned()), NetnsArg::Pid)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn around() -> Surroundings {
        Surroundings {
            stdout_is_terminal: true,
            term: Some("xterm-256color".to_owned()),
            locale: Some("en_GB.UTF-8".to_owned()),
            no_color: false,
            ..Surroundings::default()
        }
    }

    fn resolved(args: &[&str]) -> Result<Invocation, UsageError> {
        let cli = Cli::try_parse_from([&["twtop"], args].concat()).expect("the arguments parse");
        resolve(cli, &around())
    }

    #[test]
    fn the_command_table_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn short_forms_become_terms_of_the_filter() {
        let common = resolved(&["--pid", "7", "-4", "--filter", "port:1 or port:2"]).expect("valid").common;
        assert_eq!(common.filter_text, "pid:7 family:4 (port:1 or port:2)");
        assert!(!common.query.is_all());
    }

    #[test]
    fn options_stand_before_and_after_the_command() {
        let before = resolved(&["-i", "2", "snapshot", "--json"]).expect("valid");
        let after = resolved(&["snapshot", "-i", "2s", "--json"]).expect("valid");
        assert_eq!(before.common.interval, Duration::from_secs(2));
        assert_eq!(after.common.interval, Duration::from_secs(2));
    }

    #[test]
    fn numbers_out_of_range_name_the_option() {
        for args in [["-i", "0"], ["-i", "nan"], ["-i", "1e9"], ["--budget", "0"]] {
            let error = resolved(&args).expect_err("out of range").to_string();
            assert!(error.contains(args[1]), "{error}");
        }
    }

    #[test]
    fn a_pipe_is_refused_with_the_way_out() {
        let cli = Cli::try_parse_from(["twtop"]).expect("parses");
        let around = Surroundings { stdout_is_terminal: false, ..around() };
        let error = resolve(cli, &around).expect_err("no terminal").to_string();
        assert!(error.contains("twtop snapshot"), "{error}");
    }

    #[test]
    fn colour_unless_somebody_says_no() {
        let color = |args: &[&str], no_color| {
            let cli = Cli::try_parse_from([&["twtop"], args].concat()).expect("parses");
            resolve(cli, &Surroundings { no_color, ..around() }).expect("valid").common.palette
        };
        let indexed = Palette::Indexed(Ground::Dark);
        assert_eq!(color(&[], false), indexed);
        assert_eq!(color(&[], true), Palette::Monochrome);
        assert_eq!(color(&["--color", "always"], true), indexed);
        assert_eq!(color(&["--color", "16"], true), Palette::Sixteen);
        assert_eq!(color(&["--color", "true", "--theme", "light"], false), Palette::True(Ground::Light));
        assert_eq!(color(&["--color", "true", "--theme", "terminal"], false), Palette::Sixteen);
        assert_eq!(color(&["--color", "never", "--theme", "light"], false), Palette::Monochrome);
        assert_eq!(color(&["--no-color", "--color", "always"], false), Palette::Monochrome);
    }

    #[test]
    fn ascii_where_the_locale_or_the_person_asks_for_it() {
        assert_eq!(resolved(&[]).expect("valid").common.graphs, Graphs::Braille);
        assert!(resolved(&["--ascii"]).expect("valid").common.ascii());
        assert_eq!(resolved(&["--graphs", "block"]).expect("valid").common.graphs, Graphs::Blocks);
        let cli = Cli::try_parse_from(["twtop"]).expect("parses");
        let around = Surroundings { locale: None, ..around() };
        assert!(resolve(cli, &around).expect("valid").common.ascii());
    }

    #[test]
    fn what_is_typed_goes_before_the_file_and_that_before_the_default() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        let text = "theme = 'light'\ncolor = 'true'\ngraphs = 'block'\ninterval = 5\nbudget = 10\n\
                    trace = false\nhistory_mib = 2\nslow = true\nfilter = 'port:1'\n";
        std::fs::write(&path, text).expect("written");
        let around = Surroundings { config: Some(path), ..around() };
        let common = |args: &[&str]| {
            let cli = Cli::try_parse_from([&["twtop"], args].concat()).expect("parses");
            resolve(cli, &around).expect("valid").common
        };
        let all = |common: &Common| {
            let Common { interval, budget, trace, palette, graphs, history_mib, slow, .. } = common;
            (*interval, *budget, *trace, *palette, *graphs, *history_mib, *slow)
        };
        let dark = Palette::Indexed(Ground::Dark);
        let default = (Duration::from_secs(1), 0.05, true, dark, Graphs::Braille, 16, false);
        assert_eq!(all(&common(&["--no-config"])), default);
        let light = Palette::True(Ground::Light);
        let file = (Duration::from_secs(5), 0.1, false, light, Graphs::Blocks, 2, true);
        assert_eq!(all(&common(&[])), file);
        assert_eq!(all(&common(&["snapshot"])), file);
        let typed = ["-i", "2", "--budget", "3", "--color", "16", "--theme", "dark", "--graphs", "braille"];
        let both = (Duration::from_secs(2), 0.03, false, Palette::Sixteen, Graphs::Braille, 2, true);
        assert_eq!(all(&common(&typed)), both);
        assert_eq!(common(&[]).filter_text, "port:1");
        assert_eq!(common(&["--pid", "7"]).filter_text, "pid:7");
        assert_eq!(common(&["snapshot"]).filter_text, "");
    }
}
