//! Where the load generator is.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The path of `twtop-load`, built if need be: a single test target does not build the examples.
///
/// # Panics
/// If it is not there and cannot be built.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let twtop = PathBuf::from(env!("CARGO_BIN_EXE_twtop"));
        let directory = twtop.parent().expect("a file lies in a directory");
        // Set by cargo for what it runs. Without a cargo at hand, one that was built before will do.
        if let Some(cargo) = std::env::var_os("CARGO") {
            let mut build = Command::new(cargo);
            build.args(["build", "--quiet", "--example", "twtop-load", "--manifest-path"]);
            build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
            if directory.ends_with("release") {
                build.arg("--release");
            }
            let _ = build.status();
        }
        let path = directory.join("examples/twtop-load");
        assert!(path.exists(), "{} is missing: cargo build --example twtop-load", path.display());
        path
    })
}
