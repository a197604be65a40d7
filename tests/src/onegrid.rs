//! The real binary `onegrid`, run as an operator runs it, and real phones that talk to it over its socket.

mod phone;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;

pub use phone::{OnlinePhone, hazard, home, way_to};
use tempfile::TempDir;

use crate::postgres::{chosen_nodes, shared};
use crate::relay::{Relay, Target};

/// Builds the binary, with the demo beside it, once for a test process; returns the binary's path. The
/// variable `TESTED_BINARY` names one that is built already.
///
/// # Panics
/// If it does not build.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(built) = std::env::var_os("TESTED_BINARY") {
            return built.into();
        }
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                // Exactly the targets of `scripts/test`, because another choice is another set of features, and
                // everything would be compiled a second time.
                "--workspace",
                "--all-targets",
            ])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "onegrid does not build");
        let test = std::env::current_exe().expect("a test knows where it is");
        let profile = test
            .ancestors()
            .find(|folder| folder.join("onegrid").is_file());
        profile.expect("beside the test").join("onegrid")
    })
}

/// Begins the setting that names a database server.
const URL: &str = "store.url=";

/// An operator at a machine: a folder, a configuration, commands.
pub struct Operator {
    folder: TempDir,
    settings: Vec<String>,
    /// Nodes that serve together.
    nodes: usize,
}

/// The result of a command.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 if a signal ended the command.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Default for Operator {
    fn default() -> Self {
        Self::new()
    }
}

impl Operator {
    /// Makes an empty folder without any setup.
    #[must_use]
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            settings: Vec::new(),
            nodes: 1,
        }
    }

    /// Makes a deployment with the division of Gongshu and the people of the demo.
    #[must_use]
    pub fn with_demo() -> Self {
        let operator = Self::new();
        operator.ok(&["init", "--seed", "demo", "--root-key", "root.key"]);
        match chosen_nodes() {
            Some(nodes) => operator.onto_server(&shared().new_database(), nodes),
            None => operator,
        }
    }

    /// Moves the deployment to an empty database on a server. From now on this number of nodes serves.
    #[must_use]
    pub fn onto_server(mut self, url: &str, nodes: usize) -> Self {
        self.ok(&["migrate", "--to", url, "--yes"]);
        self.nodes = nodes;
        self.set(&format!("{URL}{url}"))
    }

    /// Restores a backup. On a database server it goes by the data folder into a new database.
    #[must_use]
    pub fn restored(mut self, backup: &str) -> Self {
        let (nodes, before) = (self.nodes, self.settings.len());
        self.settings.retain(|setting| !setting.starts_with(URL));
        self.ok(&["restore", backup]);
        if self.settings.len() == before {
            return self;
        }
        self.onto_server(&shared().new_database(), nodes)
    }

    /// Sets `section.key` for every later command.
    #[must_use]
    pub fn set(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }

    /// Returns a path in the operator's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.env_clear().current_dir(self.folder.path());
        command.env("ONEGRID_STORE__PATH", self.path("data"));
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        if !args.contains(&"--lang") {
            command.args(["--lang", "en"]);
        }
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Ran {
        let done = self.command(args).output().expect("onegrid runs");
        let Output {
            status,
            stdout,
            stderr,
        } = done;
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Ran {
            code: status.code().unwrap_or(-1),
            out: text(stdout),
            err: text(stderr),
        }
    }

    /// Runs a command that must succeed; returns its output.
    #[must_use]
    pub fn out(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "onegrid {args:?}: {ran:?}");
        ran.out
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, args: &[&str]) {
        drop(self.out(args));
    }

    /// Runs a command that must succeed and print one line of JSON; returns that JSON.
    #[must_use]
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.out(args)).expect("one line of JSON")
    }

    /// Starts the server on a free port; returns when it listens.
    #[must_use]
    pub fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    /// Starts a server with further settings, which override the settings of the operator. Several nodes serve
    /// behind a balancer.
    #[must_use]
    pub fn serve_with(&self, settings: &[&str]) -> Serving {
        let mut first = self.serve_one(settings);
        let others: Vec<Serving> = (1..self.nodes)
            .map(|number| self.serve_further(number, settings))
            .collect();
        if !others.is_empty() {
            let nodes = std::iter::once(&first).chain(&others);
            let targets = nodes.map(|node| Target::Port(node.address().to_owned()));
            let balancer = Relay::to(targets.collect());
            let scheme = first.url.split_once("://").expect("a URL").0.to_owned();
            first.url = format!("{scheme}://{}", balancer.address());
            first.balancer = Some(balancer);
            first.others = others;
        }
        first
    }

    /// Starts one node more: a folder of its own, the same keys, and the same folder of photos.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn serve_further(&self, number: usize, settings: &[&str]) -> Serving {
        let folder = self.path(&format!("node-{number}"));
        let (keys, data) = ("server.keys", self.path("data"));
        if !folder.exists() {
            std::fs::create_dir(&folder).expect("a folder");
        }
        // A new name, because a copy of the keys can be read by its owner alone.
        let _ = std::fs::remove_file(folder.join(keys));
        std::fs::copy(data.join(keys), folder.join(keys)).expect("the keys can be copied");
        let path = format!("store.path={}", folder.display());
        let files = format!("files.path={}", data.join("blobs").display());
        let own = [path.as_str(), files.as_str()];
        self.serve_one(&[settings, &own[..]].concat())
    }

    fn serve_one(&self, settings: &[&str]) -> Serving {
        let mut command = self.command(&[]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let (mut child, out, url) = serve(command.stderr(Stdio::piped()));
        let mut log = child.stderr.take().expect("its log is piped");
        // The log is read while the server runs, because a full pipe would hold the server up.
        let log = std::thread::spawn(move || {
            let mut read = Vec::new();
            log.read_to_end(&mut read).expect("the log can be read");
            String::from_utf8_lossy(&read).into_owned()
        });
        let Some(url) = url else {
            child.wait().expect("it ended");
            panic!("no address: {}", log.join().expect("the log is read"));
        };
        Serving {
            child: Some(child),
            log: Some(log),
            _out: out,
            url,
            others: Vec::new(),
            balancer: None,
        }
    }

    /// Invites a phone of a member; returns the short code.
    #[must_use]
    pub fn invite(&self, member: &str) -> String {
        let invited = self.json(&["invite", member, "--json"]);
        invited["code"].as_str().expect("a code").to_owned()
    }
}

/// Runs `command` with the arguments that start a server on a free port. Returns the server's URL, or `None`
/// if the server ended before it listened. The caller holds the output open, because the server prints its
/// last words there.
pub fn serve(command: &mut Command) -> (Child, BufReader<ChildStdout>, Option<String>) {
    let mut child = command
        .args(["serve", "--listen", "127.0.0.1:0", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("onegrid runs");
    let mut out = BufReader::new(child.stdout.take().expect("its output is piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("it says where it listens");
    let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
    let url = said["listening"].as_str().map(str::to_owned);
    (child, out, url)
}

/// A running server; killed when dropped.
pub struct Serving {
    child: Option<Child>,
    /// Reads the log to its end.
    log: Option<JoinHandle<String>>,
    // Held open, because a server that cannot print its last words reports an error.
    _out: BufReader<ChildStdout>,
    /// The URL of the server, or of the balancer before the nodes.
    pub url: String,
    /// Further nodes behind the balancer.
    others: Vec<Serving>,
    balancer: Option<Relay>,
}

impl Serving {
    /// Returns host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.split_once("://").expect("a URL").1
    }

    /// Stops the server as a service manager does, without waiting for its end.
    pub fn tell_to_stop(&self) {
        self.others.iter().for_each(Self::tell_to_stop);
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("kill runs").success());
    }

    /// Waits for the end of the server; returns its exit code and its log. Of several nodes, these are the highest code
    /// and all logs.
    #[must_use]
    pub fn ended(mut self) -> (i32, String) {
        let others: Vec<(i32, String)> = self.others.drain(..).map(Self::ended).collect();
        let mut child = self.child.take().expect("it runs");
        let status = child.wait().expect("it ends");
        let log = self.log.take().expect("its log is read");
        let log = log.join().expect("the log is read");
        let own = (status.code().unwrap_or(-1), log);
        others.into_iter().fold(own, |(code, log), (other, more)| {
            (code.max(other), log + &more)
        })
    }

    /// Stops the server and waits for its end; returns its log.
    #[allow(clippy::must_use_candidate, reason = "most stop it for its effect")]
    pub fn stop(self) -> String {
        self.tell_to_stop();
        let (code, log) = self.ended();
        assert_eq!(code, 0, "{log}");
        log
    }

    /// Kills the server without a warning.
    pub fn kill(mut self) {
        self.others.drain(..).for_each(Self::kill);
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // The server may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
