//! The kernel's settings and their metrics.

use std::{borrow::Cow, sync::Arc};

use super::super::{Field, Value};
use crate::{
    findings::{Finding, FindingId, Topic, settings},
    store::Moment,
};

type Fields = Field<SettingRow>;

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingRow {
    /// Its name, as `sysctl` prints it.
    pub name: Arc<str>,
    /// What it is set to.
    pub value: String,
    /// What the kernel sets it to by itself; `None` where that is not the same everywhere.
    pub default: Option<&'static str>,
    /// The text about it.
    pub topic: Option<&'static Topic>,
    /// The worst finding that names it.
    pub finding: Option<FindingId>,
    /// What it was set to at another moment, where that is asked and known.
    pub then: Option<String>,
}

impl SettingRow {
    /// Every setting of `moment`, by name. `findings` is what is wrong by then, the worst first.
    pub fn all<'a>(moment: &'a Moment, findings: &'a [Finding]) -> impl Iterator<Item = Self> + 'a {
        moment.sample.sysctls.iter().map(|(name, value)| Self::new(name, value, findings))
    }

    fn new(name: &str, value: &str, findings: &[Finding]) -> Self {
        Self {
            name: name.into(),
            value: value.to_owned(),
            default: settings::default_of(name),
            topic: Topic::named(name),
            finding: findings
                .iter()
                .find(|finding| Self::is_named_by(name, finding))
                .map(|finding| finding.id),
            then: None,
        }
    }

    /// The setting of that name.
    #[must_use]
    pub fn of(moment: &Moment, findings: &[Finding], name: &str) -> Option<Self> {
        moment.sample.sysctls.get(name).map(|value| Self::new(name, value, findings))
    }

    /// Whether a finding tells of the setting of that name: as its cause, or as something to change.
    #[must_use]
    pub fn is_named_by(name: &str, finding: &Finding) -> bool {
        let texts = [&finding.summary, &finding.why].into_iter().chain(&finding.advice);
        texts.into_iter().any(|text| settings::mentions(text, name))
    }

    /// Its name without what stands before the last dot.
    #[must_use]
    pub fn short(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// Whether it is known to be set to something else than the kernel sets it to.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.default.is_some_and(|default| default != self.value)
    }

    /// What it is for, in a sentence.
    #[must_use]
    pub fn purpose(&self) -> &'static str {
        self.topic.map_or("", |topic| topic.line)
    }

    /// What is special about it; empty for nothing.
    #[must_use]
    pub fn note(&self) -> String {
        match (self.finding, self.is_changed()) {
            (Some(id), true) => format!("changed, {id}"),
            (Some(id), false) => id.to_string(),
            (None, true) => "changed".to_owned(),
            (None, false) => String::new(),
        }
    }

    /// Its place before it is sorted otherwise, the least first: what a finding names, then what was changed.
    #[must_use]
    pub fn urgency(&self) -> impl Ord + use<> {
        (self.finding.is_none(), !self.is_changed())
    }
}

/// The metrics of a setting.
pub static SETTINGS: &[Field<SettingRow>] = &[
    Fields::left("setting", "SETTING", 24, "Its name, as sysctl prints it.", |row, _| {
        Value::Text(Cow::Borrowed(&row.name))
    }),
    Fields::left("value", "VALUE", 14, "What it is set to.", |row, _| Value::Text(Cow::Borrowed(&row.value))),
    Fields::left(
        "default",
        "DEFAULT",
        12,
        "What the kernel sets it to by itself, where that is the same everywhere.",
        |row, _| row.default.map_or(Value::None, |default| Value::Text(Cow::Borrowed(default))),
    ),
    Fields::left(
        "note",
        "NOTE",
        7,
        "Whether it is not the kernel's default, and which finding names it.",
        |row, _| match row.note() {
            note if note.is_empty() => Value::None,
            note => Value::Text(Cow::Owned(note)),
        },
    ),
    Fields::left("change", "SINCE", 14, "What it was set to at the mark, if something else.", |row, _| {
        match &row.then {
            Some(then) if *then != row.value => Value::Text(Cow::Owned(format!("was {then}"))),
            then => then.as_ref().map_or(Value::None, |_| Value::Text(Cow::Borrowed(""))),
        }
    })
    .for_people(),
    Fields::left("purpose", "WHAT FOR", 40, "What it is for, and in parentheses its default.", |row, _| {
        Value::Text(Cow::Borrowed(row.purpose()))
    }),
];
