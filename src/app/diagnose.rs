//! `twtop diagnose`: observe for a while, then say what is wrong.

use std::io;

use tokio::runtime;

use super::{
    EXIT_DONE, EXIT_FOUND, RunError, export_file, sampler::Sampler, sampling_config, snapshot::observe,
};
use crate::{
    cli::{Common, DiagnosePlan},
    export::{self, Options},
    findings::Severity,
    source::TraceStart,
};

/// Observes, writes, and says whether something was found that somebody should act on.
pub(super) fn run(common: &Common, plan: &DiagnosePlan) -> Result<u8, RunError> {
    let mut config = sampling_config(common, TraceStart::BeforeFirst);
    config.fresh_bound = true;
    // A finding has to hold for a while: a few looks at least.
    config.interval = config.interval.min(plan.observe / LOOKS);
    let mut sampler = Sampler::start(config)?;
    let runtime = runtime::Builder::new_current_thread().enable_time().build().map_err(RunError::Runtime)?;
    let observed = runtime.block_on(observe(&mut sampler, common, Some(plan.observe)))?;
    let options = Options {
        query: &common.query,
        findings: &observed.findings,
        sockets: false,
        ascii: common.ascii(),
        top: 0,
    };
    let mut report =
        |out: &mut dyn io::Write| export::write_diagnosis(plan.format, &observed.observation, &options, out);
    match &plan.output {
        Some(path) => export_file::replace(path, &mut report)?,
        None => export_file::to_stdout(&mut report)?,
    }
    let found = observed.findings.iter().any(|finding| finding.severity >= Severity::Warning);
    Ok(if found { EXIT_FOUND } else { EXIT_DONE })
}

/// At least so many intervals fit into the observation.
const LOOKS: u32 = 5;
