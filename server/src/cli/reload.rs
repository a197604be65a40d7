//! SIGHUP: a running server reads its configuration again. It takes renewed TLS files and rules at once; every other
//! setting waits for the next start, and the log says so.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::time::now;
use crate::api::Tls;
use crate::config::{Config, Effective, Inputs};
use crate::error::{Problem, Result};
use crate::rules::Rules;
use crate::server::Server;

/// The parts of the server that a reload touches.
pub(super) struct Reloading {
    /// Where the configuration comes from.
    pub(super) inputs: Inputs,
    /// The configuration that the server runs with.
    pub(super) running: Config,
    pub(super) server: Arc<Server>,
    pub(super) tls: Option<Arc<Tls>>,
}

/// The results of a reload.
#[derive(Debug, Default)]
struct Reloaded {
    /// The parts that failed. They stay as they were.
    problems: Vec<Problem>,
    /// Whether other settings have changed. They wait for the next start.
    waits: bool,
}

/// Reloads with each SIGHUP, until the runtime ends. Without this the signal would end the process.
pub(super) fn on_hangup(reloading: Reloading) -> Result<()> {
    let failed = |error: std::io::Error| Problem::new("server.internal").because(&error);
    let mut hangups = signal(SignalKind::hangup()).map_err(failed)?;
    let reloading = Arc::new(reloading);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            let reloading = Arc::clone(&reloading);
            // Reading files may take time.
            let done = tokio::task::spawn_blocking(move || reloading.run()).await;
            if let Ok(done) = done {
                tell(&done);
            }
        }
    });
    Ok(())
}

impl Reloading {
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
        match Rules::read(config.rules.path.as_deref()) {
            Ok(rules) => self.server.set_rules(rules),
            Err(problem) => problems.push(problem),
        }
        if let (Some(tls), Some(files)) = (&self.tls, &config.server.tls) {
            problems.extend(tls.reload(files).err());
            for warning in tls.warnings(now()) {
                let code = warning.code();
                tracing::warn!(code, "{}", warning.sentence(onegrid_core::texts::Lang::En));
            }
        }
        let waits = self.without_reloaded(&config) != self.without_reloaded(&self.running);
        Reloaded { problems, waits }
    }

    /// The settings that wait for the next start. The paths of files that were read again are not among them.
    fn without_reloaded(&self, config: &Config) -> Config {
        let mut rest = config.clone();
        rest.rules.path = None;
        if self.tls.is_some() && rest.server.tls.is_some() {
            rest.server.tls.clone_from(&self.running.server.tls);
        }
        rest
    }
}

fn tell(done: &Reloaded) {
    for problem in &done.problems {
        problem.log();
    }
    if done.waits {
        let code = "serve.reload_waits";
        tracing::warn!(code, "some changed settings take effect at the next start");
    }
    let failed = done.problems.len();
    tracing::info!(failed, "configuration read again");
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
        Reloading {
            inputs,
            running,
            server: Arc::clone(&world.server),
            tls: None,
        }
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

    /// Without a listener the signal ends the process.
    #[tokio::test]
    async fn hangup_reloads_and_ends_nothing() {
        let world = TestServer::new();
        let file = world.folder().join("onegrid.toml");
        let rules = world.folder().join("rules.toml");
        std::fs::write(&file, "[rules]\npath = \"rules.toml\"\n").unwrap();
        std::fs::write(&rules, "version = 1\n# renewed\n").unwrap();
        let before = world.server.rules_source();
        on_hangup(reloading(&world, &file)).unwrap();
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::HUP).unwrap();
        let reloaded = async {
            while world.server.rules_source() == before {
                tokio::task::yield_now().await;
            }
        };
        let limit = std::time::Duration::from_mins(1);
        tokio::time::timeout(limit, reloaded).await.unwrap();
    }
}
