//! Context of a command: language, configuration and output.

use std::future::Future;
use std::io::{IsTerminal as _, Write};

use onegrid_core::texts::Lang;

use crate::admin::data_dir::DataDir;
use crate::blobs::reserve::Reserve;
use crate::config::{Config, Effective, Inputs};
use crate::error::{Phrase, Problem, Result};
use crate::registry::admins;
use crate::server::Server;

use super::Need;

/// Context of a command.
pub struct Context<'a> {
    /// Language of all output.
    pub lang: Lang,
    /// Layers of the configuration; a command adds its own flags before it loads them.
    pub inputs: Inputs,
    /// Person or user of the machine who runs the command, as the audit log has it.
    pub actor: String,
    /// Receives results.
    pub out: &'a mut dyn Write,
    /// Receives warnings.
    pub err: &'a mut dyn Write,
}

impl Context<'_> {
    /// Sets a setting from a flag of the command; the flag overrides file and environment.
    pub fn set(&mut self, section: &str, name: &str, value: impl std::fmt::Display) {
        self.inputs.flags.push(format!("{section}.{name}={value}"));
    }

    /// Loads the effective configuration.
    pub fn config(&self) -> Result<Effective> {
        Effective::load(&self.inputs)
    }

    /// Prints one line of a result.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<()> {
        writeln!(self.out, "{text}").map_err(|e| Problem::new("cli.output").because(&e))
    }

    /// The configured data folder, closed to other users of the machine.
    pub fn data(&mut self) -> Result<DataDir> {
        let data = DataDir::of(&self.config()?.config);
        self.protect(&data);
        Ok(data)
    }

    /// Closes a data folder to other users of the machine, and warns of each path that stays open.
    pub fn protect(&mut self, data: &DataDir) {
        // Asked before they are closed.
        let were_open = data.keys_are_open();
        let still_open = data.protect().into_iter();
        let still_open = still_open.map(|path| ("data.open_to_others", path));
        let keys = were_open.then(|| ("keys.were_open", data.keys()));
        for (code, path) in keys.into_iter().chain(still_open) {
            let phrase = Phrase::new(code).with("path", path.display());
            self.warn(&phrase);
        }
    }

    /// Prints a warning.
    pub fn warn(&mut self, phrase: &Phrase) {
        let (sentence, code) = (phrase.sentence(self.lang), phrase.code());
        // If standard error is closed, no channel is left for a warning.
        let _ = writeln!(self.err, "onegrid: {sentence} [{code}]");
    }

    /// Opens the configured deployment; other processes may use it at the same time.
    pub fn deployment(&mut self) -> Result<(Config, Server)> {
        let config = self.config()?.config;
        let server = self.data()?.open(&config)?;
        Ok((config, server))
    }

    /// Finds the actor, and refuses a command that its account may not run. Without a store that opens, only a
    /// command that mends it runs.
    pub(super) fn authorise(&mut self, named: Option<&str>, need: Need, mends: bool) -> Result<()> {
        let user = os_user();
        self.actor = admins::os_actor(&user);
        let role = match need {
            Need::Nothing => return Ok(()),
            Need::Account => None,
            Need::Role(role) => Some(role),
        };
        let data = DataDir::of(&self.config()?.config);
        if !data.is_prepared() {
            return Ok(());
        }
        // A damaged store has no accounts to ask, and a restore must work. Every other command fails with the
        // reason.
        match data.store() {
            Ok(store) => self.actor = store.read(|tx| admins::authorise(tx, named, &user, role))?,
            // It has accounts, and a moment later it opens to a command whose account was not asked.
            Err(problem) if problem.code() == "store.locked" || !mends => return Err(problem),
            Err(_) => {}
        }
        Ok(())
    }

    /// Gives the reserve of the disk back, and returns whether there was one.
    pub(super) fn release_reserve(&self) -> bool {
        let Ok(effective) = self.config() else {
            return false;
        };
        let files = DataDir::of(&effective.config).files();
        Reserve::of(files.folder()).release()
    }

    /// Asks before work that cannot be undone, unless the command line says yes. Without a terminal, the work
    /// is refused.
    pub(super) fn confirm(&mut self, yes: bool, question: &Phrase) -> Result<()> {
        if yes {
            return Ok(());
        }
        let sentence = question.sentence(self.lang);
        // If standard error is closed, the question stays unseen, and the work is refused below.
        let _ = write!(self.err, "{sentence} [y/N] ");
        let answer = answer();
        match answer.as_deref().map(str::trim) {
            Some("y" | "Y" | "yes" | "是") => Ok(()),
            _ => Err(Problem::new("cli.not_confirmed")),
        }
    }

    /// Prints a result: as one line of JSON for programs, otherwise as sentences.
    pub fn result(
        &mut self,
        as_json: bool,
        value: &serde_json::Value,
        sentences: &[Phrase],
    ) -> Result<()> {
        if as_json {
            return self.json(value);
        }
        sentences.iter().try_for_each(|phrase| self.say(phrase))
    }

    /// Prints a value for programs as one line of JSON.
    pub fn json(&mut self, value: &serde_json::Value) -> Result<()> {
        self.line(value)
    }

    /// Prints one sentence of `texts.tsv`.
    pub fn say(&mut self, phrase: &Phrase) -> Result<()> {
        let sentence = phrase.sentence(self.lang);
        self.line(sentence)
    }

    /// Runs an async command on a runtime of its own.
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|e| Problem::new("server.internal").because(&e))?;
        Ok(runtime.block_on(future))
    }
}

/// Reads one line from the terminal; `None` without one.
fn answer() -> Option<String> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return None;
    }
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    Some(line)
}

/// Name of the user of the operating system, or its number. The environment is not asked, because everybody
/// can set it.
fn os_user() -> String {
    #[cfg(unix)]
    {
        let uid = rustix::process::getuid().as_raw().to_string();
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = users.lines().find_map(|line| {
            let mut parts = line.split(':');
            let (name, _, of) = (parts.next()?, parts.next()?, parts.next()?);
            (of == uid).then(|| name.to_owned())
        });
        name.unwrap_or(uid)
    }
    #[cfg(not(unix))]
    "unknown".to_owned()
}
