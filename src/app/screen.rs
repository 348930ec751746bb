//! The screen's loop: the one mutator of history and view. It waits for keys, moments, ticks and signals, and never
//! for the sampler; what would take long (counting a large table anew) runs beside it.

use std::{future::poll_fn, io, sync::Arc, task::Poll, time::Duration};

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt as _;
use rustix::process;
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::{
    EXIT_DONE, RunError, SOCKET_CODEC, clipboard, export_part,
    pace::{Meter, Pace},
    sampler::Sampler,
    sampling_config, terminal,
};
use crate::{
    cli::{Common, NetnsArg},
    findings::Watch,
    model::{Inspected, ProcKey, Sample, Stamp},
    query::SsCommand,
    source::{Inspector, TraceStart, clock, live::SOCK_DIAG},
    store::{History, Moment},
    ui::{
        self, Data, Effect, ExportRequest, Filter, Input, Link, Look, Message, Past, Scene, Selection,
        Sources, Theme, View, command::Command, scene,
    },
};

/// Up to this many sockets are counted within the loop: about a millisecond. Larger tables are counted beside it.
const INLINE_SOCKETS: usize = 10_000;

/// How many characters of a paste are taken.
const PASTE: usize = 4096;

/// After how many broken dumps in a row the last good sample is given up.
const PATIENCE: u32 = 5;

/// How long a terminal that does not read may hold up the end that a key asks for: a link that was broken for a moment
/// finds the terminal as it was. Asked for once more, it is not waited for.
const FAREWELL: Duration = Duration::from_secs(30);

/// Opens the screen and runs it to its end; yields the exit code.
pub(super) fn run(common: &Common) -> Result<u8, RunError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    // The sampler starts first: its first look goes on while the terminal is taken over.
    let sampler = Sampler::start(sampling_config(common, TraceStart::AfterFirst))?;
    let ended = runtime.block_on(async {
        let signals = Signals::new().map_err(RunError::Runtime)?;
        App::new(common).map_err(RunError::Terminal)?.run(sampler, signals).await
    });
    // Work beside the loop (a count of a large table) is not waited for.
    runtime.shutdown_background();
    ended
}

/// A finished count, with what it is of.
type Counted = (Look, Selection);

struct App {
    screen: terminal::Screen,
    /// Whether something happened that the last frame does not show.
    outdated_screen: bool,
    theme: Theme,
    view: View,
    history: History,
    /// The looks that can be gone back to.
    past: Past,
    /// What is wrong, as far as it holds.
    watch: Watch,
    /// The newest moment that arrived, with what was found by then.
    newest: Option<Look>,
    /// What is on screen: a look and what the view selects of it, always of one another.
    ready: Option<Counted>,
    /// The count under way beside the loop.
    counting: Option<JoinHandle<Box<Counted>>>,
    /// Whether the view or the moment changed since that count began.
    outdated: bool,
    /// The export under way beside the loop.
    exporting: Option<JoinHandle<Message>>,
    inspector: Inspector,
    /// The process that a page is about.
    subject: Option<ProcKey>,
    inspected: Option<Inspected>,
    now: Stamp,
    /// Why the newest dump broke off, if it did.
    trouble: Option<String>,
    /// How many dumps in a row broke off.
    broken: u32,
    /// The network namespace looked at, and what it is called on screen.
    place: NetnsArg,
    netns: Option<String>,
    /// Which moments are shown.
    pace: Pace,
    /// What goes to the terminal.
    meter: Meter,
    /// What the loop does next, asked for by a key.
    next: Next,
}

/// What happens after the present event is dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Suspend,
    /// Leave once the terminal has read what gives it back.
    Leave,
    /// Leave now, with that exit code.
    Quit(u8),
}

/// What the loop woke up for.
enum Woken {
    Terminal(Option<io::Result<Event>>),
    Moment(Option<Arc<Moment>>),
    Counted(Box<Counted>),
    Exported(Message),
    Tick,
    Written(io::Result<()>),
    Stopped,
    Continued,
    Killed(u8),
}

impl App {
    fn new(common: &Common) -> io::Result<Self> {
        let filter = Filter { text: common.filter_text.clone(), query: common.query.clone() };
        let screen = terminal::Screen::take()?;
        Ok(Self {
            screen,
            outdated_screen: true,
            theme: Theme::drawn(common.palette, common.graphs),
            view: View::new(crossterm::terminal::size()?, filter).with_settings(Arc::clone(&common.settings)),
            history: History::default(),
            past: Past::new(
                usize::try_from(common.history_mib).unwrap_or(usize::MAX).saturating_mul(1 << 20),
            )
            .packed_by(SOCKET_CODEC),
            watch: Watch::new(),
            newest: None,
            ready: None,
            counting: None,
            outdated: false,
            exporting: None,
            inspector: Inspector::new(),
            subject: None,
            inspected: None,
            now: clock::stamp(),
            trouble: None,
            broken: 0,
            place: common.netns.clone(),
            netns: match &common.netns {
                NetnsArg::Own => None,
                NetnsArg::Pid(pid) => Some(format!("of PID {pid}")),
                NetnsArg::Name(name) => Some(name.clone()),
            },
            pace: Pace::new(common.slow),
            meter: Meter::default(),
            next: Next::GoOn,
        })
    }

    async fn run(&mut self, mut sampler: Sampler, mut signals: Signals) -> Result<u8, RunError> {
        let mut keys = EventStream::new();
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // While a frame is on its way the next one waits, and shows what is newest then.
            if self.outdated_screen && !self.screen.is_busy() {
                self.draw().map_err(RunError::Terminal)?;
                self.outdated_screen = false;
            }
            let woken = tokio::select! {
                biased;
                code = signals.kill.arrives() => Woken::Killed(code),
                _ = signals.continued.recv() => Woken::Continued,
                _ = signals.stop.recv() => Woken::Stopped,
                written = self.screen.written() => Woken::Written(written),
                event = keys.next() => Woken::Terminal(event),
                counted = finished(&mut self.counting) => Woken::Counted(counted),
                message = finished(&mut self.exporting) => Woken::Exported(message),
                moment = sampler.moments.recv() => Woken::Moment(moment),
                _ = tick.tick() => Woken::Tick,
            };
            self.now = clock::stamp();
            if !matches!(woken, Woken::Written(_) | Woken::Tick | Woken::Moment(_) | Woken::Counted(_)) {
                self.outdated_screen = true;
                // A key is answered with what is newest.
                if self.pace.catches_up() {
                    self.count();
                }
            }
            self.handle(woken)?;
            match std::mem::replace(&mut self.next, Next::GoOn) {
                Next::GoOn => {}
                Next::Leave => return Ok(self.leave(&mut keys, &mut signals).await),
                Next::Quit(code) => return Ok(code),
                Next::Suspend => {
                    self.screen.suspend(&mut signals.continued).await.map_err(RunError::Terminal)?;
                }
            }
        }
    }

    /// Gives the terminal back, and waits until it has read that, but not for ever; yields the exit code.
    async fn leave(&mut self, keys: &mut EventStream, signals: &mut Signals) -> u8 {
        let patience = tokio::time::sleep(FAREWELL);
        tokio::pin!(patience);
        self.screen.begin_to_leave();
        let mut code = EXIT_DONE;
        while self.screen.is_busy() {
            tokio::select! {
                biased;
                killed = signals.kill.arrives() => {
                    code = killed;
                    break;
                }
                written = self.screen.written() => if written.is_err() { break },
                event = keys.next() => if self.is_enough(event.as_ref()) { break },
                () = &mut patience => break,
            }
        }
        terminal::Screen::part();
        code
    }

    /// Whether somebody who leaves already asks for it once more, or the terminal has gone.
    fn is_enough(&self, event: Option<&io::Result<Event>>) -> bool {
        match event {
            Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                self.view.settings.keymap.command(key) == Some(Command::Quit)
            }
            Some(Ok(_)) => false,
            Some(Err(_)) | None => true,
        }
    }

    fn handle(&mut self, woken: Woken) -> Result<(), RunError> {
        match woken {
            Woken::Terminal(Some(Ok(event))) => input(event).into_iter().for_each(|input| self.input(input)),
            Woken::Terminal(Some(Err(error))) => return Err(RunError::Terminal(error)),
            // End of input: the terminal has gone.
            Woken::Terminal(None) => self.next = Next::Quit(EXIT_DONE),
            Woken::Moment(Some(moment)) => self.moment(moment),
            Woken::Moment(None) => return Err(RunError::SamplerStopped),
            Woken::Counted(counted) => self.counted(*counted),
            Woken::Exported(message) => self.input(Input::Notice(message)),
            Woken::Written(written) => written.map_err(RunError::Terminal)?,
            Woken::Stopped => self.next = Next::Suspend,
            Woken::Continued => self.screen.resume().map_err(RunError::Terminal)?,
            Woken::Killed(code) => self.next = Next::Quit(code),
            Woken::Tick => self.tick(),
        }
        Ok(())
    }

    /// A second has passed, which is seen only where it makes a moment old.
    fn tick(&mut self) {
        self.meter.note(self.now.since_boot, self.screen.bytes());
        let counted = self.ready.as_ref().map(|(look, _)| look);
        let live = if self.view.is_held() { self.newest.as_ref() } else { counted };
        let stale = |look: &Look| {
            scene::stale(&look.moment, self.now, self.trouble.is_some(), self.pace.is_slow()).is_some()
        };
        self.outdated_screen |= live.is_some_and(stale);
    }

    fn input(&mut self, input: Input) {
        let effects = {
            let held = self.view.playhead.history().cloned();
            let data = self.ready.as_ref().map(|(look, selection)| Data {
                moment: &look.moment,
                findings: &look.findings,
                selection,
                history: held.as_deref().unwrap_or(&self.history),
            });
            let sources = Sources { live: self.newest.as_ref(), past: &self.past, history: &self.history };
            ui::update(&mut self.view, input, data, sources)
        };
        for effect in effects {
            self.effect(effect);
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Quit => self.next = Next::Leave,
            Effect::Suspend => self.next = Next::Suspend,
            Effect::Redraw => self.screen.repaint(),
            Effect::Select => self.count(),
            Effect::Inspect(key) => {
                self.subject = Some(key);
                self.inspect();
            }
            Effect::StopInspecting => {
                self.subject = None;
                self.inspected = None;
            }
            Effect::Copy(command) => self.copy(command),
            Effect::Export(request) => self.export(request),
        }
    }

    /// Writes a file beside the loop; one at a time, so that each is told of.
    fn export(&mut self, request: ExportRequest) {
        if self.exporting.is_some() {
            let text = "Not exported: the last export is still being written.".to_owned();
            return self.input(Input::Notice(Message { text, failure: true }));
        }
        let write = move || export_part::write(&request);
        self.exporting = Some(tokio::task::spawn_blocking(write));
    }

    /// Copies a command line, made for the namespace that is looked at.
    fn copy(&mut self, command: SsCommand) {
        let message = match clipboard::within(&self.place, command) {
            Ok(command) if self.screen.copy(&command.line) => command.told(),
            Ok(_) => {
                Message { text: "Not copied: the terminal is too far behind.".to_owned(), failure: true }
            }
            Err(why) => Message { text: format!("Not copied: {why}."), failure: true },
        };
        self.input(Input::Notice(message));
    }

    /// A finished moment arrived. One whose dump broke off is told about, and the last good one stays on screen; if every
    /// dump breaks off (a kernel that says something we cannot read), what there is is better than what was. It is drawn
    /// once it is counted; where the picture is held or told about, at once.
    fn moment(&mut self, moment: Arc<Moment>) {
        self.trouble = (!moment.sample.complete).then(|| trouble(&moment.sample));
        self.broken = if self.trouble.is_some() { self.broken + 1 } else { 0 };
        let passing = self.broken <= PATIENCE || moment.sample.sockets.is_empty();
        self.outdated_screen |= self.trouble.is_some() || self.view.is_held();
        if self.trouble.is_some() && self.newest.is_some() && passing {
            return;
        }
        self.history.push(&moment);
        self.watch.push(&moment, &self.history);
        let look = Look { moment, findings: self.watch.findings().into() };
        self.past.push(&look);
        self.newest = Some(look);
        self.inspect();
        let left_out = self.ready.is_some() && self.pace.leaves_out();
        if !self.view.is_held() && !left_out {
            self.count();
        }
    }

    fn inspect(&mut self) {
        self.inspected = self.subject.and_then(|key| self.inspector.look(key, self.now.wall));
    }

    /// Counts the shown moment as the view wants it: at once if it is small, else beside the loop.
    fn count(&mut self) {
        let Some(look) = self.view.shown(self.newest.as_ref()).cloned() else { return };
        if look.moment.sample.sockets.len() <= INLINE_SOCKETS {
            self.counting = None;
            let selection = ui::select(&self.view, &look);
            self.show((look, selection));
        } else if self.counting.is_some() {
            self.outdated = true;
        } else {
            self.outdated = false;
            let view = self.view.clone();
            self.counting = Some(tokio::task::spawn_blocking(move || {
                let selection = ui::select(&view, &look);
                Box::new((look, selection))
            }));
        }
    }

    /// A count beside the loop is done; if the view or the moment changed meanwhile, another follows.
    fn counted(&mut self, counted: Counted) {
        self.show(counted);
        if self.outdated {
            self.count();
        }
    }

    fn show(&mut self, counted: Counted) {
        self.ready = Some(counted);
        self.outdated_screen = true;
        self.input(Input::Refreshed);
    }

    fn draw(&mut self) -> io::Result<()> {
        // Unless a moment is held, what is live on screen is the newest moment that has been counted.
        let counted = self.ready.as_ref().map(|(look, _)| look);
        let live = if self.view.is_held() { self.newest.as_ref() } else { counted };
        let scene = Scene {
            view: &self.view,
            live,
            selection: self.ready.as_ref().map(|(_, selection)| selection),
            history: &self.history,
            past: &self.past,
            inspected: self.inspected.as_ref(),
            theme: &self.theme,
            now: Some(self.now),
            trouble: self.trouble.as_deref(),
            netns: self.netns.as_deref(),
            link: Link { slow: self.pace.is_slow(), bytes_per_s: self.meter.per_s() },
        };
        self.screen.draw(|buffer, area| ui::render(buffer, area, &scene))
    }
}

/// Why the dump of a sample broke off: the faults of the dump so far.
fn trouble(sample: &Sample) -> String {
    let told: Vec<String> = sample
        .faults
        .iter()
        .filter(|fault| fault.place == SOCK_DIAG)
        .map(|fault| format!("{} ({} times)", fault.kind, fault.count))
        .collect();
    if told.is_empty() { "the dump broke off".to_owned() } else { told.join(", ") }
}

/// Waits for work beside the loop, for ever if there is none.
async fn finished<T>(work: &mut Option<JoinHandle<T>>) -> T {
    let Some(handle) = work else { return std::future::pending().await };
    let done = handle.await.expect("a panic ends the program before this");
    *work = None;
    done
}

/// What a terminal event means to the view.
fn input(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Input::Key(key)),
        Event::Mouse(mouse) => Some(Input::Mouse(mouse)),
        // Nothing that is typed here is longer; a whole file pasted by mistake must not hold up the loop.
        Event::Paste(text) => Some(Input::Paste(text.chars().take(PASTE).collect())),
        Event::Resize(width, height) => Some(Input::Resized(width, height)),
        Event::Key(_) | Event::FocusGained | Event::FocusLost => None,
    }
}

/// The signals that the loop obeys.
struct Signals {
    kill: KillSignals,
    stop: Signal,
    continued: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let other = |which: process::Signal| signal(SignalKind::from_raw(which.as_raw()));
        let kill = [
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::quit(),
            SignalKind::alarm(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
        ];
        let kill = kill.into_iter().map(|kind| Ok((kind.as_raw_value(), signal(kind)?)));
        Ok(Self {
            kill: KillSignals(kill.collect::<io::Result<_>>()?),
            stop: other(process::Signal::TSTP)?,
            continued: other(process::Signal::CONT)?,
        })
    }
}

/// The signals that would end a program, and end this one with the terminal as it was.
struct KillSignals(Vec<(i32, Signal)>);

impl KillSignals {
    /// Waits for one of them; yields the exit code that a shell expects, 128 + its number.
    async fn arrives(&mut self) -> u8 {
        poll_fn(|context| {
            let arrived = self
                .0
                .iter_mut()
                .find_map(|(number, signal)| signal.poll_recv(context).is_ready().then_some(*number));
            arrived.map_or(Poll::Pending, |number| Poll::Ready(u8::try_from(128 + number).unwrap_or(u8::MAX)))
        })
        .await
    }
}
