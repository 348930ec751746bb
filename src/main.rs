//! Parse, run, exit.

use std::process::ExitCode;

use clap::Parser as _;
use twtop::{
    app,
    cli::{self, Surroundings, args::Cli},
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli::resolve(cli, &Surroundings::of_process()) {
        Ok(invocation) => app::run(invocation),
        Err(error) => app::report(&error),
    }
}
