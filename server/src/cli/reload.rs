//! SIGHUP: a running server reads its configuration again. It takes renewed TLS files, rules and the plan of
//! backups at once; every other setting waits for the next start, and the log says so.
//!
//! **Invariant:** rules, TLS files and a plan of backups that the configuration no longer names stay in use until the
//! next start, because a file that is just being saved, or was cut by a full disk, reads like one
//! without settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::time::now;
use crate::admin::schedule::Backups;
use crate::api::{ReloadFailures, Tls};
use crate::config::{Config, Effective, Inputs};
use crate::error::{Problem, Result};
use crate::rules::Rules;
use crate::server::Server;

/// The parts of the server that a reload touches.
pub(super) struct Reloading {
    /// Where the configuration comes from.
    inputs: Inputs,
    /// The configuration that the server runs with.
    running: Config,
    server: Arc<Server>,
    tls: Option<Arc<Tls>>,
    /// Whether the rules in use are of a file.
    has_rules: AtomicBool,
    backups: Option<Backups>,
}

/// The results of a reload.
#[derive(Debug, Default)]
struct Reloaded {
    /// The parts that failed. They stay as they were.
    problems: Vec<Problem>,
    /// Whether other settings have changed. They wait for the next start.
    waits: bool,
}

/// The SIGHUPs of the process, from the begin of its start. Without a listener the signal would end
/// it.
pub(super) struct Hangups(Signal);

impl Hangups {
    /// Listens from now on, within a runtime. A signal before [`Self::reload`] is answered then.
    pub(super) fn listen() -> Result<Self> {
        let failed = |error: std::io::Error| Problem::new("server.internal").because(&error);
        signal(SignalKind::hangup()).map(Self).map_err(failed)
    }

    /// Reloads with each SIGHUP, until the runtime ends.
    pub(super) fn reload(mut self, reloading: Reloading, failures: ReloadFailures) {
        let reloading = Arc::new(reloading);
        tokio::spawn(async move {
            while self.0.recv().await.is_some() {
                let reloading = Arc::clone(&reloading);
                // Reading files may take time.
                let done = tokio::task::spawn_blocking(move || reloading.run()).await;
                if let Ok(done) = done {
                    failures.note(&done.problems);
                    tell(&done);
                }
            }
        });
    }
}

impl Reloading {
    pub(super) fn new(
        inputs: Inputs,
        running: Config,
        server: Arc<Server>,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        let has_rules = AtomicBool::new(running.rules.path.is_some());
        Self {
            inputs,
            running,
            server,
            tls,
            has_rules,
            backups: None,
        }
    }

    /// Lets a reload change the plan of the backups.
    pub(super) fn with_backups(mut self, backups: Backups) -> Self {
        self.backups = Some(backups);
        self
    }

    fn run(&self) -> Reloaded {
        let config = match Effective::load(&self.inputs) {
            Ok(effective) => effective.config,
            Err(problem) => {
                return Reloaded {
                    problems: vec![problem],
                    ..Reloaded::default()
                };
            }
        };
        let mut problems = Vec::new();
        problems.extend(self.take_rules(&config).err());
        problems.extend(self.take_plan(&config).err());
        if let Some(tls) = &self.tls {
            let reloaded = match &config.server.tls {
                Some(files) => tls.reload(files),
                None => Err(Problem::new("serve.reload_tls_gone")),
            };
            problems.extend(reloaded.err());
            for warning in tls.warnings(now()) {
                let code = warning.code();
                tracing::warn!(code, "{}", warning.sentence(onegrid_core::texts::Lang::En));
            }
        }
        let waits = self.without_reloaded(&config) != self.without_reloaded(&self.running);
        Reloaded { problems, waits }
    }

    /// Going back to the built-in rules would route the open cases anew, so it takes a start.
    fn take_rules(&self, config: &Config) -> Result<()> {
        let path = config.rules.path.as_deref();
        if path.is_none() && self.has_rules.load(Ordering::Relaxed) {
            return Err(Problem::new("serve.reload_rules_gone"));
        }
        self.server.set_rules(Rules::read(path)?);
        self.has_rules.store(path.is_some(), Ordering::Relaxed);
        Ok(())
    }

    /// A plan that vanishes stays, because its absence would be noticed when a backup is needed.
    fn take_plan(&self, config: &Config) -> Result<()> {
        let Some(backups) = &self.backups else {
            return Ok(());
        };
        if config.backup.is_none() && backups.are_planned() {
            return Err(Problem::new("serve.reload_backup_gone"));
        }
        backups.follow(config.backup.clone());
        Ok(())
    }

    /// The settings that wait for the next start. The paths of files that were read again are not among them.
    fn without_reloaded(&self, config: &Config) -> Config {
        let mut rest = config.clone();
        rest.rules.path = None;
        rest.backup = None;
        if self.tls.is_some() {
            rest.server.tls.clone_from(&self.running.server.tls);
        }
        rest
    }
}

fn tell(done: &Reloaded) {
    // The administrator believes that the new files are in use, so each failure is a warning with
    // its remedy.
    for problem in &done.problems {
        let (code, cause) = (problem.code(), problem.cause().unwrap_or_default());
        tracing::warn!(
            code,
            cause,
            "{}",
            problem.sentence(onegrid_core::texts::Lang::En)
        );
    }
    if done.waits {
        let code = "serve.reload_waits";
        tracing::warn!(code, "some changed settings take effect at the next start");
    }
    let failed = done.problems.len();
    if failed > 0 {
        tracing::warn!(
            failed,
            "configuration read again, and the parts that failed stay as before"
        );
    } else {
        tracing::info!("configuration read again");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;
    use crate::ingest::tests::world::TestServer;

    fn reloading(world: &TestServer, file: &std::path::Path) -> Reloading {
        let inputs = Inputs {
            file: Some(file.to_owned()),
            ..Inputs::default()
        };
        let running = Effective::load(&inputs).unwrap().config;
        Reloading::new(inputs, running, Arc::clone(&world.server), None)
    }

    /// A configuration that is just being saved is empty for a moment. The cases that are open then
    /// must not follow other rules.
    #[test]
    fn rules_that_vanish_from_the_configuration_stay() {
        let world = TestServer::new();
        let file = world.folder().join("onegrid.toml");
        let rules = world.folder().join("rules.toml");
        let named = "[rules]\npath = \"rules.toml\"\n";
        std::fs::write(&rules, "version = 1\n").unwrap();
        for at_start in [true, false] {
            std::fs::write(&file, if at_start { named } else { "" }).unwrap();
            let reloading = reloading(&world, &file);
            std::fs::write(&file, named).unwrap();
            assert!(reloading.run().problems.is_empty());
            let before = world.server.rules_source();
            std::fs::write(&file, "").unwrap();
            let done = reloading.run();
            assert_eq!(done.problems[0].code(), "serve.reload_rules_gone");
            assert_eq!(world.server.rules_source(), before, "{at_start}");
        }
        // Without rules in use there are none to keep.
        let reloading = reloading(&world, &file);
        assert!(reloading.run().problems.is_empty());
    }

    #[test]
    fn rules_are_taken_and_other_settings_wait() {
        let world = TestServer::new();
        let file = world.folder().join("onegrid.toml");
        let rules = world.folder().join("rules.toml");
        std::fs::write(&file, "[rules]\npath = \"rules.toml\"\n").unwrap();
        std::fs::write(&rules, "version = 1\n").unwrap();
        let reloading = reloading(&world, &file);
        let before = world.server.rules_source();
        let done = reloading.run();
        assert!(done.problems.is_empty() && !done.waits, "{done:?}");
        assert_ne!(world.server.rules_source(), before);

        // A mistake in the rules keeps the rules before.
        let before = world.server.rules_source();
        std::fs::write(&rules, "version = 9\n").unwrap();
        let done = reloading.run();
        assert_eq!(done.problems[0].code(), "rules.bad_rule");
        assert_eq!(world.server.rules_source(), before);

        let limits = "[rules]\npath = \"rules.toml\"\n[limits]\nworkers_max = 3\n";
        std::fs::write(&file, limits).unwrap();
        std::fs::write(&rules, "version = 1\n").unwrap();
        let done = reloading.run();
        assert!(done.problems.is_empty() && done.waits, "{done:?}");

        // A file that cannot be read changes nothing.
        std::fs::write(&file, "nonsense").unwrap();
        assert_eq!(reloading.run().problems[0].code(), "config.syntax");
    }

    #[test]
    fn plan_of_backups_is_taken_and_does_not_vanish() {
        let world = TestServer::new();
        let file = world.folder().join("onegrid.toml");
        std::fs::write(&file, "").unwrap();
        let config = Effective::load(&Inputs::default()).unwrap().config;
        let backups = Backups::new(&config, &crate::metrics::Metrics::new());
        let reloading = reloading(&world, &file).with_backups(backups.clone());
        assert!(!backups.are_planned());
        std::fs::write(&file, "[backup]\nfolder = \"copies\"\n").unwrap();
        let done = reloading.run();
        assert!(done.problems.is_empty() && !done.waits, "{done:?}");
        assert!(backups.are_planned());
        std::fs::write(&file, "").unwrap();
        let done = reloading.run();
        assert_eq!(done.problems[0].code(), "serve.reload_backup_gone");
        assert!(backups.are_planned());
    }

    /// Without a listener the signal ends the process.
    #[tokio::test]
    async fn hangup_reloads_and_ends_nothing() {
        let world = TestServer::new();
        let file = world.folder().join("onegrid.toml");
        let rules = world.folder().join("rules.toml");
        std::fs::write(&file, "[rules]\npath = \"rules.toml\"\n").unwrap();
        std::fs::write(&rules, "version = 1\n# renewed\n").unwrap();
        let before = world.server.rules_source();
        // The server may still be starting when the signal comes.
        let hangups = Hangups::listen().unwrap();
        let failures = ReloadFailures::default();
        failures.note(&[Problem::new("config.syntax")]);
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::HUP).unwrap();
        hangups.reload(reloading(&world, &file), failures.clone());
        let reloaded = async {
            while world.server.rules_source() == before {
                tokio::task::yield_now().await;
            }
        };
        let limit = std::time::Duration::from_mins(1);
        tokio::time::timeout(limit, reloaded).await.unwrap();
        let mended = async {
            while !failures.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(limit, mended).await.unwrap();
        std::fs::write(&file, "nonsense").unwrap();
        rustix::process::kill_process(own, rustix::process::Signal::HUP).unwrap();
        let failed = async {
            while failures.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(limit, failed).await.unwrap();
    }
}
