//! `twtop generate`: files made from what the program knows of itself.

use std::io::Write;

use super::{RunError, export_file};
use crate::cli::{GeneratePlan, args::Generated, config};

/// Writes what is asked for.
pub(super) fn run(plan: &GeneratePlan) -> Result<(), RunError> {
    let text = match plan.what {
        Generated::Config => config::template(),
    };
    let mut report = |out: &mut dyn Write| out.write_all(text.as_bytes());
    match &plan.output {
        Some(path) => export_file::replace(path, &mut report),
        None => export_file::to_stdout(&mut report),
    }
}
