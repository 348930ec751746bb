//! Everything that may stand in the file.

use std::time::Duration;

use clap::ValueEnum;
use toml::de::DeValue;

use super::Config;
use crate::{
    cli::resolve::{BUDGET, INTERVAL},
    model::text::printable,
    query::Query,
    ui::settings::VIEWS,
};

/// A key outside all tables.
pub(super) struct Item {
    /// The key.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) meaning: &'static str,
    /// What its value may be.
    pub(super) allowed: fn() -> String,
    /// The value that changes nothing.
    pub(super) default: &'static str,
    /// Takes the value over; `Err` with what is wrong with it if it is not what is allowed and more is known.
    pub(super) set: fn(&mut Config, &DeValue<'_>) -> Result<(), Option<String>>,
}

/// A table of its own, and what it is for.
pub(super) struct Section {
    /// Its name.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) meaning: &'static str,
}

/// Every key outside all tables.
pub(super) static ITEMS: &[Item] = &[
    Item {
        name: "theme",
        meaning: "The background that colours are for. With 16 colours they are the terminal's own in every theme.",
        allowed: one_of::<super::ThemeArg>,
        default: "\"auto\"",
        set: |config, value| put(&mut config.theme, variant(value)),
    },
    Item {
        name: "color",
        meaning: "Whether to use colour, and how many: auto obeys NO_COLOR, COLORTERM and TERM.",
        allowed: one_of::<super::When>,
        default: "\"auto\"",
        set: |config, value| put(&mut config.color, variant(value)),
    },
    Item {
        name: "graphs",
        meaning: "What to draw with: auto asks the terminal's name and the locale; ascii is for all that is drawn.",
        allowed: one_of::<super::GraphsArg>,
        default: "\"auto\"",
        set: |config, value| put(&mut config.graphs, variant(value)),
    },
    Item {
        name: "interval",
        meaning: "Time between samples.",
        allowed: || INTERVAL.to_owned(),
        default: "1",
        set: |config, value| {
            put(&mut config.interval, number(value, 0.1, 3600.0).map(Duration::from_secs_f64))
        },
    },
    Item {
        name: "budget",
        meaning: "The most processor time that sampling may take, of one core; the interval is stretched to keep it.",
        allowed: || BUDGET.to_owned(),
        default: "5",
        set: |config, value| {
            put(&mut config.budget, number(value, 0.1, 100.0).map(|percent| percent / 100.0))
        },
    },
    Item {
        name: "trace",
        meaning: "Whether to use the kernel's tracepoint, where that is allowed.",
        allowed: || "true or false".to_owned(),
        default: "true",
        set: |config, value| put(&mut config.trace, value.as_bool()),
    },
    Item {
        name: "history_mib",
        meaning: "How much memory sockets of the past may take. Totals come on top: a few MiB, at most 64.",
        allowed: || "a whole number of MiB from 1 to 4096".to_owned(),
        default: "16",
        set: |config, value| {
            let whole = value.as_integer().and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
            put(&mut config.history_mib, whole.filter(|mib| (1..=4096).contains(mib)))
        },
    },
    Item {
        name: "slow",
        meaning: "Whether to send less to the terminal, as over a slow link.",
        allowed: || "true or false".to_owned(),
        default: "false",
        set: |config, value| put(&mut config.slow, value.as_bool()),
    },
    Item {
        name: "filter",
        meaning: "The filter that the screen starts with. Reports (snapshot, diagnose) do not obey it.",
        allowed: || "a filter, as after --filter".to_owned(),
        default: "\"\"",
        set: |config, value| {
            let text = value.as_str().ok_or(None)?;
            Query::parse(text).map_err(|error| Some(error.to_string()))?;
            put(&mut config.filter, Some(text.to_owned()))
        },
    },
    Item {
        name: "view",
        meaning: "The view that is shown first.",
        allowed: || list(VIEWS.into_iter()),
        default: "\"overview\"",
        set: |config, value| {
            let known = value.as_str().is_some_and(|name| config.settings.choose_view(name));
            if known { Ok(()) } else { Err(None) }
        },
    },
];

/// The tables.
pub(super) const COLUMNS: Section = Section {
    name: "columns",
    meaning: "Which columns each table has, from left to right. Those that the width has no room for are left out, the \
              least important first, and some are there only while they have something to show.",
};
/// See [`COLUMNS`].
pub(super) const SORT: Section = Section {
    name: "sort",
    meaning: "In which order each table is at first: \"worst\", or a column of those above, with - before it for the largest \
              first.",
};
/// See [`COLUMNS`].
pub(super) const KEYS: Section = Section {
    name: "keys",
    meaning: "Which keys ask for what: one, or a list; \"none\" or [] for no key. A key that is given here is taken from the \
              command that had it. Write keys as in q, Q, Ctrl-D, F1, Space, Enter, Esc, Tab, Shift-Tab, Up, PgDn, Home, \
              Delete. Ctrl-C always leaves twtop.",
};

/// The order that a table has by itself.
pub(super) const WORST: &str = "worst";

fn put<T>(place: &mut Option<T>, value: Option<T>) -> Result<(), Option<String>> {
    *place = Some(value.ok_or(None)?);
    Ok(())
}

fn number(value: &DeValue<'_>, least: f64, most: f64) -> Option<f64> {
    let number: f64 = match value {
        DeValue::Integer(whole) if whole.radix() == 10 => whole.as_str().parse().ok()?,
        DeValue::Float(float) => float.as_str().parse().ok()?,
        _ => return None,
    };
    (least..=most).contains(&number).then_some(number)
}

fn variant<T: ValueEnum>(value: &DeValue<'_>) -> Option<T> {
    T::from_str(value.as_str()?, false).ok()
}

fn one_of<T: ValueEnum>() -> String {
    let names: Vec<String> = T::value_variants()
        .iter()
        .filter_map(ValueEnum::to_possible_value)
        .map(|value| value.get_name().to_owned())
        .collect();
    list(names.iter().map(String::as_str))
}

/// `"a", "b" or "c"`.
pub(super) fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
        None => String::new(),
    }
}

/// Outside text, printable and not too long for a line.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 40;
    let cut = if text.chars().nth(MOST).is_some() { "…" } else { "" };
    format!("{}{cut}", printable(&text.chars().take(MOST).collect::<String>()))
}
