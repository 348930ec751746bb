//! Where the ports of a destination are going: full in so many seconds, or settling at some level.

/// What is known of the near future of one destination's ports.
#[derive(Debug, Clone, Copy)]
pub struct Outlook<'a> {
    /// Ports that a new connection to it cannot have now.
    pub held: u32,
    /// Ports that all its connections together can have.
    pub capacity: u32,
    /// How many of the ports held become free in each second from now on: the `TIME_WAIT`s that are there tell.
    pub releases: &'a [u32],
    /// Entries into `TIME_WAIT` per second, taken to go on as they are.
    pub time_wait_per_s: f64,
    /// Entries per second into the `FIN_WAIT2` of a closed descriptor that the peer does not end, taken to go on as they are.
    pub fin_wait_per_s: f64,
    /// By how many per second its connections that are not in `TIME_WAIT` become more, taken to go on so; negative if
    /// they become fewer, which ends when there are none.
    pub growth_per_s: f64,
    /// Of the ports held, those that do not become free by themselves, as those of a `TIME_WAIT` do.
    pub live: u32,
    /// For how long a `TIME_WAIT` holds its port, seconds.
    pub holds_s: f64,
    /// For how long such a `FIN_WAIT2` holds its port, seconds.
    pub fin_wait_s: f64,
}

/// What will become of a destination's ports if all goes on as it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Forecast {
    /// None is left after so many seconds; 0 if none is left now.
    Full {
        /// Seconds from now.
        in_s: f64,
    },
    /// So many will be held in the end.
    Settles {
        /// Ports.
        held: u32,
    },
}

impl Forecast {
    /// Nothing is foretold beyond so many seconds: a day.
    pub const HORIZON_S: f64 = 86_400.0;

    /// The forecast for `outlook`.
    #[must_use]
    pub fn of(outlook: &Outlook<'_>) -> Self {
        let capacity = f64::from(outlook.capacity);
        let mut level = f64::from(outlook.held);
        if level >= capacity {
            return Self::Full { in_s: 0.0 };
        }
        let mut live = f64::from(outlook.live);
        let (mut from, per_s) = (0.0, outlook.time_wait_per_s + outlook.fin_wait_per_s);
        let last = outlook.holds_s.max(if outlook.fin_wait_per_s > 0.0 { outlook.fin_wait_s } else { 0.0 });
        // Second by second, until all that is in TIME_WAIT now has gone; then what comes goes at the same rate.
        let mut releases = outlook.releases.iter().map(|&count| f64::from(count));
        loop {
            let release = releases.next();
            let returned = returned(outlook, from);
            if release.is_none() && from >= last {
                break;
            }
            let grown = outlook.growth_per_s.max(-live);
            live += grown;
            let change = per_s + grown - release.unwrap_or(0.0) - returned;
            if level + change >= capacity {
                return Self::Full { in_s: from + (capacity - level) / change };
            }
            level = (level + change).max(0.0);
            from += 1.0;
        }
        let in_s = from + (capacity - level) / outlook.growth_per_s;
        if outlook.growth_per_s > 0.0 && in_s <= Self::HORIZON_S {
            return Self::Full { in_s };
        }
        let fewer = if outlook.growth_per_s < 0.0 { live } else { 0.0 };
        Self::Settles { held: whole((level - fewer).max(0.0)) }
    }
}

/// How many of those that are yet to come and end by themselves do so in the second that begins after `from` seconds.
fn returned(outlook: &Outlook<'_>, from: f64) -> f64 {
    let ended = |holds_s: f64| (from + 1.0 - holds_s).clamp(0.0, 1.0);
    outlook.time_wait_per_s * ended(outlook.holds_s) + outlook.fin_wait_per_s * ended(outlook.fin_wait_s)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 65,536")]
fn whole(level: f64) -> u32 {
    level.round() as u32
}
