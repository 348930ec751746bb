//! Records samples of the network namespace that it runs in, with the trace, once a second.
//!
//! `twtop-capture FILE SECONDS [ADDRESS…]`: needs root. It prints `ready` when the first sample was taken. A recording must
//! tell of nobody but those that it is about: of the trace, which is one of the whole host, only what happened in this
//! namespace is kept, or at one of these addresses where the namespace is not known; of the kernel's release, the version alone.

use std::{
    env,
    error::Error,
    fs::File,
    io::{self, Write as _},
    net::IpAddr,
    sync::Arc,
    thread,
    time::Duration,
};

use twtop::{
    model::{Host, Sample, TraceBatch, TraceEvent},
    source::{LiveConfig, LiveSource, TraceStart, clock},
    wire::pack::FileWriter,
};

const SECOND: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [path, seconds, addresses @ ..] = &words[..] else {
        return Err("usage: twtop-capture FILE SECONDS [ADDRESS...]".into());
    };
    let seconds: u32 = seconds.parse()?;
    let addresses = addresses.iter().map(|text| text.parse()).collect::<Result<Vec<IpAddr>, _>>()?;
    let config = LiveConfig {
        trace: TraceStart::BeforeFirst,
        interval: SECOND,
        // Whatever else runs here, a recording is an even one.
        budget: 0.0,
        fresh_bound: true,
        ..LiveConfig::default()
    };
    let mut source = LiveSource::new(&config)?;
    let (mut file, mut writer) = (File::create(path)?, FileWriter::new());
    file.write_all(&FileWriter::begin())?;
    let begin = clock::since_boot();
    for n in 0..seconds {
        thread::sleep((begin + SECOND * n).saturating_sub(clock::since_boot()));
        let sample = discreet(source.sample(), &addresses);
        file.write_all(&writer.push(&sample)?)?;
        if n == 0 {
            writeln!(io::stdout(), "ready")?;
        }
    }
    file.write_all(&FileWriter::end()?)?;
    Ok(())
}

/// The sample without what it tells of others on this machine.
fn discreet(mut sample: Sample, addresses: &[IpAddr]) -> Sample {
    let version: String =
        sample.host.kernel.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    sample.host = Arc::new(Host { kernel: version, ..Host::clone(&sample.host) });
    let netns = sample.netns;
    let ours = |event: &TraceEvent| match event.task.and_then(|task| task.netns) {
        Some(of) => of == netns,
        None => addresses.contains(&event.local.ip),
    };
    sample.trace = sample.trace.map(|batch| Arc::new(of_ours(&batch, ours)));
    sample
}

/// The batch with these events alone, and with the processes that they name.
fn of_ours(batch: &TraceBatch, ours: impl Fn(&TraceEvent) -> bool) -> TraceBatch {
    let mut events: Vec<TraceEvent> = batch.events.iter().filter(|event| ours(event)).copied().collect();
    let (mut places, mut processes) = (vec![None; batch.processes.len()], Vec::new());
    for task in events.iter_mut().filter_map(|event| event.task.as_mut()) {
        let Some(old) = task.process else { continue };
        let place: &mut Option<u32> = &mut places[old as usize];
        let new = *place.get_or_insert_with(|| {
            processes.push(batch.processes[old as usize].clone());
            u32::try_from(processes.len() - 1).expect("no more than before")
        });
        task.process = Some(new);
    }
    TraceBatch { events, processes, ..batch.clone() }
}
