//! The rows of the kernel's view: counters, settings and limits, narrowed by words and put in order.

use super::{
    scene::{KernelRows, Look},
    select,
    view::{Pane, View},
};
use crate::field::{Context, CounterRow, LimitRow, SettingRow};

/// What the view shows of the kernel at that moment. Before a table is sorted otherwise, what tells of trouble comes
/// first.
pub(super) fn rows(view: &View, look: &Look, fields: &Context) -> KernelRows {
    let (page, moment) = (view.page(), &*look.moment);
    let names = view.names.clone();
    let words = words(&names);
    let mut counters: Vec<_> = CounterRow::all(moment).collect();
    let mut settings: Vec<_> = SettingRow::all(moment, &look.findings).collect();
    let mut limits: Vec<_> = LimitRow::all(moment).collect();
    let all = counters.len() + settings.len() + limits.len();
    counters.retain(|row| fits(&words, &[&row.name, row.meaning()]));
    settings.retain(|row| fits(&words, &[&row.name, row.purpose()]));
    limits.retain(|row| fits(&words, &[row.name, &row.title, row.consequence]));
    counters.sort_by_cached_key(CounterRow::urgency);
    settings.sort_by_key(SettingRow::urgency);
    limits.sort_by(|a, b| b.percent().total_cmp(&a.percent()));
    select::order(page, Pane::Counters, &mut counters, fields);
    select::order(page, Pane::Settings, &mut settings, fields);
    select::order(page, Pane::Limits, &mut limits, fields);
    KernelRows { names, counters, settings, limits, all }
}

/// What was typed, as words in small letters.
fn words(names: &str) -> Vec<String> {
    names.split_whitespace().map(str::to_lowercase).collect()
}

/// Whether every word occurs in one of the texts.
fn fits(words: &[String], texts: &[&str]) -> bool {
    if words.is_empty() {
        return true;
    }
    let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    words.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
}

impl KernelRows {
    /// How many rows are left.
    pub(super) fn kept(&self) -> usize {
        self.counters.len() + self.settings.len() + self.limits.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_occur_in_the_name_or_the_meaning() {
        let texts = ["TcpExtListenOverflows", "accept queue full: a process accepts too slowly"];
        let kept = |typed: &str| fits(&words(typed), &texts);
        assert!(kept("") && kept("  ") && kept("listen") && kept("QUEUE overflow"));
        assert!(!kept("listen syn"));
    }
}
