//! `testbed [--district] [--tls]`: a real server of a small town, commanded by a test suite in any language by
//! lines of JSON. See [`onegrid_tests::testbed`].

use std::process::ExitCode;

use onegrid_server::cli::{self, Process};
use onegrid_tests::testbed::{self, Extent, Options};

const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut options = Options::default();
    for argument in &arguments {
        match argument.as_str() {
            // The server is a process of its own, so it can be killed like a real one.
            "onegrid" => return onegrid(),
            "--district" => options.extent = Extent::District,
            "--tls" => options.tls = true,
            other => {
                eprintln!("testbed [--district] [--tls]: not {other:?}");
                return ExitCode::from(USAGE);
            }
        }
    }
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    match testbed::serve(options, input, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the real command line. Its standard input is a pipe of the testbed, so the server ends when the
/// testbed ends, for any reason.
fn onegrid() -> ExitCode {
    std::thread::spawn(|| {
        // An error is an end too.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    ExitCode::from(cli::run(Process {
        args: std::env::args_os().skip(1).collect(),
        env: std::env::vars().collect(),
        default_file: None,
        out: &mut std::io::stdout(),
        err: &mut std::io::stderr(),
    }))
}
