//! The rules on paper. That the kernel keeps them is for the tests in namespaces to show.

use proptest::prelude::*;

use super::*;

fn rules(settings: &[(&str, &str)]) -> PortRules {
    let sysctls =
        settings.iter().map(|(name, value)| (format!("net.ipv4.{name}"), (*value).to_owned())).collect();
    PortRules::new(&sysctls, &Host { name: "h".into(), kernel: "6.18.0".into(), hz: Some(250) })
}

fn ports(range: &str, reserved: &str) -> PortUse {
    let rules = rules(&[("ip_local_port_range", range), ("ip_local_reserved_ports", reserved)]);
    PortUse::new(&rules).expect("a range")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn the_real_life_of_a_time_wait_follows_the_tick() {
    for (hz, max_s) in [(100, 65.12), (250, 62.048), (300, 61.7067), (1000, 64.096)] {
        let life = TimeWaitLife::at(Some(hz));
        assert!((life.max_s - max_s).abs() < 1e-3, "{hz}: {life:?}");
        assert!((life.min_s - 60.0).abs() < 1e-9);
    }
    // Where the tick is not known it is the worst of them.
    assert_eq!(TimeWaitLife::at(None), TimeWaitLife::at(Some(100)));
    assert_eq!(TimeWaitLife::at(Some(0)), TimeWaitLife::at(None));
}

#[test]
fn what_can_be_taken_over_follows_the_settings() {
    let [loopback, other] = [(ip("10.0.0.1"), ip("127.9.9.9")), (ip("10.0.0.1"), ip("10.0.0.2"))];
    let v6 = (ip("::1"), ip("::1"));
    let takeover = |reuse: &str, timestamps: &str, (source, peer)| {
        rules(&[("tcp_tw_reuse", reuse), ("tcp_timestamps", timestamps)]).takeover(source, peer)
    };
    for pair in [loopback, other, v6] {
        assert_eq!(takeover("0", "1", pair), Takeover::No);
        assert_eq!(takeover("1", "0", pair), Takeover::No);
    }
    assert_eq!(takeover("2", "1", other), Takeover::No);
    for pair in [loopback, v6] {
        assert_eq!(takeover("2", "1", pair), Takeover::Yes);
        assert_eq!(takeover("1", "2", pair), Takeover::Yes);
    }
    assert_eq!(takeover("1", "1", other), Takeover::IfTimestamps);
    assert_eq!(rules(&[]).takeover(loopback.0, loopback.1), Takeover::IfTimestamps, "nothing is readable");

    let delayed = rules(&[("tcp_tw_reuse_delay", "1000")]);
    assert!(delayed.is_old_enough(1000) && !delayed.is_old_enough(900));
    assert!(delayed.is_surely_old_enough(1021) && !delayed.is_surely_old_enough(1020));
    assert!(rules(&[]).is_surely_old_enough(1021) && !rules(&[]).is_surely_old_enough(1000));
    assert!(rules(&[]).is_old_enough(0), "before 6.14 the next second may be near");
    assert!((delayed.holds_for_s(Takeover::Yes) - 1.0).abs() < 1e-9);
    assert!((delayed.holds_for_s(Takeover::IfTimestamps) - 62.048).abs() < 1e-9);
}

#[test]
fn bound_sockets_are_listed_since_linux_6_8() {
    for (release, listed) in
        [("6.18.44-fc", true), ("6.8.0", true), ("6.7.12", false), ("5.15.0-91-generic", false), ("?", true)]
    {
        assert_eq!(is_at_least(release, (6, 8)), listed, "{release}");
    }
}

#[test]
fn left_is_a_number_where_all_is_known() {
    let mut ports = ports("100 119", "105,106");
    ports.add(100, Some(true));
    for port in [101, 102, 104] {
        ports.add(port, None);
    }
    let own = Held { blocked: 3, blocked_first: 2, reusable: 0, ..Held::default() };
    let left = ports.count().left(own, 62.0);
    assert_eq!((left.left.min, left.left.max, left.usable, left.capacity), (14, 14, 18, 17));
    assert!(left.left.is_exact() && left.left.reasons().next().is_none());
    assert_eq!(left.slow, Some(false));
    assert_eq!(left.percent(), Some(4.0 * 100.0 / 18.0));
    assert_eq!(left.sustainable_per_s(), Some(17.0 / 62.0));

    // Of the three connections two go elsewhere: each may have been bound first.
    let left =
        ports.count().left(Held { blocked: 1, blocked_first: 1, reusable: 0, ..Held::default() }, 62.0).left;
    assert_eq!((left.min, left.max, left.doubt.maybe_bound), (14, 16, 2));
    assert_eq!(left.reasons().collect::<Vec<_>>(), ["bound_before_connect"]);

    // Two may be taken over.
    let left =
        ports.count().left(Held { blocked: 1, blocked_first: 0, reusable: 2, ..Held::default() }, 62.0).left;
    assert_eq!((left.min, left.max, left.doubt.maybe_bound, left.doubt.maybe_taken_over), (14, 16, 0, 2));
}

#[test]
fn what_the_trace_tells_makes_a_number_of_it() {
    let mut ports = ports("100 119", "");
    // Two of its own, one of which is a TIME_WAIT, and two of others, of which one was bound first.
    for (port, bound) in [(100, false), (101, false), (102, false), (103, true)] {
        ports.add(port, Some(bound));
    }
    let own = Held { blocked: 2, blocked_first: 1, certain: 2, certain_first: 1, ..Held::default() };
    let left = ports.count().left(own, 62.0);
    assert_eq!((left.left.min, left.left.max, left.capacity, left.slow), (17, 17, 19, Some(false)));
    assert!(left.left.is_exact() && left.left.reasons().next().is_none());

    // The TIME_WAIT may be taken over, or is.
    let maybe =
        Held { blocked: 1, blocked_first: 0, reusable: 1, certain: 2, certain_first: 1, ..Held::default() };
    let left = ports.count().left(maybe, 62.0).left;
    assert_eq!((left.min, left.max), (17, 18));
    assert_eq!(left.reasons().collect::<Vec<_>>(), ["time_wait_reuse"]);
    let sure =
        Held { blocked: 1, blocked_first: 0, reusable: 1, certain: 1, taken_over: 1, ..Held::default() };
    let left = ports.count().left(sure, 1.0).left;
    assert!(left.is_exact() && left.max == 18, "{left:?}");

    // One connection that is older than the trace makes its port doubtful, whoever else is known there.
    ports.add(102, None);
    let left = ports.count().left(own, 62.0).left;
    assert_eq!((left.min, left.max, left.doubt.maybe_bound), (16, 17, 1));
    ports.add(102, Some(true));
    let left = ports.count().left(own, 62.0).left;
    assert!(left.is_exact() && left.max == 16, "{left:?}");
}

#[test]
fn connect_is_known_to_be_slow_where_the_ports_are_known() {
    let mut ports = ports("100 109", "");
    for port in [100, 102, 104, 106, 108] {
        ports.add(port, Some(false));
    }
    let slow = |own| {
        let held =
            Held { blocked: own, blocked_first: own, certain: own, certain_first: own, ..Held::default() };
        ports.count().left(held, 62.0).slow
    };
    assert_eq!((slow(3), slow(5)), (Some(false), Some(true)));
}

#[test]
fn past_half_of_the_range_connect_is_slow() {
    let mut ports = ports("100 109", "");
    let mut slow = |port, own: u32, first| {
        ports.add(port, None);
        ports
            .count()
            .left(Held { blocked: own, blocked_first: first, reusable: 0, ..Held::default() }, 62.0)
            .slow
    };
    assert_eq!(slow(100, 1, 1), Some(false));
    assert_eq!(slow(102, 2, 2), Some(false));
    assert_eq!(slow(104, 2, 2), Some(false));
    assert_eq!(slow(106, 3, 3), Some(false));
    // Two of the half belong to others, who may have bound them.
    assert_eq!(slow(108, 3, 3), None);
    assert_eq!(slow(108, 5, 5), Some(true));
}

#[test]
fn an_odd_range_leaves_one_end_out() {
    let mut odd = ports("100 104", "");
    let left = |ports: &PortUse, blocked| ports.count().left(Held { blocked, ..Held::default() }, 62.0).left;
    assert_eq!((left(&odd, 0).min, left(&odd, 0).max, left(&odd, 0).doubt.odd_range), (4, 5, true));
    odd.add(100, None);
    odd.add(104, None);
    assert_eq!((left(&odd, 2).min, left(&odd, 2).max, left(&odd, 2).doubt.odd_range), (3, 3, false));
    assert!(left(&ports("100 100", ""), 0).is_exact(), "one port is tried");
    assert!(left(&ports("100 103", ""), 0).is_exact());
    assert_eq!(ports("100 104", "").left_to_bind(&PortSet::default()).min, 4);
}

/// A socket on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// Of the destination, with a port of `connect()`'s choice or one that it was bound to, as far as that is known.
    Own(Option<bool>),
    /// As before, a `TIME_WAIT` that may be taken over, or is for sure.
    Reusable(Option<bool>, bool),
    /// Of another destination.
    Other(Option<bool>),
    /// Of nobody's client side.
    Listener,
}

impl On {
    /// Whether nobody else can have its port.
    fn exclusive(self) -> Option<bool> {
        match self {
            Self::Own(bound) | Self::Reusable(bound, _) | Self::Other(bound) => bound,
            Self::Listener => Some(true),
        }
    }

    fn is_own(self) -> bool {
        matches!(self, Self::Own(_) | Self::Reusable(..))
    }
}

fn on() -> impl Strategy<Value = On> {
    let bound = || prop_oneof![Just(None), Just(Some(false)), Just(Some(true))];
    prop_oneof![
        3 => bound().prop_map(On::Own),
        3 => (bound(), any::<bool>()).prop_map(|(bound, sure)| On::Reusable(bound, sure)),
        3 => bound().prop_map(On::Other),
        1 => Just(On::Listener),
    ]
}

/// Ports, and what is on each; a port may come more than once.
fn uses() -> impl Strategy<Value = Vec<(u16, On)>> {
    proptest::collection::vec((100..160_u16, on()), 0..80)
}

/// What `uses` leave, and the same told port by port. A destination has one socket of its own on a port, the first.
fn counted(uses: &[(u16, On)], high: u16, reserved: &str) -> (DestinationPorts, (u32, u32)) {
    let mut ports = ports(&format!("100 {high}"), reserved);
    let mut kept: Vec<(u16, On)> = Vec::new();
    for &(port, on) in uses {
        if !on.is_own() || !kept.iter().any(|&(used, other)| used == port && other.is_own()) {
            kept.push((port, on));
            ports.add(port, on.exclusive());
        }
    }
    let (mut held, mut least, mut most) = (Held::default(), 0, 0);
    for port in (100..=high).filter(|&port| ports.is_usable(port) && !ports.is_exclusive(port)) {
        let own = kept.iter().find(|&&(used, on)| used == port && on.is_own()).map(|&(_, on)| on);
        let (blocked, reusable) = (matches!(own, Some(On::Own(_))), matches!(own, Some(On::Reusable(..))));
        let clean = !ports.is_doubtful(port);
        let sure = clean && matches!(own, Some(On::Reusable(_, true)));
        let (certain, first) = (clean && own.is_some() && !sure, ports.is_first(port));
        held.blocked += u32::from(blocked);
        held.blocked_first += u32::from(blocked && first);
        held.reusable += u32::from(reusable);
        held.certain += u32::from(certain);
        held.certain_first += u32::from(certain && first);
        held.taken_over += u32::from(sure);
        least += u32::from(clean && (own.is_none() || sure));
        most += u32::from(!blocked);
    }
    (ports.count().left(held, 62.0), (least, most))
}

proptest! {
    #[test]
    fn the_interval_is_what_the_ports_say_and_more_sockets_never_leave_more(
        (uses, more, high) in (uses(), (100..160_u16, on()), 100..170_u16),
        reserved in prop_oneof![Just(""), Just("100-104"), Just("110,112,159")],
    ) {
        let (before, (least, most)) = counted(&uses, high, reserved);
        let (left, doubt) = (before.left, before.left.doubt);
        prop_assert_eq!(left.max, most);
        let odd = u32::from(high % 2 == 0 && high > 100);
        prop_assert!(left.min <= least && least <= left.min + odd, "{:?} where {} are left", left, least);
        prop_assert!(left.max <= before.capacity && before.capacity <= before.usable);
        prop_assert_eq!(left.max, before.capacity - before.blocked);
        let told = doubt.maybe_bound + doubt.maybe_taken_over + u32::from(doubt.odd_range);
        prop_assert!(left.max - left.min <= told, "every port of the interval has its reason: {:?}", before);
        if left.is_exact() && odd == 0 {
            prop_assert_eq!(doubt, Doubt::default());
        }

        let (after, _) = counted(&[uses, vec![more]].concat(), high, reserved);
        // The end that an odd range loses may be a port that the destination holds itself: the counts do not tell, and allow
        // for one less than there is until another socket makes that end doubtful anyway.
        prop_assert!(after.left.min <= left.min + odd && after.left.max <= left.max);
        prop_assert!(after.capacity <= before.capacity && after.usable == before.usable);
    }

    #[test]
    fn binding_finds_fewer_ports_the_more_are_taken(taken in proptest::collection::vec(90..170_u16, 0..80), high in 100..165_u16) {
        let ports = ports(&format!("100 {high}"), "101,140-150");
        let mut set = PortSet::default();
        let mut before = ports.left_to_bind(&set);
        for port in taken {
            set.insert(port);
            let after = ports.left_to_bind(&set);
            prop_assert!(after.min <= after.max && after.max - after.min <= 1);
            prop_assert!(after.max <= before.max && after.min <= before.min);
            before = after;
        }
    }

    #[test]
    fn a_forecast_is_of_what_there_is(
        held in 0..30_000_u32, capacity in 0..30_000_u32, rate in 0.0..2000.0_f64, growth in -50.0..50.0_f64,
        releases in proptest::collection::vec(0..400_u32, 0..63),
    ) {
        let live = held.saturating_sub(releases.iter().sum());
        let outlook = Outlook {
            held, capacity, releases: &releases, time_wait_per_s: rate, fin_wait_per_s: rate / 9.0, growth_per_s: growth,
            live, holds_s: 61.0, fin_wait_s: 30.0,
        };
        match Forecast::of(&outlook) {
            Forecast::Full { in_s } => prop_assert!((0.0..=Forecast::HORIZON_S).contains(&in_s)),
            Forecast::Settles { held } => prop_assert!(held <= capacity),
        }
    }
}

fn outlook(held: u32, releases: &[u32], time_wait_per_s: f64, growth_per_s: f64) -> Forecast {
    outlook_with(held, releases, time_wait_per_s, growth_per_s, 0.0)
}

fn outlook_with(
    held: u32,
    releases: &[u32],
    time_wait_per_s: f64,
    growth_per_s: f64,
    fin_wait_per_s: f64,
) -> Forecast {
    let live = held - releases.iter().sum::<u32>();
    Forecast::of(&Outlook {
        held,
        capacity: 1000,
        releases,
        time_wait_per_s,
        fin_wait_per_s,
        growth_per_s,
        live,
        holds_s: 60.0,
        fin_wait_s: 20.0,
    })
}

#[test]
fn what_comes_faster_than_it_goes_fills_the_range() {
    // 20 a second from nothing: 1000 after 50 s, before the first one is gone.
    assert_eq!(outlook(0, &[], 20.0, 0.0), Forecast::Full { in_s: 50.0 });
    assert_eq!(outlook(500, &[], 20.0, 0.0), Forecast::Full { in_s: 25.0 });
    assert_eq!(outlook(1000, &[], 0.0, 0.0), Forecast::Full { in_s: 0.0 });
    // What is there goes first, as it tells.
    let mut releases = [0; 61];
    releases[10] = 400;
    assert_eq!(outlook(500, &releases, 20.0, 0.0), Forecast::Full { in_s: 45.0 });
}

#[test]
fn what_goes_as_fast_as_it_comes_settles() {
    assert_eq!(outlook(0, &[], 10.0, 0.0), Forecast::Settles { held: 600 });
    assert_eq!(outlook(600, &[10; 60], 10.0, 0.0), Forecast::Settles { held: 600 });
    assert_eq!(outlook(600, &[10; 60], 0.0, 0.0), Forecast::Settles { held: 0 });
    assert_eq!(outlook(100, &[], 0.0, 0.0), Forecast::Settles { held: 100 });
    assert_eq!(outlook(100, &[], 0.0, -30.0), Forecast::Settles { held: 0 });
}

#[test]
fn a_fin_wait2_ends_by_itself_as_others_are_born() {
    assert_eq!(outlook_with(200, &[10; 20], 0.0, 0.0, 10.0), Forecast::Settles { held: 200 });
    assert_eq!(outlook_with(0, &[], 0.0, 0.0, 10.0), Forecast::Settles { held: 200 });
    assert_eq!(outlook_with(0, &[], 5.0, 0.0, 10.0), Forecast::Settles { held: 500 });
    assert_eq!(outlook_with(0, &[], 0.0, 0.0, 100.0), Forecast::Full { in_s: 10.0 });
}

#[test]
fn a_leak_fills_the_range_late() {
    assert_eq!(outlook(100, &[], 0.0, 1.0), Forecast::Full { in_s: 900.0 });
    assert_eq!(outlook(100, &[], 0.0, 0.001), Forecast::Settles { held: 100 }, "not within a day");
}
