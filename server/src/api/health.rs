//! `/healthz` for process managers and load balancers, `/metrics` for monitoring. Both answer under
//! load.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use onegrid_core::system::now_ms;
use onegrid_core::texts::Lang;

use super::shell::Shell;
use crate::error::{Phrase, Result};

/// Tells whether the server can work now. It must answer at once, without IO that can hang.
pub type Ready = Arc<dyn Fn() -> Result<()> + Send + Sync>;

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
    let warnings: Vec<serde_json::Value> = shell
        .tls
        .iter()
        .flat_map(|tls| tls.warnings(now_ms()))
        .chain(log)
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
