//! `twtop snapshot`: look once or for a while, then write one report.

use std::{io, sync::Arc, time::Duration};

use tokio::runtime;

use super::{RunError, export_file, sampler::Sampler, sampling_config};
use crate::{
    cli::{Common, SnapshotPlan},
    export::{self, Options},
    findings::{Finding, Watch},
    query::{self, Query},
    source::TraceStart,
    store::{History, Moment, Observation},
};

/// Rows of each table of the page for people.
const TOP: usize = 10;

/// After how many broken dumps in a row the observation is given up.
const PATIENCE: u32 = 5;

/// Looks and writes.
pub(super) fn run(common: &Common, plan: &SnapshotPlan) -> Result<(), RunError> {
    // The trace tells of what happens from now on: a single look would come too early for it.
    let trace = if plan.observe.is_some() { TraceStart::BeforeFirst } else { TraceStart::Never };
    let mut config = sampling_config(common, trace);
    config.fresh_bound = true;
    if let Some(observe) = plan.observe {
        config.interval = config.interval.min(observe);
    }
    let mut sampler = Sampler::start(config)?;
    let runtime = runtime::Builder::new_current_thread().build().map_err(RunError::Runtime)?;
    let observed = runtime.block_on(observe(&mut sampler, common, plan.observe))?;
    let options = Options {
        query: &common.query,
        findings: &observed.findings,
        sockets: plan.sockets,
        ascii: common.ascii(),
        top: TOP,
    };
    let mut report =
        |out: &mut dyn io::Write| export::write(plan.format, &observed.observation, &options, out);
    match &plan.output {
        Some(path) => export_file::replace(path, &mut report),
        None => export_file::to_stdout(&mut report),
    }
}

/// What was seen.
pub(super) struct Observed {
    /// The counts.
    pub(super) observation: Observation,
    /// What is wrong, the worst first; with a filter, as far as it concerns sockets that the filter keeps.
    pub(super) findings: Vec<Finding>,
}

/// One look, or all looks until `wanted` has passed since the first.
pub(super) async fn observe(
    sampler: &mut Sampler,
    common: &Common,
    wanted: Option<Duration>,
) -> Result<Observed, RunError> {
    let first = next(sampler).await?;
    let began = first.sample.stamp;
    if !first.sample.complete && first.sample.sockets.is_empty() {
        return Err(no_table(&first));
    }
    let mut broken = 0;
    let (mut history, mut watch) = (History::default(), Watch::new());
    history.push(&first);
    watch.push(&first, &history);
    let mut observation = begin(first, &common.query);
    let Some(wanted) = wanted else { return Ok(Observed { observation, findings: Vec::new() }) };
    // A sample may come a little before its time: one that is short by no more than a twentieth of an interval will do.
    let enough = wanted.as_secs_f64() - common.interval.min(wanted).as_secs_f64() / 20.0;
    while observation.moment.sample.stamp.seconds_since(&began) < enough {
        let moment = next(sampler).await?;
        if !moment.sample.complete {
            // The table before it is better than half of one; how often that happened is told by the next whole one.
            broken += 1;
            if broken > PATIENCE {
                return Err(no_table(&moment));
            }
            continue;
        }
        broken = 0;
        history.push(&moment);
        watch.push(&moment, &history);
        if common.query.is_all() {
            observation.extend_whole(moment);
        } else {
            // What a matcher remembers holds for one moment.
            let mut matcher = common.query.matcher();
            observation.extend(moment, |socket| matcher.matches(socket));
        }
    }
    let findings = concerning(&observation.moment, watch.findings(), &common.query);
    Ok(Observed { observation, findings })
}

/// Those findings that are about sockets that `query` keeps.
pub(super) fn concerning(moment: &Moment, findings: &[Finding], query: &Query) -> Vec<Finding> {
    if query.is_all() || findings.is_empty() {
        return findings.to_vec();
    }
    let rows = query::select(moment, query).rows;
    findings.iter().filter(|finding| query::concerns(moment, &rows, finding)).cloned().collect()
}

/// The observation that begins with `moment`, of what `query` keeps.
pub(super) fn begin(moment: Arc<Moment>, query: &Query) -> Observation {
    if query.is_all() {
        return Observation::begin_whole(moment);
    }
    let mut matcher = query.matcher();
    Observation::begin(moment, |socket| matcher.matches(socket))
}

fn no_table(moment: &Moment) -> RunError {
    let faults = moment.sample.faults.iter().map(|fault| format!("{}: {}", fault.place, fault.kind));
    RunError::NoTable(faults.collect::<Vec<_>>().join("; "))
}

async fn next(sampler: &mut Sampler) -> Result<Arc<Moment>, RunError> {
    sampler.moments.recv().await.ok_or(RunError::SamplerStopped)
}
