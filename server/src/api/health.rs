//! `/healthz` for process managers and load balancers, `/metrics` for monitoring. Both answer under
//! load.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::shell::Shell;
use crate::error::Result;

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
    Ok(Json(
        serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }),
    ))
}

async fn metrics(State(shell): State<Shell>) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], shell.metrics.render()).into_response()
}
