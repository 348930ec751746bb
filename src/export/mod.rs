//! An observation written for programs and for people: `json`, `csv`, `text`, `markdown`.

use std::io::{self, Write};

use crate::{findings::Finding, query::Query, store::Observation};

mod csv;
mod diagnosis;
mod explain;
mod json;
mod markdown;
mod measures;
mod report;
mod text;

pub use csv::{write_rows, write_values};
pub use explain::{write_topic, write_topics};
pub use json::{DIAGNOSE_SCHEMA, SNAPSHOT_SCHEMA};

/// A form of output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A page for people, at most 80 columns wide.
    #[default]
    Text,
    /// One JSON object on one line, schema [`SNAPSHOT_SCHEMA`].
    Json,
    /// One row a socket.
    Csv,
    /// The page for people as Markdown.
    Markdown,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Text, Self::Json, Self::Csv, Self::Markdown];

    /// Its name, such as `json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
        }
    }

    /// The end of the name of a file in this format, such as `json`.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Markdown => "md",
        }
    }
}

/// What goes into an output.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The filter that the observation was made with: sockets that it drops are not listed.
    pub query: &'a Query,
    /// What was found while observing, the worst first.
    pub findings: &'a [Finding],
    /// List every socket (JSON; CSV always does).
    pub sockets: bool,
    /// Nothing but ASCII (text; the other formats have their own escapes).
    pub ascii: bool,
    /// How many processes, peers and destinations to show at most (text and Markdown).
    pub top: usize,
}

/// Writes `observation`. Nothing is kept in memory for each socket, however many are listed.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(
    format: Format,
    observation: &Observation,
    options: &Options<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Text => text::write(observation, options, out),
        Format::Json => json::write(observation, options, out),
        Format::Csv => csv::write(observation, options, out),
        Format::Markdown => markdown::write(observation, options, out),
    }
}

/// Writes what was found: a page for people, or for [`Format::Json`] one object of schema [`DIAGNOSE_SCHEMA`].
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_diagnosis(
    format: Format,
    observation: &Observation,
    options: &Options<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Json => json::write_diagnosis(observation, options, out),
        Format::Text | Format::Csv | Format::Markdown => diagnosis::write(observation, options, out),
    }
}
