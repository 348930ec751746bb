//! The columns of the kernel's view.

use ratatui::style::Style;

use super::{CHANGE, Column, Shown, change_style, figure, gauge, text};
use crate::{
    field::{CounterRow, LimitRow, SettingRow, format},
    model::Counters,
    ui::{
        Theme,
        table::Frame,
        text::{fit_figures, fit_middle, width},
    },
};

pub(super) static COUNTERS: &[Column] = &[
    text("counter", "", [18, 26, 34], 1),
    figure("value", "", 9, 3),
    figure(CHANGE, "", 6, 1),
    figure("per_s", "", 6, 1),
    figure("grown", "", 7, 9),
    text("meaning", "", [16, 44, 70], 4),
];

pub(super) static SETTINGS: &[Column] = &[
    text("setting", "", [18, 24, 36], 4),
    // As wide as three sizes of buffers.
    text("value", "", [9, 20, 24], 1),
    text(CHANGE, "", [9, 13, 24], 2),
    text("default", "", [9, 11, 24], 8),
    text("note", "", [7, 16, 36], 5),
    text("purpose", "", [16, 22, 90], 3),
];

pub(super) static LIMITS: &[Column] = &[
    text("limit", "", [18, 22, 32], 1),
    figure("value", "", 6, 1),
    figure(CHANGE, "", 6, 2),
    figure("max", "", 6, 3),
    text("percent", "", [5, 14, 24], 3),
    text("consequence", "", [18, 44, 60], 4),
];

/// A setting that was changed, and that a finding names.
const BOTH: &str = "changed, finding";
/// A setting without a value.
const EMPTY: &str = "(none)";

impl Shown for CounterRow {
    fn cell(key: &str, row: &Self, frame: &Frame<'_>, cells: usize) -> Option<String> {
        match key {
            "counter" => Some(fit_middle(&row.name, cells, frame.theme.glyphs.ellipsis).into_owned()),
            // All digits while they fit.
            "value" => Some(format::grouped(row.value)).filter(|text| width(text) <= cells),
            "per_s" if Counters::is_gauge(&row.name) => Some("level".to_owned()),
            _ => None,
        }
    }

    fn style(key: &str, row: &Self, theme: &Theme) -> Option<Style> {
        match key {
            CHANGE => change_style(key, row.change, theme),
            "meaning" if row.moves => Some(theme.head()),
            "counter" if row.is_trouble() && row.moves => Some(theme.warning()),
            _ if !row.moves => Some(theme.dim()),
            _ => None,
        }
    }
}

impl Shown for SettingRow {
    fn cell(key: &str, row: &Self, frame: &Frame<'_>, cells: usize) -> Option<String> {
        let ellipsis = frame.theme.glyphs.ellipsis;
        match key {
            // What stands before the last dot is the same for nearly all.
            "setting" => Some(fit_middle(row.short(), cells, ellipsis).into_owned()),
            "value" if row.value.is_empty() => Some(EMPTY.to_owned()),
            "default" if row.default == Some("") => Some(EMPTY.to_owned()),
            "note" if row.note().is_empty() => Some(String::new()),
            "value" => Some(fit_figures(&row.value, cells, ellipsis).into_owned()),
            "default" => Some(fit_figures(row.default?, cells, ellipsis).into_owned()),
            // The finding is worth more than that somebody chose the value.
            "note" if width(&row.note()) > cells => Some(match row.finding {
                Some(_) if row.is_changed() && cells >= BOTH.len() => BOTH.to_owned(),
                Some(_) if row.is_changed() && cells < 12 => "both".to_owned(),
                Some(_) if cells < 12 => "finding".to_owned(),
                Some(id) => fit_figures(id.name(), cells, ellipsis).into_owned(),
                None => return None,
            }),
            _ => None,
        }
    }

    fn style(key: &str, row: &Self, theme: &Theme) -> Option<Style> {
        match key {
            "purpose" | "default" => Some(theme.head()),
            "note" if row.finding.is_some() => Some(theme.warning()),
            "value" if row.is_changed() => Some(theme.strong()),
            CHANGE => Some(theme.warning()),
            _ => None,
        }
    }
}

impl Shown for LimitRow {
    fn cell(key: &str, row: &Self, frame: &Frame<'_>, cells: usize) -> Option<String> {
        match key {
            "percent" => gauge(row.percent(), cells, frame.theme),
            "value" => Some(format::grouped(row.limit.value)).filter(|text| width(text) <= cells),
            "max" => Some(format::grouped(row.max()?)).filter(|text| width(text) <= cells),
            _ => None,
        }
    }

    fn style(key: &str, row: &Self, theme: &Theme) -> Option<Style> {
        match key {
            "consequence" => Some(theme.head()),
            CHANGE => change_style(key, row.change, theme),
            _ => None,
        }
    }
}
