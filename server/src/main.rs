//! The binary `onegrid`: it passes the arguments, environment and streams of its process to the
//! library.

use std::path::PathBuf;
use std::process::ExitCode;

use onegrid_server::cli::{Process, run};

fn main() -> ExitCode {
    let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let default_file = PathBuf::from("onegrid.toml");
    ExitCode::from(run(Process {
        args: std::env::args_os().collect(),
        env: std::env::vars_os().filter_map(unicode).collect(),
        default_file: default_file.is_file().then_some(default_file),
        out: &mut std::io::stdout(),
        err: &mut std::io::stderr(),
    }))
}
