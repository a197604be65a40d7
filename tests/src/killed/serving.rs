//! `onegrid serve` under strace.

use std::io::BufReader;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::onegrid::{binary, serve};

const SIGKILL: i32 = 9;

/// A server under strace that is killed at its point, or a server without strace.
pub struct Watched {
    child: Child,
    traced: bool,
    // Held open, because a server that cannot print reports an error.
    _out: BufReader<ChildStdout>,
    /// The URL of the server; `None` if it was killed before it listened.
    pub url: Option<String>,
}

impl Watched {
    /// Starts the server of a data folder by a command that ends in its path.
    #[must_use]
    pub fn start(mut command: Command, data: &Path) -> Self {
        let traced = command.get_program() == "strace";
        command.args(["--lang", "en"]).stderr(Stdio::null());
        command.env("ONEGRID_STORE__PATH", data).current_dir(data);
        let (child, out, url) = serve(&mut command);
        Self {
            child,
            traced,
            _out: out,
            url,
        }
    }

    /// Stops the server if it still runs, and waits for its end; returns whether it was killed.
    #[must_use]
    pub fn end(mut self) -> bool {
        let child = self.child.id();
        let servers = if self.traced {
            let children = format!("/proc/{child}/task/{child}/children");
            std::fs::read_to_string(children).unwrap_or_default()
        } else {
            child.to_string()
        };
        for id in servers.split_whitespace() {
            // The process may be gone already.
            let _ = Command::new("kill").args(["-TERM", id]).output();
        }
        // strace ends in the same way as the process that it watched.
        self.child.wait().unwrap().signal() == Some(SIGKILL)
    }
}

/// Runs a command of the administrator on a data folder; returns its exit code and its output.
#[must_use]
pub fn administer(data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    command.args(arguments).args(["--lang", "en"]);
    command.env("ONEGRID_STORE__PATH", data).current_dir(data);
    let done = command.stdin(Stdio::null()).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (done.status.code(), said)
}
