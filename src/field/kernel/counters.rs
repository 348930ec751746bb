//! The kernel's counters and their metrics.

use std::{borrow::Cow, sync::Arc};

use super::super::{Field, Value};
use crate::{
    findings::Counter,
    model::Counters,
    store::{Change, Moment},
};

type Fields = Field<CounterRow>;

/// One counter, or a level such as `sockstat.TCP.tw`.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterRow {
    /// Its name, as `nstat` prints it.
    pub name: Arc<str>,
    /// What it says now.
    pub value: u64,
    /// By how much it grows per second; `None` for a level, and where that is not known.
    pub rate: Option<f64>,
    /// By how much it grew since the first sample; `None` for a level, and for one that went down.
    pub grown: Option<u64>,
    /// Whether it moved within the last ten seconds: what moves now and then does not come and go.
    pub moves: bool,
    /// By how much it grew since another moment, where that is asked and known.
    pub change: Option<Change>,
    /// What it means, if somebody acts on it.
    pub told: Option<&'static Counter>,
}

impl CounterRow {
    /// The counter of that name in `moment`.
    #[must_use]
    pub fn of(moment: &Moment, name: &str) -> Option<Self> {
        let mut counters = moment.sample.counters.iter().enumerate();
        let (place, (name, value)) = counters.find(|(_, (known, _))| &***known == name)?;
        Some(Self::new(moment, place, name, value))
    }

    /// Every counter of `moment`, by name.
    pub fn all(moment: &Moment) -> impl Iterator<Item = Self> {
        let counters = moment.sample.counters.iter().enumerate();
        counters.map(|(place, (name, value))| Self::new(moment, place, name, value))
    }

    /// The counter that is at `place` among those of `moment`.
    fn new(moment: &Moment, place: usize, name: &Arc<str>, value: u64) -> Self {
        let rate = moment.counter_rates.get(place).copied().flatten();
        let level = Counters::is_gauge(name);
        let growth = || moment.sample.counters.growth(&moment.first_counters, name);
        let grown = if level { None } else { growth() };
        let moves = moment.moved.binary_search(name).is_ok();
        let told = Counter::named(name);
        Self { name: Arc::clone(name), value, rate, grown, moves, change: None, told }
    }

    /// Whether its moving is a sign of trouble.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        self.told.is_some_and(|told| told.trouble)
    }

    /// What it means; empty where nobody acts on it.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        self.told.map_or("", |told| told.meaning)
    }

    /// Its place before it is sorted otherwise, the least first: what moves and tells of trouble, what did so since the
    /// start, other explained ones, those that nobody acts on; each with what grew most first, roughly, so that rows keep
    /// their places.
    #[must_use]
    pub fn urgency(&self) -> impl Ord + use<> {
        let grew = self.grown.is_some_and(|grown| grown > 0);
        let class = match (self.is_trouble(), self.moves, grew) {
            (true, true, _) => 0,
            (true, false, true) => 1,
            (false, true, _) if self.told.is_some() => 2,
            _ if self.told.is_some() => 3,
            (_, true, _) => 4,
            _ => 5,
        };
        let size = self.grown.and_then(u64::checked_ilog2);
        (class, std::cmp::Reverse(size), self.value == 0)
    }
}

/// The metrics of a counter.
pub static COUNTERS: &[Field<CounterRow>] = &[
    Fields::left("counter", "COUNTER", 26, "Its name, as nstat prints it.", |row, _| text(&row.name)),
    Fields::right("value", "VALUE", 9, "What it says now.", |row, _| Value::Count(row.value)),
    Fields::right("per_s", "RATE", 6, "By how much it grows per second.", |row, _| {
        row.rate.map_or(Value::None, Value::Rate)
    }),
    Fields::right("grown", "GROWN", 7, "By how much it grew since twtop began.", |row, _| {
        row.grown.map_or(Value::None, Value::Count)
    }),
    Fields::right("change", "SINCE", 6, "How much more it says than at the mark, or less.", |row, _| {
        row.change.map_or(Value::None, Value::Change)
    })
    .for_people(),
    Fields::left("meaning", "MEANING", 40, "What it counts, or what it is a sign of.", |row, _| {
        text(row.meaning())
    }),
];

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}
