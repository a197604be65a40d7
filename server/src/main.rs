//! The binary `onegrid`: it passes the arguments, environment and streams of its process to the
//! library.

use std::path::PathBuf;
use std::process::ExitCode;

use onegrid_server::cli::{Process, run};

/// Places of the configuration if the command line names none; the first that exists counts. The package
/// installs the second one.
const DEFAULT_FILES: [&str; 2] = ["onegrid.toml", "/etc/onegrid/onegrid.toml"];

fn main() -> ExitCode {
    let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let mut default_files = DEFAULT_FILES.map(PathBuf::from).into_iter();
    ExitCode::from(run(Process {
        args: std::env::args_os().collect(),
        env: std::env::vars_os().filter_map(unicode).collect(),
        default_file: default_files.find(|file| file.is_file()),
        out: &mut std::io::stdout(),
        err: &mut std::io::stderr(),
    }))
}
