//! The configuration file: one table of what may stand in it (`items`), from which it is read (`read`) and written
//! (`template`).
//!
//! Nothing in it is ever run, and no other file is named by it.

mod file;
mod items;
mod read;
mod template;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use self::template::template;
use super::{
    Surroundings,
    args::{GraphsArg, ThemeArg, When},
};
use crate::{model::text::printable, ui::settings::Settings};

/// What the file says; `None` where it says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Which background colours are for.
    pub theme: Option<ThemeArg>,
    /// When to use colour, and how much of it.
    pub color: Option<When>,
    /// What to draw with.
    pub graphs: Option<GraphsArg>,
    /// Time between samples.
    pub interval: Option<Duration>,
    /// Share of one core that sampling may take, 0 to 1.
    pub budget: Option<f64>,
    /// Whether to trace.
    pub trace: Option<bool>,
    /// How much memory sockets of the past may take, MiB.
    pub history_mib: Option<u32>,
    /// Whether the link to the terminal is slow.
    pub slow: Option<bool>,
    /// The filter that the screen starts with.
    pub filter: Option<String>,
    /// Keys, columns, orders and the first view.
    pub settings: Settings,
}

/// Why the file cannot be used, in one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path}: {why}; --no-config does without it")]
    File {
        /// Its name, printable.
        path: String,
        /// Why.
        why: String,
    },
    /// Something in it is wrong.
    #[error("{path}:{line}: {what}")]
    Line {
        /// Its name, printable.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What, and what is allowed there; printable.
        what: String,
    },
}

impl Config {
    /// Reads the file at `path`, which must be there, or the one of the surroundings, which need not, nor be ours to
    /// read.
    ///
    /// # Errors
    /// Names the file, the line and what would be right.
    pub(super) fn load(path: Option<&Path>, around: &Surroundings) -> Result<Self, ConfigError> {
        let default: Option<&PathBuf> = around.config.as_ref();
        let Some(at) = path.or(default.map(PathBuf::as_path)) else { return Ok(Self::default()) };
        let name = printable(&at.to_string_lossy()).into_owned();
        match file::text(at) {
            Ok(text) => {
                read::config(&text).map_err(|(line, what)| ConfigError::Line { path: name, line, what })
            }
            Err(trouble) if path.is_none() && trouble.is_absence() => Ok(Self::default()),
            Err(trouble) => Err(ConfigError::File { path: name, why: trouble.to_string() }),
        }
    }

    /// What of it is for the screen, or else for a report. A report that leaves something out because of a file that nobody
    /// thinks of would lie: no filter.
    #[must_use]
    pub(super) fn for_screen(self, screen: bool) -> Self {
        Self { filter: self.filter.filter(|_| screen), ..self }
    }
}

#[cfg(test)]
mod tests;
