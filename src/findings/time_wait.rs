//! What both kinds of `TIME_WAIT` churn have in common: rates, shares and ports.

use std::time::Duration;

use super::{
    Confidence, Figure, Severity, View,
    case::{Case, figure, sockets},
    words,
};
use crate::{
    model::{Side, TcpState},
    store::{Flows, PortRange},
};

/// How long a `TIME_WAIT` really lives, at most, at `HZ=250`: 60 s and what the timer wheel adds (measured).
pub(super) const LIFE_S: f64 = 62.05;

/// Somebody should act from so many closes per second on.
pub(super) const WARN_PER_S: f64 = 10.0;
/// Fewer closes per second than these are not worth a word.
pub(super) const INFO_PER_S: f64 = 2.0;
/// Connections that live longer are no churn, however many there are.
const LONG_LIFE: Duration = Duration::from_secs(10);
/// Of connections that were meant to be closed by the other end, our end wins the race for up to 8 %, and for up to 40 %
/// where both ends close as fast as they can (measured).
const RACE: f64 = 0.2;
/// Who closes fewer than these first is not the cause of the others, and may be none of its own either.
const MOST: f64 = 0.5;
/// A rate over less time than this says little.
const LEAST_S: f64 = 3.5;

/// The closes of a case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Churn {
    /// Connections per second that our end closed first.
    pub(super) per_s: f64,
    /// The share of them in all connections, 0 to 1, as far as known.
    pub(super) share: f64,
    /// About how long half of them lived at most, where the trace told.
    pub(super) life: Option<Duration>,
    /// How sure that is.
    pub(super) confidence: Confidence,
}

impl Churn {
    /// The churn of a case; `None` if there is none worth a word, or it is the other end that closes.
    pub(super) fn of(view: &View<'_>, case: &Case<'_>, all: &[Case<'_>]) -> Option<Self> {
        // A burst is over before anybody could act on it.
        if view.flows.seconds() < LEAST_S || !case.sums.closes_steadily() {
            return None;
        }
        // Those whose peer does not close never come to TIME_WAIT: another finding.
        let states = &case.now.states;
        if states[TcpState::TimeWait] == 0 && states[TcpState::FinWait2] > 0 {
            return None;
        }
        let traced = case.sums.is_traced();
        let scale = if traced { 1.0 } else { unseen(view.flows, all) };
        let per_s = case.sums.closed_first_per_s() * scale;
        if per_s < INFO_PER_S {
            return None;
        }
        let all_per_s = if traced && case.service.side == Side::Client {
            case.sums.opened_per_s()
        } else {
            per_s + begun_otherwise(view.flows, case, all, scale)
        };
        let share = if all_per_s > per_s { per_s / all_per_s } else { 1.0 };
        if share < RACE || share < MOST && other_end_closes(case, per_s, all) {
            return None;
        }
        let life = case.sums.lifetimes().quantile(0.5).filter(|_| traced);
        let brief = case.sums.brief * 2 >= case.sums.entered;
        if life.map_or(!brief, |life| life > LONG_LIFE) {
            return None;
        }
        let confidence = if traced { Confidence::Certain } else { Confidence::Likely };
        Some(Self { per_s, share, life, confidence })
    }

    /// `severity`, but not that where the other end closes most of the connections.
    pub(super) fn severity(&self, severity: Severity) -> Severity {
        if self.share < MOST { Severity::Info } else { severity }
    }

    /// The figures of it.
    pub(super) fn figures(&self, case: &Case<'_>) -> Vec<Figure> {
        let mut figures = vec![figure("closed_first_per_s", round(self.per_s), "/s")];
        if case.sums.is_traced() && case.service.side == Side::Client {
            figures.push(figure("opened_per_s", round(case.sums.opened_per_s()), "/s"));
        }
        figures.push(figure("closed_first_share", (self.share * 100.0).round(), "%"));
        if let Some(life) = self.life {
            figures.push(figure("lifetime_median", (life.as_secs_f64() * 1e6).round() / 1000.0, "ms"));
        }
        figures.push(sockets("time_wait", case.now.states[TcpState::TimeWait]));
        figures
    }

    /// How long they live, for a sentence: `, half of which lived 4.0ms or less in the last 30 s`.
    pub(super) fn life_words(&self) -> String {
        self.life.map_or_else(String::new, |life| {
            let window = Flows::WINDOW.as_secs();
            format!(", half of which lived {} or less in the last {window} s", words::duration(life))
        })
    }
}

/// Whether the other ends of these connections are on this host, and close more of them first.
fn other_end_closes(case: &Case<'_>, per_s: f64, all: &[Case<'_>]) -> bool {
    all.iter().any(|other| {
        other.service.port == case.service.port
            && other.service.side != case.service.side
            && other.sums.closed_first_per_s() > per_s
    })
}

/// By how much the closes that samples see fall short of the exact counter: `TIME_WAIT`s that were used again at once
/// are in no table.
fn unseen(flows: &Flows, all: &[Case<'_>]) -> f64 {
    let seen: f64 = all.iter().map(|case| case.sums.closed_first_per_s()).sum();
    match flows.rate(|rates| rates.time_wait) {
        Some(exact) if seen > 0.0 => (exact / seen).clamp(1.0, 2.0),
        _ => 1.0,
    }
}

/// How many connections per second were begun on that side that no other case's closes account for: they may be of
/// this one, and have been closed by the other end.
fn begun_otherwise(flows: &Flows, case: &Case<'_>, all: &[Case<'_>], scale: f64) -> f64 {
    let side = case.service.side;
    let begun = flows.rate(|rates| if side == Side::Client { rates.opened } else { rates.accepted });
    let closed: f64 = all
        .iter()
        .filter(|other| other.service.side == side)
        .map(|other| other.sums.closed_first_per_s() * scale)
        .sum();
    begun.map_or(0.0, |begun| (begun - closed).max(0.0))
}

/// The share of the local ports, 0 to 1, that so many closes per second hold to one destination; `None` where the
/// range is not known, or the kernel may use the `TIME_WAIT`s again.
pub(super) fn ports_held(view: &View<'_>, case: &Case<'_>, per_s: f64) -> Option<f64> {
    let usable = PortRange::from_sysctls(&view.moment.sample.sysctls)?.usable;
    let local = case.service.ip.is_some_and(|ip| ip.is_loopback());
    let reusable = match view.setting("net.ipv4.tcp_tw_reuse")? {
        0 => false,
        2 => local,
        _ => true,
    };
    (usable > 0 && !reusable).then(|| per_s * LIFE_S / f64::from(usable))
}

/// A figure to one decimal.
pub(super) fn round(n: f64) -> f64 {
    (n * 10.0).round() / 10.0
}
