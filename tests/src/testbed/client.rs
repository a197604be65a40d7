//! A testbed as a child process, commanded by a suite in Rust.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::answer::{self, Answer};

/// A running testbed. It ends when this is dropped.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// Starts the program at this path.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the testbed starts");
        let input = child.stdin.take();
        let output = child.stdout.take().expect("its output is piped");
        Self {
            child,
            input,
            output: BufReader::new(output),
        }
    }

    /// Sends a command and returns its answer.
    ///
    /// # Panics
    /// If no answer comes.
    pub fn ask(&mut self, command: &str, with: &Value) -> Answer {
        self.ask_line(&json!({ "do": command, "with": with }).to_string())
    }

    /// Sends a line as it is.
    ///
    /// # Panics
    /// If no answer comes.
    pub fn ask_line(&mut self, line: &str) -> Answer {
        let input = self.input.as_mut().expect("the input is open");
        writeln!(input, "{line}").expect("the testbed reads");
        input.flush().expect("the testbed reads");
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("the testbed answers");
        answer::parse(&line).unwrap_or_else(|| panic!("no answer: {line:?}"))
    }

    /// Sends a command that must succeed.
    ///
    /// # Panics
    /// If the command is refused.
    #[allow(clippy::must_use_candidate, reason = "most ask for the effect")]
    pub fn ok(&mut self, command: &str, with: &Value) -> Value {
        match self.ask(command, with) {
            Ok(value) => value,
            Err(refusal) => panic!("{command} {with}: {refusal}"),
        }
    }

    /// Terminates the testbed with a signal and waits for its end; returns its exit code.
    ///
    /// # Panics
    /// If it cannot be signalled or waited for.
    #[must_use]
    pub fn terminate(mut self) -> i32 {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("kill runs").success());
        let status = self.child.wait().expect("the testbed ends");
        status.code().unwrap_or(-1)
    }

    /// Closes the testbed's input and waits for its end; returns its exit code.
    ///
    /// # Panics
    /// If waiting for it fails.
    #[must_use]
    pub fn end(mut self) -> i32 {
        drop(self.input.take());
        let status = self.child.wait().expect("the testbed ends");
        status.code().unwrap_or(-1)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        // The process may have been waited for already.
        let _ = self.child.wait();
    }
}
