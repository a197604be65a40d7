//! `onegrid serve` as a process of its own, so that it can be stopped, killed and started again.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::answer::Refusal;

/// A running server; killed when dropped.
pub(super) struct Serving {
    child: Child,
    pub(super) address: SocketAddr,
    // Held open, because a server whose output is closed reports an error when it stops.
    _out: BufReader<ChildStdout>,
}

/// Certificate and key of a server of tests.
pub(super) struct TlsFiles<'a> {
    pub(super) certificate: &'a Path,
    pub(super) key: &'a Path,
}

impl Serving {
    /// Starts a server on a free port; returns when it listens.
    pub(super) fn start(data: &Path, tls: Option<&TlsFiles<'_>>) -> Result<Self, Refusal> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["onegrid", "--lang", "en", "--set", "log.filter=warn"]);
        for (name, _) in std::env::vars_os() {
            // Only the settings of the testbed count, not the settings of its caller.
            if name.to_string_lossy().starts_with("ONEGRID_") {
                command.env_remove(name);
            }
        }
        command.arg(format!("--set=store.path={}", data.display()));
        if let Some(tls) = tls {
            let certificate = tls.certificate.display();
            command.arg(format!("--set=server.tls_cert={certificate}"));
            command.arg(format!("--set=server.tls_key={}", tls.key.display()));
        }
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().expect("its output is piped");
        let mut out = BufReader::new(out);
        let mut line = String::new();
        out.read_line(&mut line)?;
        let Some(address) = listening(&line) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Refusal::new(
                "testbed.no_server",
                "the server did not start; its log says why",
            ));
        };
        Ok(Self {
            child,
            address,
            _out: out,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops the server as a service manager does, and waits.
    pub(super) fn stop(mut self) -> Result<(), Refusal> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// Kills the server, so that it finishes nothing.
    pub(super) fn kill(mut self) -> Result<(), Refusal> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The server may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the address in the server's first line.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let url = line.get("listening")?.as_str()?;
    url.split_once("://")?.1.parse().ok()
}
