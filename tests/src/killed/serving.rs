//! `onegrid serve` under strace.

use std::io::BufReader;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::onegrid::{binary, serve};

const SIGKILL: i32 = 9;

/// A server, watched and killed at its point, or left alone.
pub struct Watched {
    child: Child,
    traced: bool,
    // Held open: a server that can not print says so.
    _out: BufReader<ChildStdout>,
    /// Where it listens; `None` when it was killed before it did.
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

    /// Tells it to stop where it still runs, and waits for its end. Whether it was killed.
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
            // It may be gone by now.
            let _ = Command::new("kill").args(["-TERM", id]).output();
        }
        // strace ends as the process did that it watched.
        self.child.wait().unwrap().signal() == Some(SIGKILL)
    }
}

/// Runs a command of the administrator on a data folder; gives its exit code and what it printed.
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
