//! `/healthz` for process managers and load balancers, `/metrics` for monitoring. Both answer under
//! load.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use onegrid_core::system::now_ms;
use onegrid_core::texts::Lang;

use super::shell::Shell;
use crate::admin::schedule::Backups;
use crate::error::{Phrase, Problem, Result};

/// Tells whether the server can work now. It must answer at once, without IO that can hang.
pub type Ready = Arc<dyn Fn() -> Result<()> + Send + Sync>;

/// The parts of the last reload that failed, so that the older ones stay in force; clones share
/// them.
#[derive(Debug, Clone, Default)]
pub struct ReloadFailures(Arc<Mutex<Vec<Problem>>>);

impl ReloadFailures {
    /// Notes the failures of a reload; none after a good one.
    pub fn note(&self, problems: &[Problem]) {
        problems.clone_into(&mut self.lock());
    }

    /// Whether the last reload took everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn warnings(&self) -> Vec<Phrase> {
        let problems = self.lock();
        let failed = problems.iter().map(|problem| {
            Phrase::new("serve.reload_failed").with_phrase("reason", problem.phrase().clone())
        });
        failed.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Problem>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn routes(shell: &Shell) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(shell.clone())
}

async fn healthz(State(shell): State<Shell>) -> Result<Json<serde_json::Value>> {
    (shell.ready)()?;
    let mut said = serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") });
    // They need an administrator, and not a restart.
    let log = shell.server.iter();
    let log = log.filter_map(|server| server.shared.audit_alarm.line());
    let log = log.map(|line| Phrase::new("audit.contradicts").with("line", line));
    let backup = shell.backups.iter().filter_map(Backups::warning);
    let reload = shell.reloads.iter().flat_map(ReloadFailures::warnings);
    let warnings: Vec<serde_json::Value> = shell
        .tls
        .iter()
        .flat_map(|tls| tls.warnings(now_ms()))
        .chain(log)
        .chain(backup)
        .chain(reload)
        .map(|warning| {
            serde_json::json!({
                "code": warning.code(),
                "zh": warning.sentence(Lang::Zh),
                "en": warning.sentence(Lang::En),
            })
        })
        .collect();
    if !warnings.is_empty() {
        said["warnings"] = warnings.into();
    }
    Ok(Json(said))
}

async fn metrics(State(shell): State<Shell>) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], shell.metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use std::time::Duration;

    use onegrid_core::fixtures::NOW;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::admin::data_dir::DataDir;
    use crate::admin::setup;
    use crate::config::{BackupConfig, Effective, Inputs};
    use crate::metrics::Metrics;

    async fn codes(shell: &Shell) -> Vec<String> {
        let said = healthz(State(shell.clone())).await.unwrap().0;
        let warnings = said["warnings"].as_array().cloned().unwrap_or_default();
        let code = |warning: &serde_json::Value| warning["code"].as_str().unwrap().to_owned();
        warnings.iter().map(code).collect()
    }

    /// The administrator believes that the new configuration is in force, and that there are backups.
    #[tokio::test]
    async fn failed_reload_and_backup_are_warnings_until_they_work() {
        let office = tempfile::tempdir().unwrap();
        let data = DataDir::at(&office.path().join("data"));
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        setup::prepare(&data, &office.path().join("root.key"), NOW, &mut rng).unwrap();
        let mut config = Effective::load(&Inputs::default()).unwrap().config;
        config.store.path = data.path().to_owned();
        let folder = office.path().join("not mounted");
        config.backup = Some(BackupConfig {
            folder: folder.clone(),
            every: Duration::from_hours(1),
            keep: 1,
        });
        let (metrics, reloads) = (Metrics::new(), ReloadFailures::default());
        let backups = Backups::new(&config, &metrics);
        let shell = Shell::new(&config, metrics, Arc::new(|| Ok(())))
            .with_backups(backups.clone())
            .with_reloads(reloads.clone());
        assert_eq!(codes(&shell).await, Vec::<String>::new());
        let never = || false;
        backups.run(NOW, &never).unwrap_err();
        reloads.note(&[Problem::new("rules.malformed")]);
        assert_eq!(
            codes(&shell).await,
            ["backup.failing", "serve.reload_failed"]
        );
        reloads.note(&[]);
        std::fs::create_dir(folder).unwrap();
        let later_ms = NOW + 3_600_000;
        backups.run(later_ms, &never).unwrap();
        assert_eq!(codes(&shell).await, Vec::<String>::new());
    }
}
