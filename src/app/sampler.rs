//! The sampler's thread: it looks, remembers, and sends finished moments. It shares nothing with the loop.

use std::{
    io,
    sync::{Arc, mpsc as control},
    thread,
};

use tokio::sync::mpsc;

use super::RunError;
use crate::{
    source::{LiveConfig, LiveSource, clock},
    store::{Ledger, Moment},
};

/// How many finished moments may wait for the loop. A terminal that blocks (a stalled SSH) must not make the
/// sampler wait, and a million sockets take tens of megabytes a moment: more than these are dropped.
const WAITING: usize = 4;

/// A running sampler. Dropping it ends the thread after the sample in progress.
pub(super) struct Sampler {
    /// Finished moments, in order.
    pub(super) moments: mpsc::Receiver<Arc<Moment>>,
    /// Nothing is sent: that it is dropped ends the thread.
    _alive: control::Sender<()>,
}

impl Sampler {
    /// Starts sampling.
    ///
    /// # Errors
    /// When the namespace cannot be entered or the kernel cannot be asked at all.
    pub(super) fn start(config: LiveConfig) -> Result<Self, RunError> {
        let (moments_in, moments) = mpsc::channel(WAITING);
        let (alive, dropped) = control::channel();
        let (opened_in, opened) = control::channel();
        let work = move || {
            // The source is made on its own thread: entering a network namespace concerns one thread only.
            match LiveSource::new(&config) {
                Ok(source) => {
                    let _ = opened_in.send(Ok(()));
                    run(source, &moments_in, &dropped);
                }
                Err(error) => {
                    let _ = opened_in.send(Err(error));
                }
            }
        };
        thread::Builder::new().name("twtop-sampler".to_owned()).spawn(work).map_err(RunError::Thread)?;
        opened.recv().map_err(|_| RunError::Thread(io::Error::other("it ended at once")))??;
        Ok(Self { moments, _alive: alive })
    }
}

fn run(mut source: LiveSource, moments: &mpsc::Sender<Arc<Moment>>, dropped: &control::Receiver<()>) {
    let mut ledger = Ledger::new();
    loop {
        let began = clock::since_boot();
        let moment = Arc::new(ledger.fold(source.sample()));
        match moments.try_send(moment) {
            // The loop is behind: this moment is lost to the screen, the ledger has it.
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => {}
            Err(mpsc::error::TrySendError::Closed(_)) => return,
        }
        let spent = clock::since_boot().saturating_sub(began);
        match dropped.recv_timeout(source.interval().saturating_sub(spent)) {
            Err(control::RecvTimeoutError::Timeout) | Ok(()) => {}
            Err(control::RecvTimeoutError::Disconnected) => return,
        }
    }
}
